//! How requests arrive: the table of routes, and what every request passes through.

mod around;
mod authorize;
mod body;
mod callers;
mod cross_origin;
mod discovery;
mod error;
mod graphql;
mod headers;
mod health;
mod introspect;
mod oauth;
mod origin;
pub mod outcomes;
mod parameters;
mod revoke;
mod sessions;
mod token;
mod verify;
mod whoami;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, get, post};

use crate::app::App;
use crate::graphql::Schema;

/// What handlers share.
#[derive(Clone, Debug)]
pub struct AppState {
    pub app: Arc<App>,
    pub schema: Schema,
}

/// What gateways ask, by the method of the request that they ask about.
const VERIFY: &str = "/auth/verify";
const VERIFY_FOLDER: &str = "/auth/verify/";
const VERIFY_BELOW: &str = "/auth/verify/{*rest}";

/// Every route: a path, and what answers there. The tests compare this with what they know.
pub fn routes() -> Vec<(&'static str, MethodRouter<AppState>)> {
    vec![
        // Integrations: from a secret to a token.
        ("/oauth/token", post(token::exchange)),
        ("/api/v2/authenticate", post(token::authenticate)),
        ("/oauth/revoke", post(revoke::revoke)),
        // Whoever verifies tokens.
        ("/oauth/introspect", post(introspect::introspect)),
        (VERIFY, any(verify::verify)),
        (VERIFY_FOLDER, any(verify::verify)),
        (VERIFY_BELOW, any(verify::verify)),
        ("/.well-known/oauth-authorization-server", get(discovery::authorization_server)),
        ("/.well-known/openid-configuration", get(discovery::authorization_server)),
        ("/.well-known/oauth-protected-resource", get(discovery::protected_resource)),
        ("/.well-known/jwks.json", get(discovery::jwks)),
        // Front ends, and everybody with a token.
        ("/graphql", get(graphql::get).post(graphql::post)),
        ("/graphql/schema.graphql", get(graphql::schema)),
        ("/whoami", get(whoami::whoami)),
        // The console.
        ("/session", post(sessions::sign_in).delete(sessions::sign_out)),
        ("/setup", post(sessions::set_up)),
        // Operations.
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/", get(health::front_page)),
    ]
}

/// All routes, and around them what is written once.
pub fn router(state: AppState) -> Router {
    let [mut of_gateways, mut ours] = [Router::new(), Router::new()];
    for (path, handler) in routes() {
        if is_of_gateways(path) {
            of_gateways = of_gateways.route(path, handler);
        } else if speaks_oauth(path) {
            ours = ours.route(path, handler.fallback(oauth::method_not_allowed));
        } else {
            ours = ours.route(path, handler.fallback(error::method_not_allowed));
        }
    }
    let mut router = ours.fallback(error::no_such_path);
    let origins = &state.app.cors_origins;
    if !origins.is_empty() {
        router = router.layer(cross_origin::cors(origins));
    }
    // Gateways pass on what browsers sent them: no preflight may be answered for them here.
    router.merge(of_gateways).layer(from_fn_with_state(state.clone(), around::around)).with_state(state)
}

/// Where gateways ask about requests of others.
fn is_of_gateways(path: &str) -> bool {
    path == VERIFY || path.starts_with(VERIFY_FOLDER)
}

/// Where errors have the form of RFC 6749, section 5.2; elsewhere they are problem details.
fn speaks_oauth(path: &str) -> bool {
    path.starts_with("/oauth/") || path.starts_with("/api/v2/")
}
