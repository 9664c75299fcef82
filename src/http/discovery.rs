//! What clients and resource servers find out by themselves: the metadata and the public keys.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::AppState;
use crate::actions::tokens::ES256;

/// Shorter than any key is published before its use.
const MAX_AGE: &str = "public, max-age=300";

fn cacheable(body: Value) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(MAX_AGE));
    response
}

/// RFC 8414. There is no authorization endpoint, so `response_types_supported` is empty, and present because the RFC
/// demands it.
pub(super) async fn authorization_server(State(state): State<AppState>) -> Response {
    let issuer = &state.app.issuer;
    cacheable(json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "Bearer"],
        "access_token_signing_alg_values_supported": [ES256],
    }))
}

/// RFC 9728: this server as a resource that its own tokens open.
pub(super) async fn protected_resource(State(state): State<AppState>) -> Response {
    let issuer = &state.app.issuer;
    cacheable(json!({
        "resource": issuer,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "Latchkey",
    }))
}

/// RFC 7517.
pub(super) async fn jwks(State(state): State<AppState>) -> Response {
    cacheable(state.app.keys.ring.jwks())
}
