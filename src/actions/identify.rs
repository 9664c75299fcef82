//! From a presented access token to a caller of Latchkey's own endpoints.

use crate::access::Caller;
use crate::app::App;
use crate::app::context::Origin;
use crate::app::gate;
use crate::error::Result;

/// Recognises the bearer of an access token (RFC 6750), or says that the token is not valid.
pub async fn bearer(app: &App, origin: &Origin, token: &str) -> Result<Caller> {
    let known = gate::presented(app, origin, token, app.clock.now(), |known| known.is_for_us(app)).await?;
    Ok(Caller::Machine(known.machine()))
}
