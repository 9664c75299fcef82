//! Where a request came from: its id, the client's address, the user agent; and its line in the log.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use super::AppState;
use super::headers::REQUEST_ID;
use crate::context::Origin;
use crate::entropy::bytes;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A user agent may be long; the log keeps its beginning.
const MAX_USER_AGENT: usize = 200;

/// Gives the request its origin, the answer its id, and the log one line.
pub(super) async fn trace(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = format!("{:032x}", u128::from_be_bytes(bytes(&*state.app.entropy)));
    let origin = Origin {
        request_id: Some(id.clone()),
        ip: Some(client_address(peer.ip(), request.headers(), &state.app.trusted_proxies)),
        user_agent: user_agent(request.headers()),
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = state.app.clock.elapsed();
    request.extensions_mut().insert(origin);
    let mut response = next.run(request).await;
    let elapsed = state.app.clock.elapsed().saturating_sub(started);
    tracing::info!(
        request_id = %id,
        %method,
        path,
        status = response.status().as_u16(),
        duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "{method} answered with {}", response.status().as_u16()
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The peer, unless it is a trusted proxy; then the right-most forwarded address that no trusted proxy stands behind.
/// What is left of it was written by strangers.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut client = peer;
    for text in forwarded.iter().rev() {
        let Some(address) = address(text.trim()) else {
            break;
        };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok();
    plain.map(|address: IpAddr| address.to_canonical())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(MAX_USER_AGENT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn strangers_cannot_choose_their_address() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1", "203.0.113.9, 10.0.0.2"]), "203.0.113.9");
    }

    #[test]
    fn odd_forms_are_understood_or_ignored() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("fd00::1", &["[2001:db8::1]:443"]), "2001:db8::1");
    }
}
