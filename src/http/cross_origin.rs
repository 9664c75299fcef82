//! Browsers on other origins. Pages of the listed origins may call the API with an access token (CORS, Fetch standard,
//! section 3.2); a request that bears the console's cookie must come from the console itself (CSRF). Nothing of this
//! concerns programs that are no browsers.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;
use tower_http::csrf::CsrfLayer;

use super::error::problem;
use super::headers::{RATE_LIMIT, RATE_LIMIT_POLICY, REQUEST_ID};
use super::is_of_gateways;
use super::sessions::has_cookie;

const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// Lets pages of these origins call the API and read its answers. Credentials other than a token in a header are not
/// allowed.
pub(super) fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let idempotency_key = HeaderName::from_static("idempotency-key");
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, idempotency_key])
        .expose_headers([REQUEST_ID, RATE_LIMIT, RATE_LIMIT_POLICY, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_AGE)
}

/// Refuses what a browser sends from elsewhere with the console's cookie, unless it can change nothing. Gateways pass on
/// what browsers sent them: no cookie may be refused for them here.
pub(super) async fn guard_cookie(request_id: &str, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // A page elsewhere must not sign anybody in, either.
    let signs_in = matches!(path, "/session" | "/setup");
    let bears_cookie = !request.headers().contains_key(AUTHORIZATION) && has_cookie(request.headers());
    if is_of_gateways(path) || !(signs_in || bears_cookie) {
        return next.run(request).await;
    }
    let onward = service_fn(move |request| {
        let next = next.clone();
        async move { Ok::<_, Infallible>(next.run(request).await) }
    });
    let Ok(mut response) = CsrfLayer::new().layer(onward).oneshot(request).await;
    if response.extensions_mut().remove::<tower_http::csrf::ProtectionError>().is_some() {
        let detail = "A request with the console's cookie must come from a page of the console.";
        return problem(StatusCode::FORBIDDEN, "CROSS_ORIGIN", detail, Some(request_id));
    }
    response.map(axum::body::Body::new)
}
