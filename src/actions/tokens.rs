//! The exchange of client credentials for an access token (RFC 6749, section 4.4).
//!
//! 1. What cannot be a client id and secret is refused without a look-up.
//! 2. The client is looked up; an unknown one costs the same hashing as a wrong secret.
//! 3. The secret is compared in constant time with the current and the previous one.
//! 4. Only a wrong secret meets the limit of its network. The true reason goes to the log, not to the caller; of many
//!    refusals in a minute the log has some and counts the rest.
//! 5. From here on the client has proven who it is, and is told why it is refused.
//! 6. The key's own limit.
//! 7. Scopes and audience: never more than can be granted now.
//! 8. The event goes to the log and the token is signed meanwhile; the answer waits for the commit. If the key, its
//!    owner or who may do what was changed since step 2, nothing is written, and the exchange begins anew.

use std::sync::Arc;

use entity::account::AccountKind;
use entity::activity::{ActivityKind, Outcome};
use entity::api_key::KeyState;
use entity::{ApiId, GlobalId, SecretId, ServiceAccountId, Timestamp, UserId, api, key_secret, settings};
use zeroize::Zeroizing;

use crate::access::Scopes;
use crate::app::App;
use crate::context::Origin;
use crate::crypto::jwt::{Audience, Claims};
use crate::crypto::secret::{ClientSecret, is_client_id};
use crate::error::{Error, Result};
use crate::journal::Written;
use crate::limits::{Policy, Spent};
use crate::refusals::Entry;
use crate::registry::Facts;
use crate::store::activity::Event;
use crate::store::changes::Changed;
use crate::store::credentials::{Client, Grantable};

pub use crate::crypto::jwt::ES256;

/// How the last use of a key names an exchange.
const EXCHANGE: &str = "token exchange";

/// How often an exchange begins anew when its key is changed meanwhile.
const ATTEMPTS: u32 = 3;

/// What a client asks for.
#[derive(Debug)]
pub struct ExchangeRequest {
    pub client_id: String,
    pub client_secret: Zeroizing<String>,
    /// Everything that can be granted, when left out.
    pub scope: Option<String>,
    /// RFC 8707: the APIs that the token is for; those of the granted scopes, when empty.
    pub resources: Vec<String>,
}

/// A token, and what it is.
#[derive(Debug)]
pub struct IssuedToken {
    pub access_token: String,
    pub expires_in_seconds: i64,
    pub scopes: Scopes,
    pub spent: Spent,
}

/// Why there is no token.
#[derive(Debug)]
pub enum ExchangeError {
    /// The client can do something about it.
    Refused(Refusal),
    /// The server failed.
    Failed(Error),
}

/// A refusal: what the log says, what the client is told.
#[derive(Debug)]
pub struct Refusal {
    pub outcome: Outcome,
    pub description: &'static str,
    /// The limit that was reached, if the client has proven who it is.
    pub spent: Option<Spent>,
}

impl From<Error> for ExchangeError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// One exchange on its way through the steps.
struct Exchange<'a> {
    app: &'a App,
    origin: &'a Origin,
    now: Timestamp,
}

/// Exchanges client credentials for an access token.
pub async fn exchange(
    app: &App,
    origin: &Origin,
    request: &ExchangeRequest,
) -> Result<IssuedToken, ExchangeError> {
    let exchange = Exchange { app, origin, now: app.clock.now() };
    app.check_space()?;
    let mut spent = None;
    for _ in 0..ATTEMPTS {
        let (facts, secret) = exchange.authenticate(request).await?;
        match exchange.grant(&facts, request, &mut spent).await {
            Ok(Some(token)) => {
                app.usage.key(facts.client.key.id, origin.key_use(exchange.now, Some(EXCHANGE)));
                app.usage.secret(secret, exchange.now);
                return Ok(token);
            }
            // Something was changed meanwhile: from the beginning, as it is now.
            Ok(None) => app.registry.forget(&Changed::Everything),
            Err(ExchangeError::Refused(refusal)) => {
                let mut event =
                    exchange.event(Some(&facts.client), ActivityKind::TokenRefused, refusal.outcome);
                event.actor = Some(facts.client.key.id.into());
                return Err(exchange.refuse(event, refusal).await);
            }
            Err(failed) => return Err(failed),
        }
    }
    Err(Error::Unavailable.into())
}

impl Exchange<'_> {
    /// Steps 1 to 4.
    async fn authenticate(&self, request: &ExchangeRequest) -> Result<(Arc<Facts>, SecretId), ExchangeError> {
        let secret = ClientSecret::parse(&request.client_secret).filter(|_| is_client_id(&request.client_id));
        let Some(secret) = secret else {
            return Err(self.wrong(None, Outcome::BadSecret).await);
        };
        let Some(facts) = self.app.registry.client(&request.client_id).await? else {
            self.proven(&request.client_id, &secret, [None, None]);
            return Err(self.wrong(None, Outcome::UnknownClient).await);
        };
        let usable = |current: bool| {
            facts.secrets.iter().find(|row| match row.valid_until {
                None => current,
                Some(end) => !current && end > self.now,
            })
        };
        match self.proven(&request.client_id, &secret, [true, false].map(usable)) {
            Some(proven) => Ok((facts, proven)),
            None => Err(self.wrong(Some(&facts.client), Outcome::BadSecret).await),
        }
    }

    /// Compares with both secrets, always: a missing one costs what a wrong one does.
    fn proven(
        &self,
        client_id: &str,
        secret: &ClientSecret,
        stored: [Option<&key_secret::Model>; 2],
    ) -> Option<SecretId> {
        let hasher = &self.app.keys.secrets;
        let matches = stored.map(|row| match row {
            Some(row) => hasher.verify(client_id, secret, &row.hash).then_some(row.id),
            None => hasher.verify_nothing(client_id, secret).then_some(SecretId(uuid::Uuid::nil())),
        });
        matches.into_iter().flatten().next()
    }

    /// A wrong secret and an unknown client look the same from outside.
    async fn wrong(&self, client: Option<&Client>, outcome: Outcome) -> ExchangeError {
        let (outcome, description) = if self.origin.ip.is_none_or(|ip| self.app.limits.failure(ip)) {
            (outcome, "The client is unknown or its secret is wrong.")
        } else {
            (Outcome::RateLimited, "Too many wrong credentials from this network: wait a minute.")
        };
        let event = self.event(client, ActivityKind::TokenRefused, outcome);
        self.refuse(event, Refusal { outcome, description, spent: None }).await
    }

    /// Steps 5 to 8.
    async fn grant(
        &self,
        facts: &Facts,
        request: &ExchangeRequest,
        spent: &mut Option<Spent>,
    ) -> Result<Option<IssuedToken>, ExchangeError> {
        let Facts { client, grantable, policy, .. } = facts;
        self.check_state(client)?;
        let quota = client.token_quota(&policy.settings);
        // Once, however often it begins anew.
        let spend = || self.app.limits.spend(client.key.id, Policy::Token, quota, 1);
        let spent = *spent.get_or_insert_with(spend);
        let refused = |outcome, description| {
            ExchangeError::Refused(Refusal { outcome, description, spent: Some(spent) })
        };
        if !spent.allowed {
            return Err(refused(Outcome::RateLimited, "The limit of exchanges for this API key is reached."));
        }
        if !grantable.owner_may_use_keys {
            return Err(refused(Outcome::UseNotPermitted, "The owner of this API key may not use API keys."));
        }
        let grant = narrow(&self.app.issuer, &policy.apis, grantable, request)
            .map_err(|(outcome, description)| refused(outcome, description))?;
        let lifetime = token_lifetime(client, &policy.settings, self.now);
        Ok(self.issue(facts, grant, (lifetime, spent)).await?)
    }

    /// Step 5.
    fn check_state(&self, client: &Client) -> Result<(), ExchangeError> {
        let refused =
            |outcome, description| Err(ExchangeError::Refused(Refusal { outcome, description, spent: None }));
        match client.key.state {
            KeyState::Deleted => refused(Outcome::Deleted, "This API key has been deleted."),
            KeyState::Pending => refused(Outcome::Pending, "This API key waits for approval."),
            _ if !client.owner.active => {
                refused(Outcome::OwnerInactive, "The owner of this API key is deactivated.")
            }
            KeyState::Disabled => refused(Outcome::Disabled, "This API key is disabled."),
            // In whole seconds, as tokens count: one that is made now would have ended.
            KeyState::Enabled
                if client.key.expires_at.is_some_and(|end| end.seconds() <= self.now.seconds()) =>
            {
                refused(Outcome::Expired, "This API key has ended.")
            }
            KeyState::Enabled if !client.may_be_used_from(self.origin.client()) => {
                refused(Outcome::NetworkNotAllowed, "This API key may not be used from this address.")
            }
            KeyState::Enabled => Ok(()),
        }
    }

    /// Step 8; nothing if what was looked at since step 2 has changed.
    async fn issue(
        &self,
        facts: &Facts,
        grant: Grant,
        (lifetime, spent): (i64, Spent),
    ) -> Result<Option<IssuedToken>> {
        let client = &facts.client;
        let claims = Claims {
            iss: self.app.issuer.clone(),
            sub: owner_id(client).to_string(),
            aud: grant.audience,
            client_id: client.key.client_id.clone(),
            scope: grant.scopes.to_string(),
            iat: self.now.seconds(),
            exp: self.now.seconds() + lifetime,
            jti: crate::entropy::id(&*self.app.entropy, self.now).simple().to_string(),
            generation: client.generation(),
        };
        let mut event = self.event(Some(client), ActivityKind::TokenIssued, Outcome::Ok);
        event.actor = Some(client.key.id.into());
        event.token_id = Some(claims.jti.clone());
        event.detail = Some(serde_json::json!({ "scope": claims.scope, "aud": claims.aud }));
        event.only_on = Some(facts.basis());
        let receipt = self.app.journal.submit(event)?;
        let access_token = self.app.keys.ring.signer.sign(&claims).map_err(Error::internal)?;
        Ok(match receipt.wait().await? {
            Written::Committed => {
                Some(IssuedToken { access_token, expires_in_seconds: lifetime, scopes: grant.scopes, spent })
            }
            Written::Overtaken => None,
        })
    }

    /// The log knows of the refusal before it is answered: by a row, or by a count.
    async fn refuse(&self, event: Event, refusal: Refusal) -> ExchangeError {
        let logged = match self.app.refusals.note(self.origin.ip, event) {
            Entry::Awaited(event) => self.app.journal.record(event).await.map(drop),
            Entry::Row(event) => self.app.journal.submit(event).map(drop),
            Entry::Counted => Ok(()),
        };
        match logged {
            Ok(()) => ExchangeError::Refused(refusal),
            Err(error) => ExchangeError::Failed(error),
        }
    }

    /// An event that concerns this client; whether the client is its actor is for the caller to say.
    fn event(&self, client: Option<&Client>, kind: ActivityKind, outcome: Outcome) -> Event {
        Event {
            key: client.map(|client| client.key.id),
            owner: client.map(|client| client.owner.id),
            ..self.origin.event(self.now, kind, outcome)
        }
    }
}

fn owner_id(client: &Client) -> GlobalId {
    match client.owner.kind {
        AccountKind::User => UserId(client.owner.id.0).into(),
        AccountKind::ServiceAccount => ServiceAccountId(client.owner.id.0).into(),
    }
}

/// In seconds: what the key asks for, within what the settings allow, and never beyond the key's own end.
fn token_lifetime(client: &Client, settings: &settings::Model, now: Timestamp) -> i64 {
    let wanted = client.key.token_lifetime_seconds.unwrap_or(settings.default_token_lifetime_seconds);
    let lifetime = i64::from(wanted.min(settings.max_token_lifetime_seconds));
    client.key.expires_at.map_or(lifetime, |end| lifetime.min(end.seconds() - now.seconds()))
}

/// What a token will say: scopes, and for whom it is.
#[derive(Debug)]
struct Grant {
    scopes: Scopes,
    audience: Audience,
}

type Narrowed<T> = Result<T, (Outcome, &'static str)>;

/// Step 7: the part of what can be granted that was asked for.
fn narrow(
    issuer: &str,
    apis: &[api::Model],
    grantable: &Grantable,
    request: &ExchangeRequest,
) -> Narrowed<Grant> {
    let identifier = |api: &api::Model| {
        if api.built_in { issuer.to_owned() } else { api.identifier.clone() }
    };
    let named = |resource: &String| apis.iter().find(|api| identifier(api) == *resource).map(|api| api.id);
    let wanted: Option<Vec<ApiId>> = request.resources.iter().map(named).collect();
    let Some(wanted) = wanted else {
        return Err((Outcome::InvalidTarget, "There is no API with the address given as resource."));
    };
    let scopes = narrow_scopes(&wanted, grantable, request.scope.as_deref())?;
    let granted = |api: &api::Model| {
        grantable.scopes.iter().any(|scope| scope.api_id == api.id && scopes.has(&scope.name))
    };
    let mut audience: Vec<String> = apis
        .iter()
        .filter(|api| if wanted.is_empty() { granted(api) } else { wanted.contains(&api.id) })
        .map(identifier)
        .collect();
    let audience =
        if audience.len() == 1 { Audience::One(audience.remove(0)) } else { Audience::Many(audience) };
    Ok(Grant { scopes, audience })
}

/// The scopes of the wanted APIs (all, if none is named) that were asked for (all, if none is).
fn narrow_scopes(wanted: &[ApiId], grantable: &Grantable, asked: Option<&str>) -> Narrowed<Scopes> {
    let within = |api: ApiId| wanted.is_empty() || wanted.contains(&api);
    let available: Scopes = grantable
        .scopes
        .iter()
        .filter(|scope| within(scope.api_id))
        .map(|scope| scope.name.clone())
        .collect();
    let scopes = match asked.map(Scopes::parse) {
        None => available,
        Some(asked) if asked.without(&available).is_empty() => asked,
        Some(_) => {
            return Err((Outcome::InvalidScope, "A scope was asked for that this API key does not hold."));
        }
    };
    if scopes.is_empty() {
        return Err((Outcome::InvalidScope, "This API key holds no scope that could be granted."));
    }
    Ok(scopes)
}
