//! What the endpoints under `/oauth` share: how a client sends its parameters and its credentials, and how an error is told
//! (RFC 6749).

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

use super::authorize::{BASIC, Challenge, Presented, challenge, insufficient_scope, presented};
use super::body::{media_type, read};
use super::headers::{no_store, rate_limit, retry_after};
use super::outcomes::shown;
use super::parameters::{Parameters, Value};
use crate::actions::revoke::Credential;
use crate::actions::tokens::{ExchangeError, Refusal};
use crate::app::context::Origin;
use crate::error::Error;

/// Of a request for a token.
pub(super) const SHORT: usize = 8 * 1024;
/// Of a request that tells of a token, which may name many scopes.
pub(super) const LONG: usize = 64 * 1024;

/// An error in the form of RFC 6749, section 5.2.
#[derive(Clone, Copy, Debug)]
pub(super) struct OauthError {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

pub(super) const fn invalid_request(description: &'static str) -> OauthError {
    OauthError { status: StatusCode::BAD_REQUEST, error: "invalid_request", description }
}

pub(super) const fn invalid_client(description: &'static str) -> OauthError {
    OauthError { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
}

/// Answers to other methods; the router adds `Allow`.
pub(super) async fn method_not_allowed() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    OauthError { status, ..invalid_request("Only POST is allowed.") }.into_response()
}

pub(super) async fn read_body(body: Body, limit: usize) -> Result<Bytes, OauthError> {
    let description = if limit == SHORT { "Send at most 8 KiB." } else { "Send at most 64 KiB." };
    let too_large = OauthError { status: StatusCode::PAYLOAD_TOO_LARGE, ..invalid_request(description) };
    read(body, limit).await.map_err(|_| too_large)
}

/// The parameters of a request, as a form or as a JSON object of strings.
pub(super) fn parameters<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Parameters<'a>, OauthError> {
    match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => Ok(Parameters::from_form(body)),
        Some("application/json") => Parameters::from_json(body)
            .ok_or(invalid_request("The body is not a JSON object of strings, or a parameter is repeated.")),
        _ => Err(invalid_request("Send Content-Type: application/x-www-form-urlencoded.")),
    }
}

/// What a request about a token is made of: who asks, and the token.
pub(super) struct About<'a> {
    pub(super) credential: Credential<'a>,
    pub(super) token: Value<'a>,
}

/// A request about a token (RFC 7009, section 2.1, and RFC 7662, section 2.1). `token_type_hint` says nothing new: there
/// is one type.
pub(super) fn about<'a>(
    headers: &'a HeaderMap,
    body: &'a Result<Bytes, OauthError>,
) -> Result<About<'a>, OauthError> {
    let mut parameters = parameters(headers, body.as_ref().map_err(|error| *error)?)?;
    if parameters.repeats() {
        return Err(invalid_request("A parameter is repeated."));
    }
    let credential = match presented(headers) {
        Presented::Bearer(_) if parameters.take("client_secret").is_some() => {
            return Err(invalid_request(
                "Authenticate with the Authorization header or in the body, not both.",
            ));
        }
        Presented::Bearer(token) => Credential::Token(token),
        _ => {
            let (client_id, client_secret) = credentials(headers, &mut parameters)?;
            Credential::Secret { client_id, client_secret }
        }
    };
    let token = parameters.take("token").ok_or(invalid_request("The parameter token is missing."))?;
    Ok(About { credential, token })
}

/// The answer to a request that cannot be read, or whose sender is refused, with the challenge that fits the credential.
pub(super) fn refused(error: &ExchangeError, origin: &Origin, headers: &HeaderMap, issuer: &str) -> Response {
    let mut response = failed(error, origin);
    let by_token = matches!(presented(headers), Presented::Bearer(_));
    match error {
        ExchangeError::Failed(Error::Unauthenticated) => {
            challenge(response.headers_mut(), issuer, Challenge::InvalidToken);
        }
        ExchangeError::Failed(Error::Denied { required }) if by_token => {
            insufficient_scope(response.headers_mut(), issuer, &required.join(" "));
        }
        // As at the token endpoint: see there.
        _ if headers.contains_key(AUTHORIZATION) => return challenged(response),
        _ => {}
    }
    response
}

type Credentials = (String, Zeroizing<String>);

/// Basic or the body, never both (RFC 6749, section 2.3). A client id in the body beside Basic is no second method, as
/// long as it is the same.
pub(super) fn credentials(
    headers: &HeaderMap,
    parameters: &mut Parameters<'_>,
) -> Result<Credentials, OauthError> {
    let (id, secret) = (parameters.take("client_id"), parameters.take("client_secret"));
    let mut all = headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(_), Some(_)) => Err(invalid_request("The request has more than one Authorization header.")),
        (Some(header), None) => {
            let basic = basic(header).ok_or(invalid_client(
                "The Authorization header must be Basic, with the form-encoded client id and client secret.",
            ))?;
            if secret.is_some() || id.is_some_and(|id| *id != basic.0) {
                return Err(invalid_request(
                    "Authenticate with the Authorization header or in the body, not both.",
                ));
            }
            Ok(basic)
        }
        (None, _) => match (id, secret) {
            (Some(id), Some(secret)) => Ok((id.to_string(), secret.to_secret())),
            _ => Err(invalid_client(
                "Authenticate with HTTP Basic, or with client_id and client_secret in the body.",
            )),
        },
    }
}

/// RFC 6749, section 2.3.1: both halves were form-encoded before they were joined.
fn basic(header: &HeaderValue) -> Option<Credentials> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((form_decoded(id).to_string(), form_decoded(secret)))
}

fn form_decoded(text: &str) -> Zeroizing<String> {
    // An `=` or `&` cannot be part of a form-encoded value; as a raw character it is kept.
    let encoded = Zeroizing::new(text.replace('=', "%3D").replace('&', "%26"));
    let mut pairs = form_urlencoded::parse(encoded.as_bytes());
    Zeroizing::new(pairs.next().map(|(value, _)| value.into_owned()).unwrap_or_default())
}

/// RFC 6749, section 3.3: visible ASCII without quote and backslash, single spaces between.
pub(super) fn is_scope(text: &str) -> bool {
    text.split(' ').all(|name| {
        !name.is_empty() && name.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    })
}

/// What a client is told that does not get what it asked for; 401 without a challenge.
pub(super) fn failed(error: &ExchangeError, origin: &Origin) -> Response {
    match error {
        ExchangeError::Refused(Refusal { outcome, description, spent }) => {
            let (error, status) = shown(*outcome).oauth.unwrap_or(("server_error", 500));
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = OauthError { status, error, description }.into_response();
            match spent {
                Some(spent) => rate_limit(response.headers_mut(), spent),
                None if status == StatusCode::TOO_MANY_REQUESTS => retry_after(response.headers_mut(), 60),
                None => {}
            }
            response
        }
        ExchangeError::Failed(Error::Unavailable) => {
            let description = "The database is unavailable. Try again.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let mut response =
                OauthError { status, error: "temporarily_unavailable", description }.into_response();
            retry_after(response.headers_mut(), 1);
            response
        }
        ExchangeError::Failed(Error::Unauthenticated) => {
            let description = "The access token is invalid or expired.";
            OauthError { status: StatusCode::UNAUTHORIZED, error: "invalid_token", description }
                .into_response()
        }
        ExchangeError::Failed(Error::Denied { .. }) => {
            let description = "This requires a scope that the client does not hold.";
            OauthError { status: StatusCode::FORBIDDEN, error: "insufficient_scope", description }
                .into_response()
        }
        ExchangeError::Failed(error) => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(request_id = origin.request_id.as_deref(), %error, cause, "a client request \
                failed");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            OauthError { status, error: "server_error", description: "Internal server error." }
                .into_response()
        }
    }
}

/// Names Basic as the way in on a 401 (RFC 6749, section 5.2; RFC 9110, section 15.5.2).
pub(super) fn challenged(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC));
    }
    response
}

impl OauthError {
    pub(super) fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        no_store(headers);
        response
    }
}
