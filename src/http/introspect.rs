//! `POST /oauth/introspect` (RFC 7662): what a token is worth now, for the APIs that it is presented to.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::AppState;
use super::headers::{no_store, rate_limit};
use super::oauth::{About, LONG, about, challenged, read_body, refused};
use crate::actions::introspect::{self, Known};
use crate::app::context::Origin;

/// RFC 7662, section 2.2. Of a token that is not active nothing else is told.
#[derive(Serialize)]
struct Inactive {
    active: bool,
}

#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    /// What its bearer holds now, which may be less than the token says.
    scope: &'a str,
    client_id: &'a str,
    sub: &'a str,
    aud: Vec<&'a str>,
    iss: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    token_type: &'static str,
}

pub(super) async fn introspect(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    let body = read_body(body, LONG).await;
    let About { credential, token } = match about(&headers, &body) {
        Ok(about) => about,
        Err(error) => return challenged(error.into_response()),
    };
    let mut spent = None;
    let told = introspect::introspect(&state.app, origin.clone(), &credential, &token, &mut spent).await;
    let mut response = match told {
        Ok(Some(known)) => shown(&known),
        Ok(None) => Json(Inactive { active: false }).into_response(),
        Err(error) => refused(&error, &origin, &headers, &state.app.issuer),
    };
    no_store(response.headers_mut());
    if let Some(spent) = &spent {
        rate_limit(response.headers_mut(), spent);
    }
    response
}

fn shown(known: &Known) -> Response {
    let claims = &known.token.claims;
    Json(Active {
        active: true,
        scope: known.scopes.text(),
        client_id: &claims.client_id,
        sub: &claims.sub,
        aud: claims.aud.iter().collect(),
        iss: &claims.iss,
        exp: claims.exp,
        iat: claims.iat,
        jti: &claims.jti,
        token_type: "Bearer",
    })
    .into_response()
}
