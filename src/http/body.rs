//! Reading a body, never more of it than the endpoint allows.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// The body was longer than allowed, or did not arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreadable;

pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Unreadable> {
    to_bytes(body, limit).await.map_err(|_| Unreadable)
}

/// The media type, without parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split_once(';').map_or(value, |(kind, _)| kind);
    Some(kind.trim().to_ascii_lowercase())
}
