//! Bodies: read, never more of one than the endpoint allows, and written.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

/// In bytes: so long an answer about a token is, or shorter.
const USUAL: usize = 1_024;

/// The body was longer than allowed, or did not arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreadable;

pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Unreadable> {
    to_bytes(body, limit).await.map_err(|_| Unreadable)
}

/// An answer in JSON.
pub(super) fn json(body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(USUAL);
    if let Err(error) = serde_json::to_writer(&mut text, body) {
        tracing::error!(%error, "an answer could not be written as JSON");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The media type, without parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split_once(';').map_or(value, |(kind, _)| kind);
    Some(kind.trim().to_ascii_lowercase())
}
