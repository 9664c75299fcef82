//! The end of one access token before its time (RFC 7009), by the client that it was issued to.
//!
//! No [`Reach`](crate::access::Reach) here: the client's own credential is the proof. Read-only keys may do it too.

use std::sync::Arc;

use entity::activity::{ActivityKind, Outcome};
use entity::{Timestamp, revoked_token};

use crate::access::Caller;
use crate::app::App;
use crate::app::context::{Context, Origin};
use crate::app::gate::client::ClientError;
use crate::app::gate::{self, Client};
use crate::app::registry::Facts;
use crate::crypto::jwt::Claims;
use crate::error::Result;
use crate::store::activity::Event;
use crate::store::revocations;

pub use crate::app::gate::Credential;

/// How the last use of a key names a revocation.
const REVOCATION: &str = "token revocation";

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Nobody can use the token any more, or nobody could before: it has ended, or is no token of ours at all.
    Done,
    /// The token lives, and is another client's.
    NotYours,
}

/// Revokes the token, if it is one of this client's that lives. Other tokens of the same key are not affected.
pub async fn revoke(
    app: &Arc<App>,
    origin: Origin,
    credential: &Credential<'_>,
    token: &str,
) -> Result<Revocation, ClientError> {
    let now = app.clock.now();
    let Client { facts, machine } = gate::authenticate(app, &origin, credential, now).await?;
    let cx = Context::new(Arc::clone(app), Caller::Machine(machine), origin, now);
    cx.note_use(Some(REVOCATION.into()));
    let Ok(token) = app.keys.ring.verify(token, &app.issuer, now) else {
        return Ok(Revocation::Done);
    };
    let claims = &token.claims;
    if claims.client_id.parse() != Ok(facts.client.key.client_id) {
        return Ok(Revocation::NotYours);
    }
    let dead = claims.generation != facts.client.generation() || facts.is_revoked(&claims.jti);
    if !dead {
        write(&cx, &facts, claims).await?;
    }
    Ok(Revocation::Done)
}

/// The row, its line in the log and the news for all servers: in one transaction.
async fn write(cx: &Context, facts: &Facts, claims: &Claims<'_>) -> Result<()> {
    let key = facts.client.key.id;
    let row = revoked_token::Model {
        jti: claims.jti.to_string(),
        key_id: key,
        ends_at: Timestamp(0).plus_seconds(claims.exp),
    };
    let tx = cx.begin().await?;
    // Another request may have revoked it meanwhile.
    if revocations::add(&*tx, row).await? {
        let event = Event {
            actor: cx.caller.actor(),
            key: Some(key),
            owner: Some(facts.client.owner.id),
            token_id: Some(claims.jti.to_string()),
            ..cx.origin.event(cx.now, ActivityKind::TokenRevoked, Outcome::Ok)
        };
        cx.record(&tx, &[event]).await?;
    }
    tx.commit().await
}
