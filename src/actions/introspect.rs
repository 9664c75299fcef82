//! What an access token is worth now (RFC 7662), for the APIs that it is presented to.

use std::sync::Arc;

use entity::activity::Outcome;

use crate::access::{Action, Caller};
use crate::app::App;
use crate::app::context::{Context, Origin};
use crate::app::gate::client::{ClientError, Refusal};
use crate::app::gate::{self, Client};
use crate::app::limits::Spent;
use crate::app::registry::Facts;
use crate::error::Error;
use crate::store::scopes::identifier;

pub use crate::app::gate::{Credential, Known};

/// How the last use of a key names an introspection.
const INTROSPECTION: &str = "token introspection";
/// In points of the limit of calls.
const COST: u64 = 1;

/// What is known of a token; nothing if it is not valid, or not for an API of the asker's.
pub async fn introspect(
    app: &Arc<App>,
    origin: Origin,
    credential: &Credential<'_>,
    token: &str,
    spent: &mut Option<Spent>,
) -> Result<Option<Known>, ClientError> {
    let now = app.clock.now();
    let Client { facts, machine } = gate::authenticate(app, &origin, credential, now).await?;
    let cx = Context::new(Arc::clone(app), Caller::Machine(machine), origin, now);
    *spent = cx.spend(COST);
    if let Some(spent) = spent.filter(|spent| !spent.allowed) {
        let description = "The call rate limit of this API key is exceeded.";
        let outcome = Outcome::RateLimited;
        return Err(ClientError::Refused(Refusal { outcome, description, spent: Some(spent) }));
    }
    cx.may(Action::IntrospectTokens)?;
    cx.note_use(Some(INTROSPECTION.into()));
    match gate::recognise(app, token, now).await {
        Ok(known) => Ok(Some(known).filter(|known| concerns(app, &facts, known))),
        Err(Error::Unauthenticated) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the token is for an API of which the asker can be granted a scope now.
fn concerns(app: &App, asker: &Facts, known: &Known) -> bool {
    let held = &asker.grantable.scopes;
    let audience = &known.token.claims.aud;
    asker.directory().apis.iter().any(|api| {
        audience.has(identifier(api, &app.issuer)) && held.iter().any(|scope| scope.api_id == api.id)
    })
}
