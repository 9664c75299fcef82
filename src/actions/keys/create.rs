//! Making a key.

use entity::activity::ActivityKind;
use entity::api_key::{self, KeyState};
use entity::{AccountId, KeyId, RoleId, ScopeId, SecretId, Timestamp, key_secret, settings as settings_row};

use super::idempotency::{self, Beginning, Done};
use super::{Key, name_taken, policy, snapshot};
use crate::access::{Action, Reach};
use crate::app::context::Context;
use crate::app::edits::{all_named, all_there};
use crate::app::giving::{may_not_obtain, strengths};
use crate::crypto::secret::{ClientSecret, client_id};
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::store::accounts::Owner;
use crate::store::{Tx, accounts, keys, roles, scopes, secrets, settings};
use crate::values::{Idempotency, Name, Networks, Quota};

/// What a key is made from.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: Name,
    pub description: Option<String>,
    /// The account that the caller acts for when left out.
    pub owner: Option<AccountId>,
    /// With neither roles nor scopes, a user's key acts with all that its owner holds.
    pub roles: Option<Vec<RoleId>>,
    pub scopes: Option<Vec<String>>,
    pub read_only: bool,
    /// Everywhere, when left out.
    pub networks: Option<Networks>,
    pub expires_at: Option<Timestamp>,
    pub token_lifetime_seconds: Option<i32>,
    pub token_limit: Option<Quota>,
    pub call_limit: Option<Quota>,
    pub issue_secret: bool,
}

impl NewKey {
    /// Whether it acts with all that its owner holds.
    fn inherits(&self) -> bool {
        self.roles.is_none() && self.scopes.is_none()
    }
}

/// A new key, and its secret for the only time; none if it was made without, or by an earlier sending of the request.
#[derive(Debug)]
pub struct Created {
    pub key: Key,
    pub secret: Option<ClientSecret>,
}

/// Makes a key, with a secret unless told otherwise. It can be used at once, unless it waits for approval.
pub async fn create(cx: &Context, new: NewKey, asked: Option<&Idempotency>) -> Result<Created> {
    let (owner, reach) = owner_and_reach(cx, new.owner)?;
    let tx = cx.begin().await?;
    let claim = match idempotency::begin(cx, &tx, asked).await? {
        Beginning::First(claim) => claim,
        Beginning::Again(done) => return again(&tx, &reach, &done).await,
    };
    let owner = active_owner(&tx, owner).await?;
    let settings = settings::load(&*tx).await?;
    let new = within_policy(cx, &settings, &owner, new)?;
    policy::room_for_one_more(cx, &tx, &settings, owner.account().id).await?;
    let roles = find_roles(&tx, new.roles.as_deref().unwrap_or_default()).await?;
    let scopes = find_scopes(&tx, new.scopes.as_deref().unwrap_or_default()).await?;
    let issue_secret = new.issue_secret;
    let given = if new.roles.is_none() && new.scopes.is_some() { "scopes" } else { "roleIds" };
    let row = row(cx, new, owner.account().id, policy::first_state(cx, &settings));
    let key = add(cx, &tx, &reach, row).await?;
    keys::set_roles(&*tx, key.id, &roles).await?;
    keys::set_scopes(&*tx, key.id, &scopes).await?;
    let strength = strengths(&*tx, &[&key]).await?;
    if let Some(error) = may_not_obtain(cx, &*tx, strength, given).await?.remove(&key.id) {
        return Err(error.into());
    }
    let secret = if issue_secret { Some(first_secret(cx, &tx, &key).await?) } else { None };
    let mut event = cx.change(ActivityKind::KeyCreated, key.id, key.owner_id);
    event.detail = Some(serde_json::json!({ "after": snapshot(&tx, &key).await? }).into());
    cx.record(&tx, &[event]).await?;
    claim.settle(&tx, &Done { keys: vec![key.id], rest: None }).await?;
    tx.commit().await?;
    Ok(Created { key, secret })
}

/// What the same request has made before.
async fn again(tx: &Tx, reach: &Reach, done: &Done) -> Result<Created> {
    match keys::find_many(&**tx, reach, &done.keys).await?.pop() {
        Some(key) => Ok(Created { key, secret: None }),
        None => Err(idempotency::out_of_reach(done).into()),
    }
}

/// The key as the settings allow it, with the end that they give it.
fn within_policy(
    cx: &Context,
    settings: &settings_row::Model,
    owner: &Owner,
    new: NewKey,
) -> Result<NewKey, UserError> {
    if new.inherits() && matches!(owner, Owner::ServiceAccount(..)) {
        let message = "A service account holds no scopes of its own. Assign roles or scopes to its API key.";
        return Err(UserError::invalid("roleIds", message));
    }
    policy::token_lifetime(settings, new.token_lifetime_seconds)?;
    Ok(NewKey { expires_at: policy::end(cx, settings, new.expires_at)?, ..new })
}

fn owner_and_reach(cx: &Context, owner: Option<AccountId>) -> Result<(AccountId, Reach)> {
    match (owner, cx.account()) {
        (None, Some(own)) => Ok((own, cx.may(Action::CreateKey)?)),
        (Some(owner), Some(own)) if owner == own => Ok((own, cx.may(Action::CreateKey)?)),
        (Some(owner), _) => Ok((owner, cx.may(Action::CreateKeyForOthers)?)),
        (None, None) => {
            cx.may(Action::CreateKeyForOthers)?;
            Err(UserError::invalid("ownerId", "Set `ownerId`.").into())
        }
    }
}

async fn active_owner(tx: &Tx, id: AccountId) -> Result<Owner> {
    match accounts::behind_rows(&**tx, &[id]).await?.pop() {
        Some(owner) if owner.account().active => Ok(owner),
        Some(_) => {
            Err(UserError::invalid("ownerId", "This account is deactivated: its API keys cannot be used.")
                .into())
        }
        None => Err(UserError::new(UserErrorCode::NotFound, "ownerId", "There is no such account.").into()),
    }
}

fn row(cx: &Context, new: NewKey, owner: AccountId, state: KeyState) -> api_key::Model {
    let inherits_owner = new.inherits();
    let actor = cx.caller.actor();
    api_key::Model {
        id: KeyId(cx.id()),
        client_id: client_id(&*cx.app.entropy),
        owner_id: owner,
        name: new.name.into_string(),
        description: new.description,
        state,
        read_only: new.read_only,
        inherits_owner,
        allowed_networks: new.networks.as_ref().map(Networks::to_stored),
        expires_at: new.expires_at,
        token_lifetime_seconds: new.token_lifetime_seconds,
        token_limit_requests: new.token_limit.map(|limit| limit.requests),
        token_limit_seconds: new.token_limit.map(|limit| limit.per_seconds),
        call_limit_requests: new.call_limit.map(|limit| limit.requests),
        call_limit_seconds: new.call_limit.map(|limit| limit.per_seconds),
        generation: 0,
        version: 1,
        created_by_kind: actor.map_or(entity::ObjectKind::System, |actor| actor.kind),
        created_by_id: actor.map(|actor| actor.uuid).filter(|uuid| !uuid.is_nil()),
        created_at: cx.now,
        updated_at: cx.now,
        deleted_at: None,
        last_used_at: None,
        last_used_ip: None,
        last_used_user_agent: None,
        last_used_operation: None,
    }
}

async fn add(cx: &Context, tx: &Tx, reach: &Reach, row: api_key::Model) -> Result<Key> {
    let (owner, name) = (row.owner_id, row.name.clone());
    check_name(cx, tx, owner, &name).await?;
    keys::add(&**tx, reach, row).await?.map_err(|keys::NameTaken| name_taken(&name, None).into())
}

/// No other key of the owner has the name. The one that stands in the way is named to whoever could see it in a list.
pub(super) async fn check_name(cx: &Context, tx: &Tx, owner: AccountId, name: &str) -> Result<()> {
    let Some(other) = keys::find_by_name(&**tx, owner, name).await? else {
        return Ok(());
    };
    let visible = match cx.may(Action::ViewKeys) {
        Ok(reach) => keys::find(&**tx, &reach, other).await?.map(|key| key.id),
        Err(_) => None,
    };
    Err(name_taken(name, visible).into())
}

async fn first_secret(cx: &Context, tx: &Tx, key: &Key) -> Result<ClientSecret> {
    let (secret, row) = new_secret(cx, key)?;
    secrets::replace(&**tx, vec![row], None).await?;
    Ok(secret)
}

/// A random secret for the key, and what is kept of it.
pub(super) fn new_secret(cx: &Context, key: &Key) -> Result<(ClientSecret, key_secret::Model)> {
    let secret = ClientSecret::generate(&*cx.app.entropy);
    let hash =
        cx.app.keys.secrets.hash(&key.client_id, &secret).ok_or_else(|| Error::internal("no data key"))?;
    let row = key_secret::Model {
        id: SecretId(cx.id()),
        key_id: key.id,
        hash,
        hint: secret.hint(),
        created_at: cx.now,
        valid_until: None,
        last_used_at: None,
    };
    Ok((secret, row))
}

pub(super) async fn find_roles(tx: &Tx, wanted: &[RoleId]) -> Result<Vec<RoleId>> {
    let found = all_there("roleIds", wanted, roles::find_many(&**tx, wanted).await?, |role| role.id)?;
    Ok(found.into_iter().map(|role| role.id).collect())
}

pub(super) async fn find_scopes(tx: &Tx, wanted: &[String]) -> Result<Vec<ScopeId>> {
    let found = all_named(wanted, scopes::find_by_names(&**tx, wanted).await?)?;
    Ok(found.into_iter().map(|scope| scope.id).collect())
}
