//! From a presented access token to a caller: the one gate in front of Latchkey's own endpoints.
//!
//! 1. The token is ours, for us, of the right type, and has not ended.
//! 2. The key is enabled, has not ended and may be used from where the request comes; its owner is active and may use
//!    keys.
//! 3. Nothing has happened since that kills tokens: the generation is still the one of the token.
//! 4. The scopes of the token that the key can still be granted are what the caller holds; with none left, it is dead.

use entity::Timestamp;
use entity::api_key::KeyState;

use crate::access::{Caller, Machine, Scopes};
use crate::app::App;
use crate::context::Origin;
use crate::error::{Error, Result};
use crate::registry::Facts;

/// Recognises the bearer of an access token (RFC 6750), or says that the token is not valid.
pub async fn bearer(app: &App, origin: &Origin, token: &str) -> Result<Caller> {
    let now = app.clock.now();
    let claims =
        app.keys.ring.verify(token, &app.issuer, &app.issuer, now).map_err(|_| Error::Unauthenticated)?;
    let facts = app.registry.client(&claims.client_id).await?.ok_or(Error::Unauthenticated)?;
    let Facts { client, grantable, policy, .. } = &*facts;
    let usable = client.key.state == KeyState::Enabled
        && client.key.expires_at.is_none_or(|end| end > now)
        && client.may_be_used_from(origin.client())
        && client.owner.active
        && client.generation() == claims.generation;
    if !usable {
        return Err(Error::Unauthenticated);
    }
    let now_held: Scopes = grantable.scopes.iter().map(|scope| scope.name.clone()).collect();
    let scopes = Scopes::parse(&claims.scope).within(&now_held);
    if scopes.is_empty() || !grantable.owner_may_use_keys {
        return Err(Error::Unauthenticated);
    }
    Ok(Caller::Machine(Machine {
        key: client.key.id,
        owner: client.owner.id,
        owner_kind: client.owner.kind,
        scopes,
        read_only: client.key.read_only,
        ends: Timestamp(0).plus_seconds(claims.exp),
        call_limit: client.call_quota(&policy.settings),
    }))
}
