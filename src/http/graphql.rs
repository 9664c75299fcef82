//! `POST /graphql`: JSON in, JSON out, as GraphQL over HTTP says; who is asking is settled before anything is parsed.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use super::AppState;
use super::authorize::{Presented, challenge, presented};
use super::body::{media_type, read};
use super::headers::{no_store, rate_limit, retry_after};
use crate::access::Caller;
use crate::actions::identify;
use crate::context::{Context, Origin};
use crate::error::Error;
use crate::graphql::{Executed, Operation, code};

const MAX_BODY: usize = 256 * 1024;

/// The two media types of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    GraphQl,
    Json,
}

impl Media {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }

    /// The one that the client likes best (RFC 9110, section 12.5.1), the first of equals; JSON when it does not say.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let mut best = None;
        for part in headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            let mut pieces = part.split(';').map(|piece| piece.trim().to_ascii_lowercase());
            let media = match pieces.next().as_deref() {
                Some("application/graphql-response+json") => Self::GraphQl,
                Some("application/json" | "application/*" | "*/*") => Self::Json,
                _ => continue,
            };
            let weight = pieces.find_map(|piece| piece.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
            if weight > best.map_or(0.0, |(weight, _)| weight) {
                best = Some((weight, media));
            }
        }
        best.map(|(_, media)| media)
    }
}

/// A request that was answered before anything was executed.
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

pub(super) async fn execute(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let media = Media::accepted(&headers);
    let request_id = origin.request_id.clone();
    match answer(&state, origin, &headers, (media, body)).await {
        Ok((executed, media)) => respond(&executed, media),
        Err(refused) => {
            let media = media.unwrap_or(Media::Json);
            refuse(
                &state.app.issuer,
                &refused,
                media,
                request_id.as_deref(),
                presented(&headers) == Presented::Nothing,
            )
        }
    }
}

async fn answer(
    state: &AppState,
    origin: Origin,
    headers: &HeaderMap,
    (media, body): (Option<Media>, Body),
) -> Result<(Executed, Media), Refused> {
    let media = media.ok_or_else(|| {
        let message = "Accept application/graphql-response+json or application/json.";
        Refused::new(StatusCode::NOT_ACCEPTABLE, code::BAD_USER_INPUT, message)
    })?;
    let caller = caller(state, headers).await?;
    let operation = operation(headers, body).await?;
    let cx = Context::new(state.app.clone(), caller, origin, state.app.clock.now());
    Ok((state.schema.execute(cx, operation).await, media))
}

async fn caller(state: &AppState, headers: &HeaderMap) -> Result<Caller, Refused> {
    let unauthorized = |message: &str| Refused::new(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, message);
    let token = match presented(headers) {
        Presented::Bearer(token) => token,
        Presented::Nothing => {
            return Err(unauthorized("Present an access token: Authorization: Bearer <token>."));
        }
        Presented::Other => return Err(unauthorized("Only Bearer access tokens are accepted here.")),
        Presented::Several => {
            let message = "There is more than one Authorization header.";
            return Err(Refused::new(StatusCode::BAD_REQUEST, code::BAD_USER_INPUT, message));
        }
    };
    identify::bearer(&state.app, token).await.map_err(|error| match error {
        Error::Unavailable => {
            Refused::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, error.to_string())
        }
        Error::Internal(ref cause) => {
            tracing::error!(%cause, "a token could not be checked");
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, error.to_string())
        }
        Error::Unauthenticated | Error::Denied { .. } | Error::ReadOnly | Error::Refused(_) => {
            unauthorized("The access token is not valid (any more): exchange for a new one.")
        }
    })
}

async fn operation(headers: &HeaderMap, body: Body) -> Result<Operation, Refused> {
    let bad = |message: &str| Refused::new(StatusCode::BAD_REQUEST, code::BAD_USER_INPUT, message);
    if media_type(headers).as_deref() != Some("application/json") {
        let message = "Send Content-Type: application/json.";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::BAD_USER_INPUT, message));
    }
    let body = read(body, MAX_BODY).await.map_err(|_| {
        let message = format!("Send at most {} KiB.", MAX_BODY / 1024);
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, code::COST_LIMIT_EXCEEDED, message)
    })?;
    let json: serde_json::Value = serde_json::from_slice(&body).map_err(|_| bad("The body is not JSON."))?;
    if !json.is_object() {
        return Err(bad("Send one JSON object with `query`; batches are not accepted."));
    }
    let parameters: Parameters = serde_json::from_value(json).map_err(|_| {
        bad("Send `query` as a string, `operationName` as a string, `variables` and `extensions` as objects.")
    })?;
    Ok(Operation {
        query: parameters.query,
        operation_name: parameters.operation_name,
        variables: parameters.variables.unwrap_or_default(),
    })
}

/// The parameters of a request (GraphQL over HTTP, section 5.1). Others are ignored, as it says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: String,
    operation_name: Option<String>,
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(rename = "extensions")]
    _extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The status of a request that was not executed depends on the media type: under `application/json` old clients
/// expect 200 for whatever the GraphQL layer refused.
fn status(refused: Option<&str>, media: Media) -> StatusCode {
    match refused {
        None => StatusCode::OK,
        Some(code::RATE_LIMITED) => StatusCode::TOO_MANY_REQUESTS,
        Some(code::READ_ONLY) => StatusCode::FORBIDDEN,
        Some(_) if media == Media::Json => StatusCode::OK,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

fn respond(executed: &Executed, media: Media) -> Response {
    let mut response = (status(executed.refused.as_deref(), media), executed.body.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
    no_store(headers);
    if let Some(spent) = &executed.spent {
        rate_limit(headers, spent);
    }
    response
}

fn refuse(issuer: &str, refused: &Refused, media: Media, request_id: Option<&str>, bare: bool) -> Response {
    let error = json!({
        "message": refused.message,
        "extensions": { "code": refused.code, "requestId": request_id },
    });
    let body = json!({ "errors": [error] }).to_string();
    let mut response = (refused.status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
    no_store(headers);
    match refused.status {
        StatusCode::UNAUTHORIZED if bare => challenge(headers, issuer, None),
        StatusCode::UNAUTHORIZED => {
            challenge(headers, issuer, Some(("invalid_token", "The access token is not valid")));
        }
        StatusCode::SERVICE_UNAVAILABLE => retry_after(headers, 1),
        _ => {}
    }
    response
}
