//! What every request passes through: it is given its origin, its answer the id, the log one line; a panic ends here.
//!
//! One layer for all of it, because each layer of its own costs every request a few allocations.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use uuid::Uuid;

use super::AppState;
use super::cross_origin::guard_cookie;
use super::error::panicked;
use super::headers::REQUEST_ID;
use super::origin::origin;
use crate::entropy::{Random, bytes};

pub(super) async fn around(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(&*state.app.entropy);
    let origin = origin(Arc::clone(&id), peer.ip(), request.headers(), &state.app.trusted_proxies);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let started = state.app.clock.elapsed();
    request.extensions_mut().insert(origin);
    let answered = AssertUnwindSafe(guard_cookie(&id, request, next)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|cause| panicked(&*cause, &id));
    let elapsed = state.app.clock.elapsed().saturating_sub(started);
    tracing::info!(
        request_id = &*id,
        %method,
        path = uri.path(),
        status = response.status().as_u16(),
        duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "{method} answered with {}", response.status().as_u16()
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// 32 hexadecimal digits.
fn request_id(entropy: &dyn Random) -> Arc<str> {
    let id = Uuid::from_bytes(bytes(entropy)).simple();
    Arc::from(&*id.encode_lower(&mut Uuid::encode_buffer()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::extract::connect_info::MockConnectInfo;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::App;
    use crate::clock::SystemClock;
    use crate::config::Config;
    use crate::entropy::SystemEntropy;
    use crate::graphql::Schema;
    use crate::timeouts::Timeouts;

    async fn broken() {
        assert!(std::env::args().len() == 0, "as it should not be");
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_the_id_of_the_request_and_says_nothing_of_its_cause() {
        let directory = tempfile::tempdir().unwrap();
        let settings = format!("data_dir = '{}'", directory.path().display());
        let config = Config { timeouts: Timeouts::never(), ..Config::from_toml(&settings).unwrap() };
        let issuer = "http://localhost".to_owned();
        let opened = App::open(&config, issuer, SystemClock::shared(), SystemEntropy::shared()).await;
        let (app, writer) = opened.unwrap();
        let state = AppState { app, schema: Schema::build() };
        let router: Router = Router::new()
            .route("/broken", get(broken))
            .layer(from_fn_with_state(state, around))
            .layer(MockConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let request = Request::builder().uri("/broken").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let id = response.headers()[&REQUEST_ID].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["code"], &problem["requestId"]), (&"INTERNAL".into(), &id.into()));
        assert!(!problem.to_string().contains("as it should not be"));
        writer.finish().await;
    }
}
