//! `POST /session`, `DELETE /session` and `POST /setup`: the console's sign-in, sign-out and first administrator. JSON
//! in; the sign-in itself is a cookie that no script can read.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::AppState;
use super::body::{media_type, read};
use super::error::problem;
use super::headers::{no_store, retry_after};
use crate::actions::sessions::{self, LONGEST, Password, SignInError};
use crate::actions::setup::{self, FirstAdministrator, WantedPassword};
use crate::app::context::Origin;
use crate::error::Error;

const MAX_BODY: usize = 8 * 1024;
/// The cookie over TLS; browsers keep its prefix to this host, this path and TLS.
const SECURE: &str = "__Host-latchkey";
/// The cookie over plain HTTP, which is for loopback alone.
const PLAIN: &str = "latchkey";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    email: String,
    password: Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Setup {
    token: String,
    email: String,
    display_name: Option<String>,
    password: Zeroizing<String>,
}

/// Signs in: 204 with the cookie, 401, or 429.
pub(super) async fn sign_in(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let id = origin.request_id.as_deref();
    let Some(name) = cookie_name(&state.app.issuer) else {
        let detail = "Signing in requires https: the setting `public_url` is an http URL of another machine.";
        return problem(StatusCode::FORBIDDEN, "INSECURE", detail, id);
    };
    let sign_in: SignIn = match json(&headers, body).await {
        Ok(sign_in) => sign_in,
        Err((status, detail)) => return problem(status, "BAD_USER_INPUT", detail, id),
    };
    let Some(password) = Password::claimed(sign_in.password) else {
        return refused(&SignInError::Refused, &origin);
    };
    match sessions::sign_in(&state.app, &origin, &sign_in.email, password).await {
        Ok(token) => with_cookie(name, &token, LONGEST),
        Err(error) => refused(&error, &origin),
    }
}

/// Signs out: 204, also when nobody was signed in.
pub(super) async fn sign_out(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    if let Some(token) = cookie(&headers, &state.app.issuer)
        && let Err(error) = sessions::sign_out(&state.app, &origin, token).await
    {
        return failed(&error, &origin);
    }
    with_cookie(cookie_name(&state.app.issuer).unwrap_or(SECURE), "", 0)
}

/// Makes the first administrator: 204, or 401 when the token is not (any more) the one in the server's file.
pub(super) async fn set_up(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let id = origin.request_id.as_deref();
    let setup: Setup = match json(&headers, body).await {
        Ok(setup) => setup,
        Err((status, detail)) => return problem(status, "BAD_USER_INPUT", detail, id),
    };
    if !origin.ip.is_none_or(|ip| state.app.limits.sign_in("", ip)) {
        return refused(&SignInError::TooMany, &origin);
    }
    let new = FirstAdministrator {
        token: setup.token,
        email: setup.email,
        display_name: setup.display_name,
        password: WantedPassword::new(setup.password),
    };
    match setup::first_administrator(&state.app, &origin, new).await {
        Ok(_) => empty(),
        Err(Error::Unauthenticated) => {
            let detail =
                "The setup token is wrong or older than an hour. Restart the server to get a new one.";
            problem(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail, id)
        }
        Err(Error::Refused(refused)) => {
            problem(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", &refused.message, id)
        }
        Err(error) => failed(&error, &origin),
    }
}

/// The value of the console's cookie, under the one name that it has here.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, issuer: &str) -> Option<&'a str> {
    let expected = cookie_name(issuer)?;
    pairs(headers).find(|(name, _)| *name == expected).map(|(_, value)| value)
}

/// Whether there is a cookie of the console's, of either name.
pub(super) fn has_cookie(headers: &HeaderMap) -> bool {
    pairs(headers).any(|(name, _)| [SECURE, PLAIN].contains(&name))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// The name that the cookie has here; none where it would travel unprotected.
fn cookie_name(issuer: &str) -> Option<&'static str> {
    if issuer.starts_with("https://") {
        return Some(SECURE);
    }
    let host = issuer.strip_prefix("http://")?;
    let host = host.strip_prefix('[').map_or_else(
        || host.split(':').next().unwrap_or(host),
        |bracketed| bracketed.split(']').next().unwrap_or(bracketed),
    );
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    loopback.then_some(PLAIN)
}

fn with_cookie(name: &str, value: &str, seconds: i64) -> Response {
    let secure = if name == SECURE { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut response = empty();
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn empty() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    no_store(response.headers_mut());
    response
}

async fn json<T: for<'de> Deserialize<'de>>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, (StatusCode, &'static str)> {
    if media_type(headers).as_deref() != Some("application/json") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send Content-Type: application/json."));
    }
    let body =
        read(body, MAX_BODY).await.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "Send at most 8 KiB."))?;
    let body = Zeroizing::new(body.to_vec());
    serde_json::from_slice(&body)
        .map_err(|_| (StatusCode::BAD_REQUEST, "Send a JSON object with the documented members."))
}

fn refused(error: &SignInError, origin: &Origin) -> Response {
    let id = origin.request_id.as_deref();
    match error {
        SignInError::Refused => {
            let detail = "There is no active user with this e-mail address and password.";
            problem(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail, id)
        }
        SignInError::PasswordsOff => {
            let detail = "Passwords are not accepted here.";
            problem(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail, id)
        }
        SignInError::TooMany => {
            let detail = "Too many attempts. Wait a minute.";
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", detail, id);
            retry_after(response.headers_mut(), 60);
            response
        }
        SignInError::Failed(error) => failed(error, origin),
    }
}

fn failed(error: &Error, origin: &Origin) -> Response {
    let id = origin.request_id.as_deref();
    if let Error::Unavailable = error {
        let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", &error.to_string(), id);
        retry_after(response.headers_mut(), 1);
        return response;
    }
    tracing::error!(request_id = id, cause = ?error, "sign-in failed");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Internal server error.", id)
}
