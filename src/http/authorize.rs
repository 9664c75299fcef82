//! Bearer tokens on the way in (RFC 6750): one header, one scheme, and a challenge that says what was wrong.

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};

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

/// The challenge: bare for a request without credentials, with the error otherwise (RFC 6750, section 3.1), and where
/// the metadata are (RFC 9728, section 5.1).
pub(super) fn challenge(headers: &mut HeaderMap, issuer: &str, error: Option<(&str, &str)>) {
    let metadata = format!("resource_metadata=\"{issuer}/.well-known/oauth-protected-resource\"");
    let challenge = match error {
        None => format!("Bearer {metadata}"),
        Some((error, description)) => {
            format!("Bearer error=\"{error}\", error_description=\"{description}\", {metadata}")
        }
    };
    if let Ok(value) = HeaderValue::from_str(&challenge) {
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
