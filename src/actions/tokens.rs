//! The exchange of client credentials for an access token (RFC 6749, section 4.4).
//!
//! 1. to 5. The client is looked up, proves who it is, and may be used: `gate/client.rs`.
//! 6. The key's own limit.
//! 7. Scopes and audience: never more than can be granted now.
//! 8. The event goes to the log and the token is signed meanwhile; the answer waits for the commit. If the key, its
//!    owner or who may do what was changed since step 2, nothing is written, and the exchange begins anew.

use std::borrow::Cow;
use std::sync::Arc;

use entity::activity::{ActivityKind, Outcome};
use entity::{ApiId, Timestamp, settings};
use zeroize::Zeroizing;

use crate::access::Scopes;
use crate::app::App;
use crate::app::context::Origin;
use crate::app::gate::client::Clients;
use crate::app::journal::Written;
use crate::app::limits::{Limit, Spent};
use crate::app::registry::{Facts, Grant, Grantable};
use crate::crypto::jwt::Claims;
use crate::error::{Error, Result};
use crate::store::activity::Basis;
use crate::store::credentials::Client;

pub use crate::app::gate::client::{ClientError as ExchangeError, Refusal};
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
    pub grant: Arc<Grant>,
    pub spent: Spent,
}

/// One exchange on its way through the steps.
struct Exchange<'a> {
    app: &'a App,
    now: Timestamp,
    clients: Clients<'a>,
}

/// Exchanges client credentials for an access token.
pub async fn exchange(
    app: &App,
    origin: &Origin,
    request: &ExchangeRequest,
) -> Result<IssuedToken, ExchangeError> {
    app.check_space()?;
    let now = app.clock.now();
    let exchange = Exchange { app, now, clients: Clients { app, origin, now } };
    let mut spent = None;
    for _ in 0..ATTEMPTS {
        let as_of = app.registry.last_change();
        let (facts, secret) =
            exchange.clients.authenticate(&request.client_id, &request.client_secret).await?;
        match exchange.grant((&facts, facts.basis(as_of)), request, &mut spent).await {
            Ok(Some(token)) => {
                app.usage.key(facts.client.key.id, origin.key_use(exchange.now, Some(EXCHANGE.into())));
                app.usage.secret(secret, exchange.now);
                return Ok(token);
            }
            // Something was changed meanwhile: from the beginning, as it is now.
            Ok(None) => app.registry.invalidate_stale(&facts).await?,
            Err(ExchangeError::Refused(refusal)) => {
                return Err(exchange.clients.refuse(&facts.client, refusal).await);
            }
            Err(failed) => return Err(failed),
        }
    }
    Err(Error::Unavailable.into())
}

impl Exchange<'_> {
    /// Steps 5 to 8.
    async fn grant(
        &self,
        (facts, basis): (&Facts, Basis),
        request: &ExchangeRequest,
        spent: &mut Option<Spent>,
    ) -> Result<Option<IssuedToken>, ExchangeError> {
        let Facts { client, grantable, .. } = facts;
        let settings = &facts.directory().settings;
        self.clients.check_state(client).map_err(ExchangeError::Refused)?;
        let quota = client.token_quota(settings);
        // Once, however often it begins anew.
        let spend = || self.app.limits.spend(client.key.id, Limit::Token, quota, 1);
        let spent = *spent.get_or_insert_with(spend);
        let refused = |outcome, description| {
            ExchangeError::Refused(Refusal { outcome, description, spent: Some(spent) })
        };
        if !spent.allowed {
            return Err(refused(Outcome::RateLimited, "The token rate limit of this API key is exceeded."));
        }
        if !client.owner.may_use_keys {
            return Err(refused(
                Outcome::UseNotPermitted,
                "The owner of this API key is not permitted to use API keys: it lacks the scope keys:use.",
            ));
        }
        let grant =
            narrow(grantable, request).map_err(|(outcome, description)| refused(outcome, description))?;
        let lifetime = token_lifetime(client, settings, self.now);
        Ok(self.issue((facts, basis), grant, (lifetime, spent)).await?)
    }

    /// Step 8; nothing if what was looked at since step 2 has changed.
    async fn issue(
        &self,
        (facts, basis): (&Facts, Basis),
        grant: Arc<Grant>,
        (lifetime, spent): (i64, Spent),
    ) -> Result<Option<IssuedToken>> {
        let client = &facts.client;
        let jti = crate::entropy::id(&*self.app.entropy, self.now).simple().to_string();
        let claims = Claims {
            iss: Cow::Borrowed(&self.app.issuer),
            sub: Cow::Borrowed(&client.owner.public_id),
            aud: Cow::Borrowed(&grant.audience),
            client_id: client.key.client_id.to_string().into(),
            scope: Cow::Borrowed(grant.scopes.text()),
            iat: self.now.seconds(),
            exp: self.now.seconds() + lifetime,
            jti: Cow::Borrowed(&jti),
            generation: client.generation(),
        };
        let mut event = self.clients.event(client, ActivityKind::TokenIssued, Outcome::Ok);
        event.token_id = Some(jti.clone());
        event.detail = Some(grant.detail.clone());
        event.only_on = Some(basis);
        let receipt = self.app.journal.submit(event)?;
        let access_token = self.app.keys.ring.signer.sign(&claims).map_err(Error::internal)?;
        Ok(match receipt.wait().await? {
            Written::Committed => {
                Some(IssuedToken { access_token, expires_in_seconds: lifetime, grant, spent })
            }
            Written::Overtaken => None,
        })
    }
}

/// In seconds: what the key asks for, within what the settings allow, and never beyond the key's own end.
fn token_lifetime(client: &Client, settings: &settings::Model, now: Timestamp) -> i64 {
    let lifetime = i64::from(client.token_lifetime(settings));
    client.key.expires_at.map_or(lifetime, |end| lifetime.min(end.seconds() - now.seconds()))
}

type Narrowed<T> = Result<T, (Outcome, &'static str)>;

const NOTHING_HELD: (Outcome, &str) =
    (Outcome::InvalidScope, "This API key holds no scope that can be granted.");

/// Step 7: the part of what can be granted that was asked for.
fn narrow(grantable: &Grantable, request: &ExchangeRequest) -> Narrowed<Arc<Grant>> {
    let policy = &grantable.directory;
    if request.scope.is_none() && request.resources.is_empty() {
        let whole = Some(&grantable.whole).filter(|whole| !whole.scopes.is_empty());
        return whole.cloned().ok_or(NOTHING_HELD);
    }
    let named = |resource: &String| policy.api(resource);
    let wanted: Option<Vec<ApiId>> = request.resources.iter().map(named).collect();
    let Some(wanted) = wanted else {
        return Err((Outcome::InvalidTarget, "No API has the identifier given as resource."));
    };
    let scopes = narrow_scopes(&wanted, grantable, request.scope.as_deref())?;
    let granted =
        |api: ApiId| grantable.scopes.iter().any(|scope| scope.api_id == api && scopes.has(&scope.name));
    let audience =
        policy.audience(|api| if wanted.is_empty() { granted(api) } else { wanted.contains(&api) });
    Ok(Arc::new(Grant::new(scopes, audience)))
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
        Some(asked) if available.has_all(&asked) => asked,
        Some(_) => {
            return Err((Outcome::InvalidScope, "This API key does not hold every requested scope."));
        }
    };
    if scopes.is_empty() {
        return Err(NOTHING_HELD);
    }
    Ok(scopes)
}
