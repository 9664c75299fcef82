//! Whether a request that a gateway has received may pass: forward authentication by an access token.

use crate::access::Scopes;
use crate::app::App;
use crate::app::context::Origin;
use crate::app::gate;
use crate::app::limits::{Limit, Spent};
use crate::error::Result;
use crate::store::scopes::identifier;

pub use crate::app::gate::Known;

/// How the last use of a key names a request that a gateway has asked about.
const VERIFICATION: &str = "auth/verify";
/// In points of the limit of calls.
const COST: u64 = 1;

/// What the gateway demands of the token.
#[derive(Debug, Default)]
pub struct Demand {
    /// All of them.
    pub scopes: Scopes,
    /// The token is for each of these APIs; for any API of this server, if there are none.
    pub audiences: Vec<String>,
}

/// What is answered about a valid token.
#[derive(Debug)]
pub struct Answer {
    pub known: Known,
    pub spent: Spent,
    /// Whether its bearer may pass.
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    InsufficientScope,
    RateLimited,
}

/// Judges the token by the demand. One that is not valid, or not for these APIs, is
/// [`Error::Unauthenticated`](crate::error::Error::Unauthenticated).
pub async fn verify(app: &App, origin: &Origin, token: &str, demand: &Demand) -> Result<Answer> {
    let now = app.clock.now();
    let known = gate::presented(app, origin, token, now, |known| is_for(app, known, demand)).await?;
    let client = &known.facts.client;
    let quota = client.call_quota(&known.facts.directory().settings);
    let spent = app.limits.spend(client.key.id, Limit::Call, quota, COST);
    let verdict = if !spent.allowed {
        Verdict::RateLimited
    } else if known.scopes.has_all(&demand.scopes) {
        Verdict::Pass
    } else {
        Verdict::InsufficientScope
    };
    if verdict != Verdict::RateLimited {
        app.usage.key(client.key.id, origin.key_use(now, Some(VERIFICATION.into())));
    }
    Ok(Answer { known, spent, verdict })
}

fn is_for(app: &App, known: &Known, demand: &Demand) -> bool {
    let audience = &known.token.claims.aud;
    if demand.audiences.is_empty() {
        let apis = &known.facts.directory().apis;
        return apis.iter().any(|api| audience.has(identifier(api, &app.issuer)));
    }
    demand.audiences.iter().all(|wanted| audience.has(wanted))
}
