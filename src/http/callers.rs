//! Who is asking, by whatever credential came; or the answer to a request that is refused before anything is done.

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::AppState;
use super::authorize::{Challenge, Presented, challenge, presented};
use super::headers::retry_after;
use super::sessions::cookie;
use crate::access::Caller;
use crate::actions::identify;
use crate::actions::sessions::{self, Password, SignInError};
use crate::app::context::Origin;
use crate::error::Error;
use crate::graphql::code;

/// A request that was answered before anything was executed.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Of a 401.
    challenge: Option<Challenge>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), challenge: None }
    }

    pub(super) fn unauthorized(challenge: Challenge, message: &str) -> Self {
        let refused = Self::new(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, message);
        Self { challenge: Some(challenge), ..refused }
    }

    /// Which of several headers is meant cannot be told.
    pub(super) fn several_headers() -> Self {
        let message = "The request has more than one Authorization header.";
        Self::new(StatusCode::BAD_REQUEST, code::BAD_USER_INPUT, message)
    }

    /// What the headers of the answer say beside the status: what to present, when to come back.
    pub(super) fn mark(&self, headers: &mut HeaderMap, issuer: &str) {
        if let Some(asked) = self.challenge {
            challenge(headers, issuer, asked);
        }
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => retry_after(headers, 1),
            StatusCode::TOO_MANY_REQUESTS => retry_after(headers, 60),
            _ => {}
        }
    }
}

/// Who asks: by a token; where more than a token is taken, also by the console's cookie, and by a password if the
/// settings allow it.
pub(super) async fn caller(
    state: &AppState,
    origin: &Origin,
    headers: &HeaderMap,
    only_token: bool,
) -> Result<Caller, Refused> {
    let ended = "The access token is invalid or expired. Request a new one.";
    match presented(headers) {
        Presented::Bearer(token) => {
            let found = identify::bearer(&state.app, origin, token).await;
            found.map_err(|error| unrecognised(&error, Challenge::InvalidToken, ended))
        }
        Presented::Basic(pair) if !only_token => by_password(state, origin, pair).await,
        Presented::Nothing => match cookie(headers, &state.app.issuer).filter(|_| !only_token) {
            Some(token) => sessions::recognise(&state.app, token).await.map_err(|error| {
                unrecognised(&error, Challenge::Bearer, "Your session has ended. Sign in again.")
            }),
            None => {
                let message = "An access token is required: Authorization: Bearer <token>.";
                Err(Refused::unauthorized(Challenge::Bearer, message))
            }
        },
        Presented::Basic(_) | Presented::Other => {
            Err(Refused::unauthorized(Challenge::Bearer, "Only Bearer access tokens are accepted here."))
        }
        Presented::Several => Err(Refused::several_headers()),
    }
}

/// E-mail address and password (RFC 7617, section 2).
async fn by_password(state: &AppState, origin: &Origin, pair: &str) -> Result<Caller, Refused> {
    let pair = STANDARD.decode(pair).ok().and_then(|pair| String::from_utf8(pair).ok()).map(Zeroizing::new);
    let pair = pair.as_ref().and_then(|pair| pair.split_once(':'));
    let password = pair.and_then(|(_, password)| Password::claimed(Zeroizing::new(password.to_owned())));
    let failed = |error: &Error| unrecognised(error, Challenge::Basic, "Sign-in failed.");
    let (Some((email, _)), Some(password)) = (pair, password) else {
        let accepted = sessions::passwords_accepted(&state.app).await.map_err(|error| failed(&error))?;
        let challenge = if accepted { Challenge::Basic } else { Challenge::Bearer };
        return Err(Refused::unauthorized(challenge, "The Basic credentials are malformed."));
    };
    sessions::with_password(&state.app, origin, email, password).await.map_err(|error| match error {
        SignInError::PasswordsOff => {
            let message = "Passwords are not accepted here. Use an access token, obtained with an API key.";
            Refused::unauthorized(Challenge::Bearer, message)
        }
        SignInError::Refused => {
            let message = "There is no active user with this e-mail address and password.";
            Refused::unauthorized(Challenge::Basic, message)
        }
        SignInError::TooMany => {
            let message = "Too many attempts. Wait a minute.";
            Refused::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, message)
        }
        SignInError::Failed(error) => failed(&error),
    })
}

/// A caller who is not known: refused, or a failure of the server.
pub(super) fn unrecognised(error: &Error, challenge: Challenge, message: &str) -> Refused {
    match error {
        Error::Unavailable => {
            Refused::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, error.to_string())
        }
        Error::Internal(cause) => {
            tracing::error!(%cause, "cannot identify the caller");
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, error.to_string())
        }
        Error::Unauthenticated | Error::Denied { .. } | Error::ReadOnly | Error::Refused(_) => {
            Refused::unauthorized(challenge, message)
        }
    }
}
