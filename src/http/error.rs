//! Failures outside OAuth and GraphQL, as problem details (RFC 9457): a code for programs, a sentence for people, the
//! request's id for the log.

use std::any::Any;

use axum::Json;
use axum::extract::Extension;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::headers::no_store;
use crate::app::context::Origin;

/// A problem with its status, code and sentence.
pub(super) fn problem(status: StatusCode, code: &str, detail: &str, request_id: Option<&str>) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "requestId": request_id,
    });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    // 404 and 405 may be cached otherwise (RFC 9110, section 15.1), and bear this request's id.
    no_store(headers);
    response
}

/// Answers on paths that lead nowhere.
pub(super) async fn no_such_path(Extension(origin): Extension<Origin>) -> Response {
    let detail = "There is nothing at this path.";
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", detail, origin.request_id.as_deref())
}

/// Answers to methods that a path does not know; the router adds `Allow`.
pub(super) async fn method_not_allowed(Extension(origin): Extension<Origin>) -> Response {
    let detail = "This method is not allowed. The Allow header lists the methods that are.";
    problem(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail, origin.request_id.as_deref())
}

/// The end of a panic: the connection lives on, the log has the message.
pub(super) fn panicked(cause: &(dyn Any + Send), request_id: &str) -> Response {
    let message =
        cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(request_id, cause = message.unwrap_or("no message"), "a handler panicked");
    let detail = "Internal server error.";
    problem(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail, Some(request_id))
}
