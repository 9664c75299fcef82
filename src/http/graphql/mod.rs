//! `/graphql`: JSON in, JSON out, as GraphQL over HTTP says; who is asking is settled before anything is parsed.

mod media;
mod parameters;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::AppState;
use super::callers::{Refused, caller};
use super::headers::{no_store, rate_limit};
use crate::app::context::{Context, Origin};
use crate::graphql::{Executed, Operation, code};
use media::Media;

/// `POST /graphql`.
pub(super) async fn post(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    execute(&state, origin, &headers, (false, parameters::posted(&headers, body))).await
}

/// `GET /graphql`, for queries.
pub(super) async fn get(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    execute(&state, origin, &headers, (true, async { parameters::in_query(query.as_deref()) })).await
}

async fn execute(
    state: &AppState,
    origin: Origin,
    headers: &HeaderMap,
    (by_get, operation): (bool, impl Future<Output = Result<Operation, Refused>>),
) -> Response {
    let media = Media::accepted(headers);
    let request_id = origin.request_id.clone();
    match answer(state, origin, headers, (media, by_get, operation)).await {
        Ok((executed, media)) => respond(&executed, media),
        Err(refused) => {
            let media = media.unwrap_or(Media::Json);
            refuse(&state.app.issuer, &refused, media, request_id.as_deref())
        }
    }
}

async fn answer(
    state: &AppState,
    origin: Origin,
    headers: &HeaderMap,
    (media, by_get, operation): (Option<Media>, bool, impl Future<Output = Result<Operation, Refused>>),
) -> Result<(Executed, Media), Refused> {
    let media = media.ok_or_else(|| {
        let message = "Accept application/graphql-response+json or application/json.";
        Refused::new(StatusCode::NOT_ACCEPTABLE, code::BAD_USER_INPUT, message)
    })?;
    let caller = caller(state, &origin, headers, by_get).await?;
    let operation = Operation { idempotency_key: parameters::idempotency_key(headers)?, ..operation.await? };
    let cx = Context::new(state.app.clone(), caller, origin, state.app.clock.now());
    Ok((state.schema.execute(cx, operation).await, media))
}

/// `GET /graphql/schema.graphql`: the schema as text, for code generators. It is the same for everybody, and no secret.
pub(super) async fn schema(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let sdl = state.schema.sdl();
    let etag = etag(sdl);
    // Compared weakly (RFC 9110, section 13.1.2): a proxy that compresses makes the tag weak.
    let known = |value: &HeaderValue| {
        let same = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag;
        value.to_str().is_ok_and(|tags| tags.split(',').any(|tag| same(tag.trim())))
    };
    let mut response = if headers.get_all(IF_NONE_MATCH).iter().any(known) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "text/plain; charset=utf-8")], sdl.to_owned()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// The same for the same text (RFC 9110, section 8.8.3).
fn etag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// The status of a request that was not executed depends on the media type: under `application/json` old clients
/// expect 200 for whatever the GraphQL layer refused.
fn status(refused: Option<&str>, media: Media) -> StatusCode {
    match refused {
        None => StatusCode::OK,
        Some(code::RATE_LIMITED) => StatusCode::TOO_MANY_REQUESTS,
        Some(code::READ_ONLY) => StatusCode::FORBIDDEN,
        Some(code::BAD_USER_INPUT) => StatusCode::BAD_REQUEST,
        Some(code::METHOD_NOT_ALLOWED) => StatusCode::METHOD_NOT_ALLOWED,
        Some(_) if media == Media::Json => StatusCode::OK,
        Some(code::PERSISTED_DOCUMENT_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

fn respond(executed: &Executed, media: Media) -> Response {
    let mut response = (status(executed.refused.as_deref(), media), executed.body.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
    no_store(headers);
    if executed.refused.as_deref() == Some(code::METHOD_NOT_ALLOWED) {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Some(spent) = &executed.spent {
        rate_limit(headers, spent);
    }
    response
}

fn refuse(issuer: &str, refused: &Refused, media: Media, request_id: Option<&str>) -> Response {
    let error = json!({
        "message": refused.message,
        "extensions": { "code": refused.code, "requestId": request_id },
    });
    let body = json!({ "errors": [error] }).to_string();
    let mut response = (refused.status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.header());
    no_store(headers);
    refused.mark(headers, issuer);
    response
}
