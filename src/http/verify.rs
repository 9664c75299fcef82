//! `/auth/verify` and whatever lies below, by any method: whether a request that a gateway has received may pass. The
//! body is never read; what is demanded stands in the query.

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::AppState;
use super::authorize::{Challenge, Presented, insufficient_scope, presented};
use super::callers::{Refused, unrecognised};
use super::error::problem;
use super::headers::{no_store, rate_limit};
use super::oauth::is_scope;
use crate::access::Scopes;
use crate::actions::verify::{self, Answer, Demand, Verdict};
use crate::app::context::Origin;
use crate::graphql::code;

const CLIENT_ID: HeaderName = HeaderName::from_static("x-latchkey-client-id");
const SUBJECT: HeaderName = HeaderName::from_static("x-latchkey-subject");
const SCOPES: HeaderName = HeaderName::from_static("x-latchkey-scopes");

pub(super) async fn verify(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let demand = uri.query().map(demanded).unwrap_or_default();
    let issuer = &state.app.issuer;
    let answered = match presented(headers) {
        Presented::Bearer(token) => {
            verify::verify(&state.app, &origin, token, &demand).await.map_err(|error| {
                let message = "The access token is invalid, expired, or issued for another API.";
                unrecognised(&error, Challenge::InvalidToken, message)
            })
        }
        Presented::Several => Err(Refused::several_headers()),
        Presented::Nothing | Presented::Basic(_) | Presented::Other => Err(Refused::unauthorized(
            Challenge::Bearer,
            "An access token is required: Authorization: Bearer <token>.",
        )),
    };
    let refuse = |refused: &Refused| {
        let mut response =
            problem(refused.status, refused.code, &refused.message, origin.request_id.as_deref());
        refused.mark(response.headers_mut(), issuer);
        response
    };
    let Answer { known, spent, verdict } = match answered {
        Ok(answer) => answer,
        Err(refused) => return refuse(&refused),
    };
    let mut response = match verdict {
        Verdict::Pass => passed(&known),
        Verdict::InsufficientScope => {
            let message = "The access token lacks a required scope.";
            let mut response = refuse(&Refused::new(StatusCode::FORBIDDEN, code::FORBIDDEN, message));
            insufficient_scope(response.headers_mut(), issuer, &nameable(&demand.scopes));
            response
        }
        Verdict::RateLimited => {
            let message = "The rate limit of this API key is exceeded.";
            refuse(&Refused::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, message))
        }
    };
    rate_limit(response.headers_mut(), &spent);
    response
}

/// Every occurrence counts, so a client that can add to the query can only add to the demand. A value of `scope` may hold
/// several names; an empty `aud` is an API that no token is for.
fn demanded(query: &str) -> Demand {
    let mut scopes = Vec::new();
    let mut audiences = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "scope" => scopes.extend(value.split(' ').filter(|name| !name.is_empty()).map(str::to_owned)),
            "aud" => audiences.push(value.into_owned()),
            _ => {}
        }
    }
    Demand { scopes: scopes.into_iter().collect(), audiences }
}

/// Those that can be names of scopes: others have no place in a challenge.
fn nameable(scopes: &Scopes) -> String {
    let names: Vec<&str> = scopes.iter().filter(|name| is_scope(name)).collect();
    names.join(" ")
}

fn passed(known: &verify::Known) -> Response {
    let claims = &known.token.claims;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    no_store(headers);
    for (name, value) in
        [(CLIENT_ID, &*claims.client_id), (SUBJECT, &*claims.sub), (SCOPES, known.scopes.text())]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}
