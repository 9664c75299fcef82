//! The `Authorization` header on the way in: one header, one scheme. On the way out the challenge that fits what came in
//! (RFC 9110, section 11.6.1).

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};

/// The challenge for a name and a secret, in UTF-8 (RFC 7617, sections 2 and 2.1).
pub(super) const BASIC: &str = "Basic realm=\"latchkey\", charset=\"UTF-8\"";

/// What the `Authorization` header holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    Nothing,
    Bearer(&'a str),
    /// What follows `Basic`, still encoded.
    Basic(&'a str),
    /// Another scheme, or something that is no header of this kind.
    Other,
    /// More than one: which one is meant cannot be told.
    Several,
}

pub(super) fn presented(headers: &HeaderMap) -> Presented<'_> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (all.next(), all.next()) else {
        return if headers.contains_key(AUTHORIZATION) { Presented::Several } else { Presented::Nothing };
    };
    let Ok(text) = header.to_str() else {
        return Presented::Other;
    };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Presented::Bearer(token.trim())
        }
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") && !pair.trim().is_empty() => {
            Presented::Basic(pair.trim())
        }
        _ => Presented::Other,
    }
}

/// What a 401 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token, of whoever presented none: no credentials, or some that are not accepted here. It names no error (RFC
    /// 6750, section 3.1).
    Bearer,
    /// Another token than the one presented.
    InvalidToken,
    /// Another name or password than those presented. Nobody else is asked for them: a browser would ask its user.
    Basic,
}

/// Adds the challenge; for tokens with where the metadata are (RFC 9728, section 5.1).
pub(super) fn challenge(headers: &mut HeaderMap, issuer: &str, challenge: Challenge) {
    let metadata = format!("resource_metadata=\"{issuer}/.well-known/oauth-protected-resource\"");
    let challenge = match challenge {
        Challenge::Bearer => format!("Bearer {metadata}"),
        Challenge::InvalidToken => {
            let error =
                "error=\"invalid_token\", error_description=\"The access token is invalid or expired\"";
            format!("Bearer {error}, {metadata}")
        }
        Challenge::Basic => BASIC.to_owned(),
    };
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        headers.insert(WWW_AUTHENTICATE, value);
    }
}

/// Asks for a token with these scopes, which are needed together (RFC 6750, section 3.1).
pub(super) fn insufficient_scope(headers: &mut HeaderMap, issuer: &str, scope: &str) {
    let metadata = format!("resource_metadata=\"{issuer}/.well-known/oauth-protected-resource\"");
    let error = "error=\"insufficient_scope\", error_description=\"The access token lacks a required scope\"";
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {error}, scope=\"{scope}\", {metadata}")) {
        headers.insert(WWW_AUTHENTICATE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_scheme_counts_in_any_case() {
        assert_eq!(presented(&headers(&["bEARER abc"])), Presented::Bearer("abc"));
        assert_eq!(presented(&headers(&[])), Presented::Nothing);
        assert_eq!(presented(&headers(&["Basic abc"])), Presented::Basic("abc"));
        assert_eq!(presented(&headers(&["Digest abc"])), Presented::Other);
        assert_eq!(presented(&headers(&["Bearer "])), Presented::Other);
        assert_eq!(presented(&headers(&["Bearer a", "Bearer b"])), Presented::Several);
    }
}
