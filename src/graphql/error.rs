//! Errors as GraphQL shows them: a sentence for people, `extensions.code` for programs, the request's id for the log.

use std::sync::Arc;

use async_graphql::{Enum, ErrorExtensionValues, ID, ServerError, SimpleObject, Value};

use crate::error::{Error, UserErrorCode as Code};

/// The closed set of `extensions.code`.
pub mod code {
    pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    pub const FORBIDDEN: &str = "FORBIDDEN";
    pub const READ_ONLY: &str = "READ_ONLY";
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    pub const COST_LIMIT_EXCEEDED: &str = "COST_LIMIT_EXCEEDED";
    pub const UNAVAILABLE: &str = "UNAVAILABLE";
    pub const INTERNAL: &str = "INTERNAL";
    pub const GRAPHQL_PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    pub const GRAPHQL_VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
}

/// A field's error. What the client may not see stays in the source, for the log.
pub(super) fn field_error(error: impl Into<Arc<Error>>) -> async_graphql::Error {
    let error = error.into();
    let mut values = ErrorExtensionValues::default();
    values.set("code", error_code(&error));
    match &*error {
        Error::Denied { required } => {
            values
                .set("requiredScopes", required.iter().map(|scope| Value::from(*scope)).collect::<Vec<_>>());
        }
        Error::Refused(refused) => {
            values.set("field", refused.field.iter().map(|name| Value::from(*name)).collect::<Vec<_>>());
        }
        Error::Unauthenticated | Error::ReadOnly | Error::Unavailable | Error::Internal(_) => {}
    }
    async_graphql::Error {
        message: error.to_string(),
        source: Some(Arc::new(error)),
        extensions: Some(values),
    }
}

fn error_code(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated => code::UNAUTHENTICATED,
        Error::Denied { .. } => code::FORBIDDEN,
        Error::ReadOnly => code::READ_ONLY,
        Error::Refused(_) => code::BAD_USER_INPUT,
        Error::Unavailable => code::UNAVAILABLE,
        Error::Internal(_) => code::INTERNAL,
    }
}

/// An error of the request as a whole, before anything ran.
pub(super) fn request_error(message: impl Into<String>, code: &'static str) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", code);
    error
}

/// Completes an error on its way out: a code if the library gave none, the request's id, and one line in the log for
/// what the client must not see.
pub(super) fn finish(error: &mut ServerError, fallback: &'static str, request_id: Option<&str>) {
    if let Some(source) = error.source::<Arc<Error>>() {
        match &**source {
            Error::Internal(cause) => {
                tracing::error!(request_id, path = ?error.path, cause = %cause, "a field failed");
            }
            Error::Unavailable => {
                tracing::warn!(request_id, path = ?error.path, "the database did not answer");
            }
            Error::Unauthenticated | Error::Denied { .. } | Error::ReadOnly | Error::Refused(_) => {}
        }
    }
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", fallback);
    }
    if let Some(id) = request_id {
        extensions.set("requestId", id);
    }
}

/// Which rule a correctable mistake broke. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum UserErrorCode {
    /// Another object of the same owner has the name.
    NameTaken,
    /// The value is not allowed here; the message says what is.
    Invalid,
    /// The text is too long; the message says how long it may be.
    TooLong,
    /// There is no such object that the caller could change.
    NotFound,
    /// More objects were named than one call can take.
    SelectionTooLarge,
    /// The caller cannot give or obtain a scope that it does not hold itself.
    ScopeNotHeld,
    /// Somebody else has changed the object since it was read.
    VersionConflict,
}

/// A mistake that the caller can correct.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UserError {
    /// Which rule was broken.
    code: UserErrorCode,
    /// The path of the input field at fault, outermost first; null when no single field is.
    field: Option<Vec<String>>,
    /// What happened and what to do, for people.
    message: String,
    /// The object that could not be changed, or that stands in the way.
    target_id: Option<ID>,
}

impl From<crate::error::UserError> for UserError {
    fn from(error: crate::error::UserError) -> Self {
        let path = error.field.iter().map(|name| (*name).to_owned());
        Self {
            code: match error.code {
                Code::NameTaken => UserErrorCode::NameTaken,
                Code::Invalid => UserErrorCode::Invalid,
                Code::TooLong => UserErrorCode::TooLong,
                Code::NotFound => UserErrorCode::NotFound,
                Code::SelectionTooLarge => UserErrorCode::SelectionTooLarge,
                Code::ScopeNotHeld => UserErrorCode::ScopeNotHeld,
                Code::VersionConflict => UserErrorCode::VersionConflict,
            },
            field: (!error.field.is_empty())
                .then(|| std::iter::once("input".to_owned()).chain(path).collect()),
            message: error.message,
            target_id: error.target.map(|id| ID(id.to_string())),
        }
    }
}

/// Splits what the caller can correct, which belongs into the payload, from everything else.
pub(super) fn payload<T>(result: Result<T, Error>) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match result {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(Error::Refused(error)) => Ok((None, vec![(*error).into()])),
        Err(error) => Err(field_error(error)),
    }
}
