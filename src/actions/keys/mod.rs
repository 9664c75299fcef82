//! API keys: finding them, and what hangs on them. Making, changing and rotating have files of their own.

mod bulk;
mod create;
mod idempotency;
mod policy;
mod rotate;
mod selection;
mod update;
mod verbs;

use std::collections::HashMap;

use entity::{AccountId, ClientId, KeyId, key_secret, role, scope, settings};

use crate::access::Action;
use crate::app::context::Context;
use crate::error::{Result, UserError, UserErrorCode};
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Tx, keys, secrets};
use crate::values::Name;

pub use crate::crypto::secret::ClientSecret;
pub use crate::store::keys::{Key, KeyFilter, KeyOrder, KeyStatus, MAX_SCOPES, status};
pub use bulk::{approve, delete, disable, enable, reject};
pub use create::{Created, NewKey, create};
pub use rotate::{IssuedSecret, Rotated, Rotation, finish_rotation, regenerate_secrets};
pub use selection::{Rest, Selection};
pub use update::{KeyChanges, update};
pub use verbs::{Verbs, verbs};

use crate::app::edits::difference;

/// The keys that a change of many did reach, why it did not reach others, and what is left for the next call.
#[derive(Debug)]
pub struct Changed {
    pub keys: Vec<Key>,
    pub errors: Vec<UserError>,
    pub rest: Option<Rest>,
}

/// A page of the keys that match. A search has one order, so that the store is free in how it finds.
pub async fn list(
    cx: &Context,
    filter: &KeyFilter,
    order: (KeyOrder, bool),
    request: &PageRequest,
) -> Result<Result<Page<Key>, ForeignCursor>> {
    let reach = cx.may(Action::ViewKeys)?;
    if filter.search.is_some() && order.0 != KeyOrder::CreatedAt {
        let message =
            "While searching, API keys can be sorted by CREATED_AT only. Omit `orderBy` or `search`.";
        return Err(UserError::invalid("orderBy", message).into());
    }
    keys::list(cx.app.db.reader(), &reach, (filter, cx.now), order, request).await
}

pub async fn count(cx: &Context, filter: &KeyFilter) -> Result<u64> {
    let reach = cx.may(Action::ViewKeys)?;
    keys::count(cx.app.db.reader(), &reach, filter, cx.now).await
}

pub async fn find_many(cx: &Context, ids: &[KeyId]) -> Result<Vec<Key>> {
    let reach = cx.may(Action::ViewKeys)?;
    keys::find_many(cx.app.db.reader(), &reach, ids).await
}

pub async fn find_by_client_id(cx: &Context, client_id: &str) -> Result<Option<Key>> {
    let reach = cx.may(Action::ViewKeys)?;
    if client_id.parse::<ClientId>().is_err() {
        return Ok(None);
    }
    keys::find_by_client_id(cx.app.db.reader(), &reach, client_id).await
}

/// Those of these keys that the caller may see; none if it may see no keys at all.
pub async fn find_visible(cx: &Context, ids: &[KeyId]) -> Result<Vec<Key>> {
    match cx.may(Action::ViewKeys) {
        Ok(reach) => keys::find_many(cx.app.db.reader(), &reach, ids).await,
        Err(_) => Ok(Vec::new()),
    }
}

/// Whether the owner has a key of that name.
pub async fn exists(cx: &Context, owner: AccountId, name: &Name) -> Result<bool> {
    cx.may(Action::CreateKeyForOthers)?;
    Ok(keys::find_by_name(cx.app.db.reader(), owner, name.as_str()).await?.is_some())
}

pub async fn roles_of(cx: &Context, of: &[&Key]) -> Result<HashMap<KeyId, Vec<role::Model>>> {
    keys::roles_of(cx.app.db.reader(), of).await
}

pub async fn scopes_of(cx: &Context, of: &[&Key]) -> Result<HashMap<KeyId, Vec<scope::Model>>> {
    keys::scopes_of(cx.app.db.reader(), of).await
}

pub async fn effective_scopes_of(cx: &Context, of: &[&Key]) -> Result<HashMap<KeyId, Vec<scope::Model>>> {
    keys::effective_scopes_of(cx.app.db.reader(), of).await
}

pub async fn secrets_of(cx: &Context, of: &[&Key]) -> Result<HashMap<KeyId, Vec<key_secret::Model>>> {
    secrets::of_keys(cx.app.db.reader(), of, cx.now).await
}

/// The settings that keys fall back to.
pub async fn defaults(cx: &Context) -> Result<settings::Model> {
    crate::store::settings::load(cx.app.db.reader()).await
}

/// How a key stands in the log: its properties and grants, never its secrets.
async fn snapshot(tx: &Tx, key: &Key) -> Result<serde_json::Value> {
    let names = |names: Option<Vec<String>>| names.unwrap_or_default();
    let roles = keys::roles_of(&**tx, &[key]).await?.remove(&key.id);
    let scopes = keys::scopes_of(&**tx, &[key]).await?.remove(&key.id);
    Ok(serde_json::json!({
        "name": key.name,
        "description": key.description,
        "readOnly": key.read_only,
        "allowedNetworks": key.allowed_networks.as_deref().map(as_json),
        "inheritsOwner": key.inherits_owner,
        "roles": names(roles.map(|roles| roles.into_iter().map(|role| role.name).collect())),
        "scopes": names(scopes.map(|scopes| scopes.into_iter().map(|scope| scope.name).collect())),
        "expiresAt": key.expires_at.map(|end| end.to_string()),
        "tokenLifetimeSeconds": key.token_lifetime_seconds,
        "tokenRateLimit": key.token_limit_requests.zip(key.token_limit_seconds),
        "callRateLimit": key.call_limit_requests.zip(key.call_limit_seconds),
    }))
}

/// What is stored as JSON; as text, should it be none.
fn as_json(stored: &str) -> serde_json::Value {
    serde_json::from_str(stored).unwrap_or_else(|_| stored.into())
}

fn name_taken(name: &str, by: Option<KeyId>) -> UserError {
    let message = format!("Another API key of this owner is already named `{name}`. Choose another name.");
    let error = UserError::new(UserErrorCode::NameTaken, "name", message);
    match by {
        Some(key) => error.about(key),
        None => error,
    }
}
