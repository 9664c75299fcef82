//! `POST /oauth/revoke` (RFC 7009): the end of one token before its time.

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::AppState;
use super::headers::no_store;
use super::oauth::{About, LONG, OauthError, about, challenged, invalid_request, read_body, refused};
use crate::actions::revoke::{self, Revocation};
use crate::app::context::Origin;

/// 200 tells that nobody can use the token any more, not that somebody could.
pub(super) async fn revoke(
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
    match revoke::revoke(&state.app, origin.clone(), &credential, &token).await {
        Ok(Revocation::Done) => {
            let mut response = StatusCode::OK.into_response();
            no_store(response.headers_mut());
            response
        }
        Ok(Revocation::NotYours) => {
            let description = "The token was issued to another client.";
            OauthError { error: "invalid_grant", ..invalid_request(description) }.into_response()
        }
        Err(error) => refused(&error, &origin, &headers, &state.app.issuer),
    }
}
