//! Changing a key's properties and grants. Its secret and its tokens stay; tokens shrink at use if scopes were lost.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::{KeyId, RoleId, Timestamp, api_key};

use super::create::{check_name, find_roles, find_scopes};
use super::{Key, difference, name_taken, policy, snapshot};
use crate::access::Action;
use crate::app::context::Context;
use crate::app::edits::check_version;
use crate::app::giving::{may_not_obtain, strengths};
use crate::error::{Result, UserError};
use crate::store::accounts::Owner;
use crate::store::{Tx, accounts, keys, secrets, settings};
use crate::values::{Name, Networks, Quota};

/// What to change: outer `None` leaves a property as it is, inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct KeyChanges {
    pub name: Option<Name>,
    pub description: Option<Option<String>>,
    pub roles: Option<Option<Vec<RoleId>>>,
    pub scopes: Option<Option<Vec<String>>>,
    pub read_only: Option<bool>,
    pub networks: Option<Option<Networks>>,
    pub expires_at: Option<Option<Timestamp>>,
    pub token_lifetime_seconds: Option<Option<i32>>,
    pub token_limit: Option<Option<Quota>>,
    pub call_limit: Option<Option<Quota>>,
}

/// Changes a key; with a version, only if nobody else has changed it since.
pub async fn update(cx: &Context, id: KeyId, version: Option<i32>, changes: KeyChanges) -> Result<Key> {
    let reach = cx.may(Action::UpdateKey)?;
    let tx = cx.begin().await?;
    let before = match keys::lock_many(&*tx, &reach, &[id]).await?.pop() {
        Some(key) if key.deleted_at.is_none() => key,
        Some(_) | None => return Err(UserError::not_found("id", id.into()).into()),
    };
    check_version(version, before.version, "API key", id)?;
    let settings = settings::load(&*tx).await?;
    if let Some(end) = changes.expires_at.filter(|end| *end != before.expires_at) {
        policy::new_end(cx, &settings, end)?;
    }
    policy::token_lifetime(&settings, changes.token_lifetime_seconds.flatten())?;
    let strength_before = strengths(&*tx, &[&before]).await?.remove(&id).unwrap_or_default();
    let snapshot_before = snapshot(&tx, &before).await?;

    let after = apply(cx, &before, &changes, inherits(&tx, &before, &changes).await?);
    if after.name != before.name {
        check_name(cx, &tx, after.owner_id, &after.name).await?;
    }
    match keys::replace(&*tx, &reach, &before, &after).await? {
        Ok(true) => {}
        Ok(false) => return Err(UserError::conflict("API key", id).into()),
        Err(keys::NameTaken) => {
            return Err(name_taken(&after.name, None).into());
        }
    }
    set_grants(&tx, id, &changes).await?;
    // Read without the reach: a change may make a key stronger than the one that made it, which is refused below.
    let after = keys::reread(&*tx, &before).await?;
    let strength_after = strengths(&*tx, &[&after]).await?.remove(&id).unwrap_or_default();
    let gained = strength_after.beyond(&strength_before);
    policy::growth(cx, &settings, &after, (&gained, strengthened_by(&changes)))?;
    let gained = HashMap::from([(id, gained)]);
    if let Some(error) = may_not_obtain(cx, &*tx, gained, strengthened_by(&changes)).await?.remove(&id) {
        return Err(error.into());
    }
    if let Some(end) = after.expires_at {
        secrets::end_by(&*tx, id, end).await?;
    }

    let mut event = cx.change(ActivityKind::KeyUpdated, id, after.owner_id);
    event.detail = Some(difference(snapshot_before, snapshot(&tx, &after).await?).into());
    cx.record(&tx, &[event]).await?;
    tx.commit().await?;
    Ok(after)
}

/// The input field through which a key can have become stronger.
fn strengthened_by(changes: &KeyChanges) -> &'static str {
    match (&changes.roles, &changes.scopes) {
        (None, None) => "readOnly",
        (None, Some(_)) => "scopes",
        (Some(_), _) => "roleIds",
    }
}

/// A user's key whose roles and scopes are both cleared acts as its owner; any list, even an empty one, ends that.
async fn inherits(tx: &Tx, before: &Key, changes: &KeyChanges) -> Result<bool> {
    match (&changes.roles, &changes.scopes) {
        (None, None) => Ok(before.inherits_owner),
        (Some(None), Some(None)) => {
            let owner = accounts::behind_rows(&**tx, &[before.owner_id]).await?.pop();
            if matches!(owner, Some(Owner::ServiceAccount(..))) {
                let message =
                    "A service account holds no scopes of its own. Assign roles or scopes to its API key.";
                return Err(UserError::invalid("roleIds", message).into());
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn apply(cx: &Context, before: &Key, changes: &KeyChanges, inherits_owner: bool) -> api_key::Model {
    let mut key = (**before).clone();
    if let Some(name) = &changes.name {
        key.name = name.clone().into_string();
    }
    if let Some(description) = &changes.description {
        key.description.clone_from(description);
    }
    if let Some(read_only) = changes.read_only {
        key.read_only = read_only;
    }
    if let Some(networks) = &changes.networks {
        key.allowed_networks = networks.as_ref().map(Networks::to_stored);
    }
    if let Some(end) = changes.expires_at {
        key.expires_at = end;
    }
    if let Some(seconds) = changes.token_lifetime_seconds {
        key.token_lifetime_seconds = seconds;
    }
    if let Some(limit) = changes.token_limit {
        key.token_limit_requests = limit.map(|limit| limit.requests);
        key.token_limit_seconds = limit.map(|limit| limit.per_seconds);
    }
    if let Some(limit) = changes.call_limit {
        key.call_limit_requests = limit.map(|limit| limit.requests);
        key.call_limit_seconds = limit.map(|limit| limit.per_seconds);
    }
    key.inherits_owner = inherits_owner;
    key.version += 1;
    key.updated_at = cx.now;
    key
}

async fn set_grants(tx: &Tx, id: KeyId, changes: &KeyChanges) -> Result<()> {
    if let Some(roles) = &changes.roles {
        let roles = find_roles(tx, roles.as_deref().unwrap_or_default()).await?;
        keys::set_roles(&**tx, id, &roles).await?;
    }
    if let Some(scopes) = &changes.scopes {
        let scopes = find_scopes(tx, scopes.as_deref().unwrap_or_default()).await?;
        keys::set_scopes(&**tx, id, &scopes).await?;
    }
    Ok(())
}
