//! `GET /whoami`: who the presented credential is, and what it may do until when. The quickest test of an API key.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::AppState;
use super::authorize::Challenge;
use super::callers::{Refused, caller, unrecognised};
use super::error::problem;
use super::headers::{no_store, rate_limit};
use crate::access::{Machine, Scopes};
use crate::actions::accounts::Owner;
use crate::actions::keys::Key;
use crate::actions::whoami::{Credential, credential};
use crate::app::context::{Context, Origin};
use crate::app::limits::Spent;
use crate::graphql::code;

/// In points of the limit of calls.
const COST: u64 = 1;

pub(super) async fn whoami(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    let request_id = origin.request_id.clone();
    let mut spent = None;
    let mut response = match answer(&state, origin, &headers, &mut spent).await {
        Ok(credential) => {
            let mut response = Json(shown(&credential)).into_response();
            no_store(response.headers_mut());
            response
        }
        Err(refused) => refuse(&refused, &state.app.issuer, request_id.as_deref()),
    };
    if let Some(spent) = &spent {
        rate_limit(response.headers_mut(), spent);
    }
    response
}

async fn answer(
    state: &AppState,
    origin: Origin,
    headers: &HeaderMap,
    spent: &mut Option<Spent>,
) -> Result<Credential, Refused> {
    let caller = caller(state, &origin, headers, false).await?;
    let cx = Context::new(state.app.clone(), caller, origin, state.app.clock.now());
    *spent = cx.spend(COST);
    if spent.is_some_and(|spent| !spent.allowed) {
        let message = "The rate limit of this API key is exceeded.";
        return Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, message));
    }
    cx.note_use(Some("whoami".into()));
    let gone = "The session or access token is no longer valid.";
    credential(&cx).await.map_err(|error| unrecognised(&error, Challenge::InvalidToken, gone))
}

fn refuse(refused: &Refused, issuer: &str, request_id: Option<&str>) -> Response {
    let mut response = problem(refused.status, refused.code, &refused.message, request_id);
    refused.mark(response.headers_mut(), issuer);
    response
}

fn shown(credential: &Credential) -> Value {
    match credential {
        Credential::Key { key, owner, token } => key_shown(key, owner, token),
        Credential::Person { user: (_, user), scopes } => json!({
            "type": "user",
            "sub": user.id.to_string(),
            "id": user.id.to_string(),
            "email": user.email,
            "display_name": user.display_name,
            "scopes": names(scopes),
        }),
    }
}

/// The names are those of the token's claims (RFC 9068, section 2.2) where there are such.
fn key_shown(key: &Key, owner: &Owner, token: &Machine) -> Value {
    let (kind, name) = match owner {
        Owner::User(_, user) => ("user", &user.display_name),
        Owner::ServiceAccount(_, service_account) => ("service_account", &service_account.name),
    };
    let sub = token.owner_id().to_string();
    json!({
        "type": "api_key",
        "sub": sub,
        "client_id": key.client_id,
        "exp": token.ends.seconds(),
        "expires_at": token.ends.to_string(),
        "scopes": names(&token.scopes),
        "read_only": token.read_only,
        "api_key": {
            "id": key.id.to_string(),
            "name": key.name,
            "expires_at": key.expires_at.map(|end| end.to_string()),
        },
        "owner": { "id": sub, "kind": kind, "name": name },
    })
}

/// In the order of the alphabet.
fn names(scopes: &Scopes) -> Vec<&str> {
    scopes.iter().collect()
}
