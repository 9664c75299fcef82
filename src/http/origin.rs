//! Where a request came from: the client's address and its user agent.
//!
//! `X-Forwarded-For` is believed only as far as trusted proxies have written it. Each proxy adds, at the right end, the
//! address that it was called from:
//!
//! 1. The peer of the connection is known. If it is no trusted proxy, it is the client, whatever the header says.
//! 2. A trusted proxy vouches for the entry that it added: the right-most one that is not used up. If that is a trusted
//!    proxy in its turn, it vouches for the next one to the left; otherwise it is the client.
//! 3. A trusted address with no entry left speaks for itself: it is the client.
//! 4. If the entry is no address, somebody is there whom nobody names: the client is not known, and what stands further
//!    left counts no more.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::app::context::Origin;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A user agent may be long; the log keeps its beginning.
const MAX_USER_AGENT: usize = 200;

/// Where the request with this id came from.
pub(super) fn origin(id: Arc<str>, peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Origin {
    let (ip, hidden) = client(peer, headers, trusted);
    Origin { request_id: Some(id), ip: Some(ip), hidden, user_agent: user_agent(headers) }
}

/// The nearest address that can be believed, and whether the client hides behind it.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> (IpAddr, bool) {
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    // Several headers are one list (RFC 9110, section 5.3).
    let mut entries = values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    let mut nearest = peer.to_canonical();
    while trusted.iter().any(|network| network.contains(&nearest)) {
        match entries.next().map(address) {
            Some(Some(address)) => nearest = address,
            Some(None) => return (nearest, true),
            None => break,
        }
    }
    (nearest, false)
}

/// An address, with or without a port; IPv6 with or without brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(v6) => v6.parse().map(IpAddr::V6).ok(),
        None => text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok(),
    };
    address.map(|address| address.to_canonical())
}

fn user_agent(headers: &HeaderMap) -> Option<Arc<str>> {
    // Visible ASCII: a byte is a character.
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.get(..MAX_USER_AGENT).unwrap_or(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nearest address; in brackets, if the client hides behind it.
    fn shown(peer: &str, forwarded: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let (nearest, hidden) = client(peer.parse().unwrap(), &headers, &trusted);
        if hidden { format!("({nearest})") } else { nearest.to_string() }
    }

    #[track_caller]
    fn check(cases: &[(&str, &[&[u8]], &str)]) {
        for (peer, forwarded, expected) in cases {
            let text: Vec<String> = forwarded.iter().map(|value| value.escape_ascii().to_string()).collect();
            assert_eq!(shown(peer, forwarded), *expected, "{peer} with {text:?}");
        }
    }

    #[test]
    fn who_is_no_trusted_proxy_cannot_choose_an_address() {
        check(&[
            ("203.0.113.7", &[], "203.0.113.7"),
            ("203.0.113.7", &[b"198.51.100.1"], "203.0.113.7"),
            ("203.0.113.7", &[b"10.0.0.1"], "203.0.113.7"),
            ("203.0.113.7", &[b"nonsense"], "203.0.113.7"),
            ("2001:db8::7", &[b"198.51.100.1"], "2001:db8::7"),
            ("::ffff:203.0.113.7", &[b"198.51.100.1"], "203.0.113.7"),
        ]);
    }

    #[test]
    fn the_right_most_address_that_no_trusted_proxy_has_is_the_client() {
        check(&[
            ("10.0.0.1", &[b"203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &[b"198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &[b"198.51.100.1", b"203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &[b"203.0.113.9,10.0.0.3", b"fd00::2", b"10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &[b"198.51.100.1, 203.0.113.9, 10.0.0.3, 10.0.0.2"], "203.0.113.9"),
            // The proxies' own: nobody forwards for the left-most.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ]);
    }

    #[test]
    fn addresses_come_in_many_forms() {
        check(&[
            ("10.0.0.1", &[b"  203.0.113.9\t"], "203.0.113.9"),
            ("10.0.0.1", &[b"198.51.100.1 ,\t 203.0.113.9 , 10.0.0.2 "], "203.0.113.9"),
            ("10.0.0.1", &[b"203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", &[b"203.0.113.9, 10.0.0.2:4711"], "203.0.113.9"),
            ("10.0.0.1", &[b"::ffff:203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &[b"203.0.113.9, ::ffff:10.0.0.2"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &[b"::ffff:203.0.113.9"], "203.0.113.9"),
            ("fd00::1", &[b"2001:db8::1"], "2001:db8::1"),
            ("fd00::1", &[b"[2001:db8::1]"], "2001:db8::1"),
            ("fd00::1", &[b"[2001:db8::1]:443"], "2001:db8::1"),
            ("fd00::1", &[b"2001:DB8:0::1, [fd00::2]:443"], "2001:db8::1"),
        ]);
    }

    #[test]
    fn what_is_no_address_hides_the_client_and_what_stands_left_of_it_counts_no_more() {
        check(&[
            ("10.0.0.1", &[b"nonsense"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"unknown"], "(10.0.0.1)"),
            ("10.0.0.1", &[b""], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.9, unknown"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.9,"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.9", b""], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.9", b"unix:, 10.0.0.2"], "(10.0.0.2)"),
            ("10.0.0.1", &[b"203.0.113.9", b"\xff, 10.0.0.2"], "(10.0.0.2)"),
            ("10.0.0.1", &[b"203.0.113.9", b"\xff"], "(10.0.0.1)"),
            // Bytes that are no text do not hide what stands right of them.
            ("10.0.0.1", &[b"198.51.100.1", b"\xff, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &[b"nonsense, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &[b"203.0.113.9:"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.9:65536"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.09"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"[203.0.113.9]"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"[2001:db8::1"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.0/24"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"for=203.0.113.9"], "(10.0.0.1)"),
            ("10.0.0.1", &[b"\"203.0.113.9\""], "(10.0.0.1)"),
            ("10.0.0.1", &[b"203.0.113.9 198.51.100.1"], "(10.0.0.1)"),
        ]);
    }
}
