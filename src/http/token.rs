//! `POST /oauth/token` and `POST /api/v2/authenticate`: credentials in, a token out, never cached (RFC 6749).

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::AppState;
use super::body::media_type;
use super::headers::{no_store, rate_limit};
use super::oauth::{
    OauthError, SHORT, challenged, credentials, failed, invalid_request, is_scope, parameters, read_body,
};
use super::parameters::Parameters;
use crate::actions::tokens::{self, ExchangeRequest, IssuedToken};
use crate::app::context::Origin;

/// The exchange with the parameters of RFC 6749; a JSON body with the same names is accepted too.
pub(super) async fn exchange(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
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
    request: Request,
) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
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

async fn parse(headers: &HeaderMap, body: Body) -> Result<ExchangeRequest, OauthError> {
    let body = read_body(body, SHORT).await?;
    let mut parameters = parameters(headers, &body)?;
    let resources = parameters.take_all("resource");
    if parameters.repeats() {
        return Err(invalid_request("A parameter is repeated."));
    }
    match parameters.take("grant_type").as_deref() {
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
        let description = "scope must be a list of names separated by single spaces.";
        return Err(OauthError { error: "invalid_scope", ..invalid_request(description) });
    }
    let resources = resources.into_iter().map(|resource| resource.to_string()).collect();
    Ok(ExchangeRequest { client_id, client_secret, scope, resources })
}

async fn parse_credentials_only(headers: &HeaderMap, body: Body) -> Result<ExchangeRequest, OauthError> {
    let body = read_body(body, SHORT).await?;
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
        client_secret: secret.to_secret(),
        scope: None,
        resources: Vec::new(),
    })
}

/// RFC 6749, section 5.1.
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    scope: &'a str,
}

fn issued(token: &IssuedToken) -> Response {
    let body = TokenResponse {
        access_token: &token.access_token,
        token_type: "Bearer",
        expires_in: token.expires_in_seconds,
        scope: token.grant.scopes.text(),
    };
    let mut response = Json(body).into_response();
    rate_limit(response.headers_mut(), &token.spent);
    no_store(response.headers_mut());
    response
}
