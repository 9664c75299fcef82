//! Headers that several endpoints send.

use axum::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::app::limits::Spent;

/// So many headers an answer has, with those that come later.
const USUAL: usize = 12;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Nothing that bears a credential or personal data is kept by caches (RFC 6749, section 5.1).
pub(super) fn no_store(headers: &mut HeaderMap) {
    headers.reserve(USUAL);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): the quota, and what is left of it.
pub(super) fn rate_limit(headers: &mut HeaderMap, spent: &Spent) {
    let name = spent.limit.name();
    let policy = format!("\"{name}\";q={};w={}", spent.quota.requests, spent.quota.per_seconds);
    let left = format!("\"{name}\";r={};t={}", spent.remaining, spent.reset_seconds);
    for (header, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
    if !spent.allowed {
        retry_after(headers, spent.retry_after_seconds);
    }
}

pub(super) fn retry_after(headers: &mut HeaderMap, seconds: u64) {
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
}
