//! Whether the process lives, and whether it can serve.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::AppState;
use super::error::problem;
use super::headers::retry_after;
use crate::actions;
use crate::app::context::Origin;

/// The process lives. It says nothing of the database: restarting the process would not mend that.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The process can serve: the database answers.
pub(super) async fn ready(State(state): State<AppState>, Extension(origin): Extension<Origin>) -> Response {
    match actions::health::ready(&state.app).await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            let id = origin.request_id.as_deref();
            tracing::warn!(request_id = id, %error, "not ready");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let mut response = problem(status, "UNAVAILABLE", "The database is unavailable.", id);
            retry_after(response.headers_mut(), 1);
            response
        }
    }
}

/// Where people arrive who open the address in a browser.
pub(super) async fn front_page(State(state): State<AppState>) -> String {
    let issuer = &state.app.issuer;
    format!(
        "Latchkey: API keys and machine identity.\n\n\
         Token endpoint  {issuer}/oauth/token\n\
         GraphQL         {issuer}/graphql\n\
         Metadata        {issuer}/.well-known/oauth-authorization-server\n"
    )
}
