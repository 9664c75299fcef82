//! `POST /oauth/token` and `POST /api/v2/authenticate`: credentials in, a token out, never cached (RFC 6749).

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, body};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

use super::AppState;
use super::authorize::BASIC;
use super::body::{media_type, read};
use super::headers::{no_store, rate_limit, retry_after};
use super::outcomes::shown;
use super::parameters::Parameters;
use crate::actions::tokens::{self, ExchangeError, ExchangeRequest, IssuedToken, Refusal};
use crate::context::Origin;
use crate::error::Error;

const MAX_BODY: usize = 8 * 1024;

/// An error in the form of RFC 6749, section 5.2.
#[derive(Debug)]
struct OauthError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

const fn invalid_request(description: &'static str) -> OauthError {
    OauthError { status: StatusCode::BAD_REQUEST, error: "invalid_request", description }
}

const fn invalid_client(description: &'static str) -> OauthError {
    OauthError { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description }
}

/// The exchange with the parameters of RFC 6749; a JSON body with the same names is accepted too.
pub(super) async fn exchange(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match parse(&headers, body).await {
        Ok(request) => match tokens::exchange(&state.app, &origin, &request).await {
            Ok(token) => issued(&token),
            // To clients that sent their credentials in the body a challenge is noise, which stock libraries report
            // instead of the error.
            Err(error) if headers.contains_key(AUTHORIZATION) => challenged(failed(&error, &origin)),
            Err(error) => failed(&error, &origin),
        },
        Err(error) => challenged(error.into_response()),
    }
}

/// The exchange as clients of the Xray kind send it: JSON with id and secret in, a bare JSON string out.
pub(super) async fn authenticate(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match parse_credentials_only(&headers, body).await {
        Ok(request) => match tokens::exchange(&state.app, &origin, &request).await {
            Ok(token) => {
                let mut response = Json(&token.access_token).into_response();
                rate_limit(response.headers_mut(), &token.spent);
                no_store(response.headers_mut());
                response
            }
            Err(error) => failed(&error, &origin),
        },
        Err(error) => error.into_response(),
    }
}

/// Answers to other methods; the router adds `Allow`.
pub(super) async fn method_not_allowed() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    OauthError { status, ..invalid_request("Send the request by POST.") }.into_response()
}

async fn read_body(body: Body) -> Result<body::Bytes, OauthError> {
    let too_large =
        OauthError { status: StatusCode::PAYLOAD_TOO_LARGE, ..invalid_request("Send at most 8 KiB.") };
    read(body, MAX_BODY).await.map_err(|_| too_large)
}

async fn parse(headers: &HeaderMap, body: Body) -> Result<ExchangeRequest, OauthError> {
    let body = read_body(body).await?;
    let mut parameters = match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => Parameters::from_form(&body),
        Some("application/json") => Parameters::from_json(&body).ok_or(invalid_request(
            "The body is not a JSON object of strings, or names a parameter twice.",
        ))?,
        _ => {
            return Err(invalid_request("Send Content-Type: application/x-www-form-urlencoded."));
        }
    };
    let resources = parameters.take_all("resource");
    if parameters.repeats() {
        return Err(invalid_request("A parameter is repeated."));
    }
    match parameters.take("grant_type").as_deref().map(String::as_str) {
        Some("client_credentials") => {}
        Some(_) => {
            let description = "Only grant_type=client_credentials is supported.";
            return Err(OauthError { error: "unsupported_grant_type", ..invalid_request(description) });
        }
        None => return Err(invalid_request("The parameter grant_type is missing.")),
    }
    let (client_id, client_secret) = credentials(headers, &mut parameters)?;
    let scope = parameters.take("scope").map(|scope| scope.to_string());
    if scope.as_ref().is_some_and(|scope| !is_scope(scope)) {
        let description = "The scope is not a list of names with single spaces between.";
        return Err(OauthError { error: "invalid_scope", ..invalid_request(description) });
    }
    let resources = resources.into_iter().map(|resource| resource.to_string()).collect();
    Ok(ExchangeRequest { client_id, client_secret, scope, resources })
}

async fn parse_credentials_only(headers: &HeaderMap, body: Body) -> Result<ExchangeRequest, OauthError> {
    let body = read_body(body).await?;
    if media_type(headers).as_deref() != Some("application/json") {
        return Err(invalid_request("Send Content-Type: application/json."));
    }
    let expected = "Send a JSON object with the strings client_id and client_secret.";
    let mut parameters =
        Parameters::from_json(&body).filter(|all| !all.repeats()).ok_or(invalid_request(expected))?;
    let (Some(id), Some(secret)) = (parameters.take("client_id"), parameters.take("client_secret")) else {
        return Err(invalid_request(expected));
    };
    Ok(ExchangeRequest {
        client_id: id.to_string(),
        client_secret: secret,
        scope: None,
        resources: Vec::new(),
    })
}

type Credentials = (String, Zeroizing<String>);

/// Basic or the body, never both (RFC 6749, section 2.3). A client id in the body beside Basic is no second method, as
/// long as it is the same.
fn credentials(headers: &HeaderMap, parameters: &mut Parameters) -> Result<Credentials, OauthError> {
    let (id, secret) = (parameters.take("client_id"), parameters.take("client_secret"));
    let mut all = headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(_), Some(_)) => Err(invalid_request("There is more than one Authorization header.")),
        (Some(header), None) => {
            let basic = basic(header).ok_or(invalid_client(
                "The Authorization header is not Basic with client id and secret, each form-encoded.",
            ))?;
            if secret.is_some() || id.is_some_and(|id| *id != basic.0) {
                return Err(invalid_request(
                    "Authenticate by the Authorization header or in the body, not both.",
                ));
            }
            Ok(basic)
        }
        (None, _) => match (id, secret) {
            (Some(id), Some(secret)) => Ok((id.to_string(), secret)),
            _ => {
                Err(invalid_client("Authenticate by Basic, or with client_id and client_secret in the body."))
            }
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
fn is_scope(text: &str) -> bool {
    text.split(' ').all(|name| {
        !name.is_empty() && name.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    })
}

fn issued(token: &IssuedToken) -> Response {
    let body = json!({
        "access_token": token.access_token,
        "token_type": "Bearer",
        "expires_in": token.expires_in_seconds,
        "scope": token.scopes.to_string(),
    });
    let mut response = Json(body).into_response();
    rate_limit(response.headers_mut(), &token.spent);
    no_store(response.headers_mut());
    response
}

fn failed(error: &ExchangeError, origin: &Origin) -> Response {
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
            let description = "The server cannot reach its database: try again.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let mut response =
                OauthError { status, error: "temporarily_unavailable", description }.into_response();
            retry_after(response.headers_mut(), 1);
            response
        }
        ExchangeError::Failed(error) => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(request_id = origin.request_id, %error, cause, "an exchange failed");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            OauthError { status, error: "server_error", description: "Something went wrong on the server." }
                .into_response()
        }
    }
}

/// Names Basic as the way in on a 401 (RFC 6749, section 5.2; RFC 9110, section 15.5.2).
fn challenged(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC));
    }
    response
}

impl OauthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        no_store(headers);
        response
    }
}
