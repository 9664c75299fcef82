//! The look-ups that come before a caller is known. Only the exchange and the check of access tokens use them: there
//! the credential itself is the proof.

use std::net::IpAddr;

use entity::account::AccountKind;
use entity::{AccountId, account, account_scope, api_key, effective_scope, key_secret, scope, settings};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _};

use super::{Reached, rows};
use crate::access::builtin::KEYS_USE;
use crate::error::Result;
use crate::values::{Networks, Quota};

/// What is known of a client.
#[derive(Clone, Debug)]
pub struct Client {
    pub key: Reached<api_key::Model>,
    pub owner: account::Model,
}

impl Client {
    /// Rises with whatever must kill the tokens already issued: the sum of two numbers that only go up.
    pub fn generation(&self) -> i64 {
        self.key.generation + self.owner.generation
    }

    /// Whether its networks let it be used from this address. With a list, an address that is not known is kept out, and
    /// so is everybody if the list cannot be read.
    pub fn may_be_used_from(&self, address: Option<IpAddr>) -> bool {
        self.key.allowed_networks.as_deref().is_none_or(|stored| {
            Networks::stored(stored).zip(address).is_some_and(|(networks, address)| networks.contain(address))
        })
    }

    /// How often it may be exchanged: its own limit, else that of the settings.
    pub fn token_quota(&self, settings: &settings::Model) -> Quota {
        Quota {
            requests: self.key.token_limit_requests.unwrap_or(settings.default_token_limit_requests),
            per_seconds: self.key.token_limit_seconds.unwrap_or(settings.default_token_limit_seconds),
        }
    }

    /// What its calls may cost: its own limit, else that of the settings.
    pub fn call_quota(&self, settings: &settings::Model) -> Quota {
        Quota {
            requests: self.key.call_limit_requests.unwrap_or(settings.default_call_limit_requests),
            per_seconds: self.key.call_limit_seconds.unwrap_or(settings.default_call_limit_seconds),
        }
    }
}

/// What a client can be granted now.
#[derive(Clone, Debug)]
pub struct Grantable {
    pub scopes: Vec<scope::Model>,
    /// The right to use keys is asked of users; service accounts have it by being there.
    pub owner_may_use_keys: bool,
}

pub async fn client(db: &impl ConnectionTrait, client_id: &str) -> Result<Option<Client>> {
    let key = rows::before_permission::<api_key::Entity>().filter(api_key::Column::ClientId.eq(client_id));
    let Some(key) = key.one(db).await? else {
        return Ok(None);
    };
    let owner = rows::before_permission::<account::Entity>()
        .filter(account::Column::Id.eq(key.owner_id))
        .one(db)
        .await?;
    Ok(owner.map(|owner| Client { key: Reached::new(key), owner }))
}

/// All secrets that are kept for a client, ended ones too.
pub async fn secrets(db: &impl ConnectionTrait, client: &Client) -> Result<Vec<key_secret::Model>> {
    let secrets = rows::before_permission::<key_secret::Entity>();
    Ok(secrets.filter(key_secret::Column::KeyId.eq(client.key.id)).all(db).await?)
}

/// What the client can be granted now.
pub async fn grantable(db: &impl ConnectionTrait, client: &Client) -> Result<Grantable> {
    let effective = Query::select()
        .column(effective_scope::Column::ScopeId)
        .from(effective_scope::Entity)
        .and_where(effective_scope::Column::KeyId.eq(client.key.id))
        .take();
    let scopes =
        rows::shared::<scope::Entity>().filter(scope::Column::Id.in_subquery(effective)).all(db).await?;
    // What a user's key can be granted, its owner holds.
    let owner_may_use_keys = client.owner.kind == AccountKind::ServiceAccount
        || scopes.iter().any(|scope| scope.name == KEYS_USE)
        || holds(db, client.owner.id, KEYS_USE).await?;
    Ok(Grantable { scopes, owner_may_use_keys })
}

async fn holds(db: &impl ConnectionTrait, account: AccountId, name: &str) -> Result<bool> {
    let held = Query::select()
        .column(account_scope::Column::ScopeId)
        .from(account_scope::Entity)
        .and_where(account_scope::Column::AccountId.eq(account))
        .take();
    let scope = rows::shared::<scope::Entity>()
        .filter(scope::Column::Name.eq(name))
        .filter(scope::Column::Id.in_subquery(held));
    Ok(scope.one(db).await?.is_some())
}
