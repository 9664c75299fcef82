//! The one gate: from an access token, or a client's secret, to what is known of its bearer now. Whatever takes tokens
//! asks here.
//!
//! 1. The token is ours, of the right type, and has not ended.
//! 2. The key is enabled and has not ended; its owner is active and may use keys.
//! 3. Nothing has happened since that kills tokens: the generation is still the one of the token, and the token has not
//!    been revoked by itself.
//! 4. The scopes of the token that the key can still be granted are what its bearer holds; with none left, it is dead.
//!
//! A token and a key that were seen before cost no query and no check of a signature; steps 2 to 4 are made each time.

pub mod client;

use std::sync::Arc;

use entity::Timestamp;
use entity::api_key::KeyState;
use zeroize::Zeroizing;

use self::client::{ClientError, Clients};
use crate::access::{Machine, Scopes};
use crate::app::App;
use crate::app::context::Origin;
use crate::app::registry::Facts;
use crate::crypto::jwt::Verified;
use crate::error::{Error, Result};

/// A token that is valid now.
#[derive(Debug)]
pub struct Known {
    pub token: Arc<Verified>,
    pub facts: Arc<Facts>,
    /// Those of the token that the key can still be granted.
    pub scopes: Scopes,
}

/// What is known of an access token, for whomever it is and wherever it comes from; or that it is not valid.
pub async fn recognise(app: &App, token: &str, now: Timestamp) -> Result<Known> {
    let token = app.keys.ring.verify(token, &app.issuer, now).map_err(|_| Error::Unauthenticated)?;
    let facts = app.registry.client(token.client_id).await?.ok_or(Error::Unauthenticated)?;
    let client = &facts.client;
    let usable = client.key.state == KeyState::Enabled
        && client.key.expires_at.is_none_or(|end| end > now)
        && client.owner.active
        && client.owner.may_use_keys
        && client.generation() == token.claims.generation
        && !facts.is_revoked(&token.claims.jti);
    let scopes = token.scopes.within(facts.held());
    if !usable || scopes.is_empty() {
        return Err(Error::Unauthenticated);
    }
    Ok(Known { token, facts, scopes })
}

/// What is known of a token that is presented to be used: from where its key may be used, and for one of the APIs that
/// `is_for` accepts.
pub async fn presented(
    app: &App,
    origin: &Origin,
    token: &str,
    now: Timestamp,
    is_for: impl FnOnce(&Known) -> bool,
) -> Result<Known> {
    let known = recognise(app, token, now).await?;
    if known.facts.client.may_be_used_from(origin.client()) && is_for(&known) {
        return Ok(known);
    }
    Err(Error::Unauthenticated)
}

impl Known {
    /// Whether the token is for Latchkey's own API.
    pub fn is_for_us(&self, app: &App) -> bool {
        self.token.claims.aud.has(&app.issuer)
    }

    /// The bearer.
    pub fn machine(&self) -> Machine {
        machine(&self.facts, self.scopes.clone(), Timestamp(0).plus_seconds(self.token.claims.exp))
    }
}

fn machine(facts: &Facts, scopes: Scopes, ends: Timestamp) -> Machine {
    let client = &facts.client;
    Machine {
        key: client.key.id,
        owner: client.owner.id,
        owner_kind: client.owner.kind,
        scopes,
        read_only: client.key.read_only,
        ends,
        call_limit: client.call_quota(&facts.directory().settings),
    }
}

/// What a client of the token endpoints authenticates with.
#[derive(Debug)]
pub enum Credential<'a> {
    /// An access token for Latchkey's own API.
    Token(&'a str),
    Secret {
        client_id: String,
        client_secret: Zeroizing<String>,
    },
}

/// A client that has authenticated, with what it may do here.
#[derive(Debug)]
pub struct Client {
    pub facts: Arc<Facts>,
    pub machine: Machine,
}

/// Who asks, by either credential. With its secret a client may do whatever it can be granted now. A refusal is in the
/// log already; an invalid token is [`Error::Unauthenticated`].
pub async fn authenticate(
    app: &App,
    origin: &Origin,
    credential: &Credential<'_>,
    now: Timestamp,
) -> Result<Client, ClientError> {
    match credential {
        Credential::Token(token) => {
            let known = presented(app, origin, token, now, |known| known.is_for_us(app)).await?;
            let machine = known.machine();
            Ok(Client { facts: known.facts, machine })
        }
        Credential::Secret { client_id, client_secret } => {
            let clients = Clients { app, origin, now };
            let (facts, secret) = clients.authenticate(client_id, client_secret).await?;
            if let Err(refusal) = clients.check_state(&facts.client) {
                return Err(clients.refuse(&facts.client, refusal).await);
            }
            app.usage.secret(secret, now);
            let may_use = facts.client.owner.may_use_keys;
            let scopes = if may_use { facts.held().clone() } else { Scopes::default() };
            let machine = machine(&facts, scopes, now);
            Ok(Client { facts, machine })
        }
    }
}
