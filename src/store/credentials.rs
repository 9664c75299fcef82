//! The look-ups that come before a caller is known. Only the exchange and the check of access tokens use them: there
//! the credential itself is the proof.
//!
//! What is read here is kept in memory for a million keys: it is what decisions need, in the form that they need, and
//! nothing else.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use entity::account::AccountKind;
use entity::api_key::{self, KeyState};
use entity::{
    AccountId, ClientId, GlobalId, KeyId, RoleId, ScopeId, SecretHash, SecretId, ServiceAccountId, Timestamp,
    UserId, account, account_scope, effective_scope, key_role, key_scope, key_secret, scope, settings,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, FromQueryResult,
    IsolationLevel, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select, TransactionTrait as _,
};

use super::{revocations, rows};
use crate::error::Result;
use crate::values::{Networks, Quota};

/// What is known of a client.
#[derive(Debug)]
pub struct Client {
    pub key: Key,
    /// The same for all keys of an account.
    pub owner: Arc<Owner>,
}

/// What is known of a key by itself.
#[derive(Debug)]
pub struct Key {
    pub id: KeyId,
    pub client_id: ClientId,
    /// Raised by whatever must kill tokens already issued to this key.
    generation: i64,
    pub version: i32,
    pub state: KeyState,
    pub read_only: bool,
    pub inherits_owner: bool,
    pub expires_at: Option<Timestamp>,
    /// Few keys have these two.
    networks: Option<Box<AllowedNetworks>>,
    limits: Option<Box<Limits>>,
}

/// What is known of the owner of a key.
#[derive(Debug)]
pub struct Owner {
    pub id: AccountId,
    pub kind: AccountKind,
    pub active: bool,
    pub generation: i64,
    /// The right to use keys is asked of users; service accounts have it by being there.
    pub may_use_keys: bool,
    /// The scopes that a user holds now, in one order; service accounts hold none.
    pub held: Arc<[ScopeId]>,
    /// As tokens write it.
    pub public_id: String,
}

/// A list that cannot be read lets nobody in.
#[derive(Debug)]
struct AllowedNetworks(Option<Networks>);

/// What a key has of its own where others take the settings.
#[derive(Debug)]
struct Limits {
    token_lifetime_seconds: Option<i32>,
    token_requests: Option<i32>,
    token_seconds: Option<i32>,
    call_requests: Option<i32>,
    call_seconds: Option<i32>,
}

impl Client {
    /// Rises with whatever must kill the tokens already issued: the sum of two numbers that only go up.
    pub fn generation(&self) -> i64 {
        self.key.generation + self.owner.generation
    }

    /// Whether its networks let it be used from this address. With a list, an address that is not known is kept out, and
    /// so is everybody if the list cannot be read.
    pub fn may_be_used_from(&self, address: Option<IpAddr>) -> bool {
        self.key.networks.as_deref().is_none_or(|allowed| {
            allowed.0.as_ref().zip(address).is_some_and(|(networks, address)| networks.contain(address))
        })
    }

    /// How often it may be exchanged: its own limit, else that of the settings.
    pub fn token_quota(&self, settings: &settings::Model) -> Quota {
        let own = self.key.limits.as_deref();
        Quota {
            requests: own.and_then(|own| own.token_requests).unwrap_or(settings.default_token_limit_requests),
            per_seconds: own
                .and_then(|own| own.token_seconds)
                .unwrap_or(settings.default_token_limit_seconds),
        }
    }

    /// What its calls may cost: its own limit, else that of the settings.
    pub fn call_quota(&self, settings: &settings::Model) -> Quota {
        let own = self.key.limits.as_deref();
        Quota {
            requests: own.and_then(|own| own.call_requests).unwrap_or(settings.default_call_limit_requests),
            per_seconds: own.and_then(|own| own.call_seconds).unwrap_or(settings.default_call_limit_seconds),
        }
    }

    /// How long its tokens live, in seconds: its own wish, else that of the settings, and never longer than they allow.
    pub fn token_lifetime(&self, settings: &settings::Model) -> i32 {
        let own = self.key.limits.as_deref().and_then(|own| own.token_lifetime_seconds);
        own.unwrap_or(settings.default_token_lifetime_seconds).min(settings.max_token_lifetime_seconds)
    }
}

/// The columns of a key that matter here.
#[derive(FromQueryResult)]
struct Row {
    id: KeyId,
    client_id: String,
    owner_id: AccountId,
    state: KeyState,
    read_only: bool,
    inherits_owner: bool,
    allowed_networks: Option<String>,
    expires_at: Option<Timestamp>,
    token_lifetime_seconds: Option<i32>,
    token_limit_requests: Option<i32>,
    token_limit_seconds: Option<i32>,
    call_limit_requests: Option<i32>,
    call_limit_seconds: Option<i32>,
    generation: i64,
    version: i32,
}

impl Row {
    /// Nothing, if its client id is none: nobody can name it.
    fn read(self) -> Option<(Key, AccountId)> {
        let limits = Limits {
            token_lifetime_seconds: self.token_lifetime_seconds,
            token_requests: self.token_limit_requests,
            token_seconds: self.token_limit_seconds,
            call_requests: self.call_limit_requests,
            call_seconds: self.call_limit_seconds,
        };
        let networks =
            self.allowed_networks.map(|stored| Box::new(AllowedNetworks(Networks::stored(&stored))));
        let key = Key {
            id: self.id,
            client_id: self.client_id.parse().ok()?,
            generation: self.generation,
            version: self.version,
            state: self.state,
            read_only: self.read_only,
            inherits_owner: self.inherits_owner,
            expires_at: self.expires_at,
            networks,
            limits: limits.are_any().then(|| Box::new(limits)),
        };
        Some((key, self.owner_id))
    }
}

impl Limits {
    fn are_any(&self) -> bool {
        let limits = [self.token_requests, self.token_seconds, self.call_requests, self.call_seconds];
        self.token_lifetime_seconds.is_some() || limits.iter().any(Option::is_some)
    }
}

/// The key of this client id, and its owner.
pub async fn key(db: &impl ConnectionTrait, client_id: ClientId) -> Result<Option<(Key, AccountId)>> {
    let key = keys().filter(api_key::Column::ClientId.eq(client_id.to_string()));
    Ok(read(db, key).await?.pop())
}

/// Enabled keys and their owners, the newest first, after this one.
pub async fn enabled_keys(
    db: &impl ConnectionTrait,
    after: Option<KeyId>,
    most: u64,
) -> Result<Vec<(Key, AccountId)>> {
    let mut keys = keys().filter(api_key::Column::State.eq(KeyState::Enabled));
    if let Some(after) = after {
        keys = keys.filter(api_key::Column::Id.lt(after));
    }
    read(db, keys.order_by_desc(api_key::Column::Id).limit(most)).await
}

fn keys() -> Select<api_key::Entity> {
    use api_key::Column;
    rows::before_permission::<api_key::Entity>().select_only().columns([
        Column::Id,
        Column::ClientId,
        Column::OwnerId,
        Column::State,
        Column::ReadOnly,
        Column::InheritsOwner,
        Column::AllowedNetworks,
        Column::ExpiresAt,
        Column::TokenLifetimeSeconds,
        Column::TokenLimitRequests,
        Column::TokenLimitSeconds,
        Column::CallLimitRequests,
        Column::CallLimitSeconds,
        Column::Generation,
        Column::Version,
    ])
}

async fn read(db: &impl ConnectionTrait, keys: Select<api_key::Entity>) -> Result<Vec<(Key, AccountId)>> {
    Ok(keys.into_model::<Row>().all(db).await?.into_iter().filter_map(Row::read).collect())
}

/// These accounts, as owners of keys. Users who hold `keys_use` may use theirs.
pub async fn owners(
    db: &impl ConnectionTrait,
    ids: &[AccountId],
    keys_use: Option<ScopeId>,
) -> Result<Vec<Owner>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = rows::before_permission::<account::Entity>()
        .filter(account::Column::Id.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    let users = found.iter().filter(|owner| owner.kind == AccountKind::User).map(|owner| owner.id);
    let holdings = rows::before_permission::<account_scope::Entity>()
        .filter(account_scope::Column::AccountId.is_in(users))
        .all(db)
        .await?;
    let mut held: HashMap<AccountId, BTreeSet<ScopeId>> = HashMap::new();
    for row in holdings {
        held.entry(row.account_id).or_default().insert(row.scope_id);
    }
    let owner = |row: account::Model| {
        let held = held.remove(&row.id).unwrap_or_default();
        let may_use_keys = keys_use.is_some_and(|scope| held.contains(&scope));
        Owner {
            id: row.id,
            kind: row.kind,
            active: row.active,
            generation: row.generation,
            may_use_keys: row.kind == AccountKind::ServiceAccount || may_use_keys,
            held: held.into_iter().collect(),
            public_id: match row.kind {
                AccountKind::User => GlobalId::from(UserId(row.id.0)),
                AccountKind::ServiceAccount => ServiceAccountId(row.id.0).into(),
            }
            .to_string(),
        }
    };
    Ok(found.into_iter().map(owner).collect())
}

/// What hangs on a key.
#[derive(Debug, Default)]
pub struct Hanging {
    /// All that are kept, ended ones too, with the end of the previous one.
    pub secrets: Vec<(SecretId, SecretHash, Option<Timestamp>)>,
    /// The `jti` of each token that was revoked by itself and would not have ended yet.
    pub revoked: Vec<String>,
}

/// What hangs on these keys.
pub async fn hanging(
    db: &impl ConnectionTrait,
    keys: &[KeyId],
    now: Timestamp,
) -> Result<HashMap<KeyId, Hanging>> {
    use key_secret::Column;
    let mut hanging: HashMap<KeyId, Hanging> = HashMap::new();
    if keys.is_empty() {
        return Ok(hanging);
    }
    let secrets = rows::before_permission::<key_secret::Entity>()
        .select_only()
        .columns([Column::Id, Column::KeyId, Column::Hash, Column::ValidUntil])
        .filter(Column::KeyId.is_in(keys.iter().copied()));
    let secrets = secrets.into_tuple::<(SecretId, KeyId, SecretHash, Option<Timestamp>)>().all(db).await?;
    for (id, key, hash, end) in secrets {
        hanging.entry(key).or_default().secrets.push((id, hash, end));
    }
    for token in revocations::of_keys(db, keys, now).await? {
        hanging.entry(token.key_id).or_default().revoked.push(token.jti);
    }
    Ok(hanging)
}

/// What each of these keys can be granted now.
pub async fn effective(
    db: &impl ConnectionTrait,
    keys: &[KeyId],
) -> Result<HashMap<KeyId, BTreeSet<ScopeId>>> {
    let mut effective: HashMap<KeyId, BTreeSet<ScopeId>> = HashMap::new();
    if keys.is_empty() {
        return Ok(effective);
    }
    let scopes = rows::before_permission::<effective_scope::Entity>()
        .filter(effective_scope::Column::KeyId.is_in(keys.iter().copied()));
    for row in scopes.all(db).await? {
        effective.entry(row.key_id).or_default().insert(row.scope_id);
    }
    Ok(effective)
}

/// The roles and scopes that a key was given itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Given {
    roles: BTreeSet<RoleId>,
    scopes: BTreeSet<ScopeId>,
}

/// What each of these keys was given itself.
pub async fn given(db: &impl ConnectionTrait, keys: &[KeyId]) -> Result<HashMap<KeyId, Given>> {
    let mut given: HashMap<KeyId, Given> = HashMap::new();
    if keys.is_empty() {
        return Ok(given);
    }
    let roles = rows::before_permission::<key_role::Entity>()
        .filter(key_role::Column::KeyId.is_in(keys.iter().copied()));
    for row in roles.all(db).await? {
        given.entry(row.key_id).or_default().roles.insert(row.role_id);
    }
    let scopes = rows::before_permission::<key_scope::Entity>()
        .filter(key_scope::Column::KeyId.is_in(keys.iter().copied()));
    for row in scopes.all(db).await? {
        given.entry(row.key_id).or_default().scopes.insert(row.scope_id);
    }
    Ok(given)
}

/// One look at the database: whatever is read in it was so at the same moment.
pub async fn snapshot(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    // In SQLite every transaction is one.
    let isolation =
        (db.get_database_backend() == DbBackend::Postgres).then_some(IsolationLevel::RepeatableRead);
    Ok(db.begin_with_config(isolation, None).await?)
}

/// All scopes.
pub async fn scopes(db: &impl ConnectionTrait) -> Result<Vec<scope::Model>> {
    Ok(rows::before_permission::<scope::Entity>().all(db).await?)
}

#[cfg(test)]
impl Client {
    /// A key that is enabled and has nothing of its own, of an owner who may use it.
    pub(crate) fn plain(id: KeyId, client_id: ClientId) -> Self {
        let key = Key {
            id,
            client_id,
            generation: 0,
            version: 1,
            state: KeyState::Enabled,
            read_only: false,
            inherits_owner: false,
            expires_at: None,
            networks: None,
            limits: None,
        };
        let owner = Owner {
            id: AccountId(id.0),
            kind: AccountKind::ServiceAccount,
            active: true,
            generation: 0,
            may_use_keys: true,
            held: Arc::default(),
            public_id: String::new(),
        };
        Self { key, owner: Arc::new(owner) }
    }
}
