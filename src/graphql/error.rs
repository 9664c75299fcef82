//! Errors as GraphQL shows them: a sentence for people, `extensions.code` for programs, the request's id for the log.

use std::sync::Arc;

use async_graphql::{Enum, ErrorExtensionValues, ID, ServerError, SimpleObject, Value};

pub(super) use graphql_engine::request_error;

use crate::error::{Error, UserErrorCode as Code};

/// The closed set of `extensions.code`, those of the engine among them.
pub mod code {
    macro_rules! codes {
        ($($name:ident $status:literal $when:literal)*) => {
            $(#[doc = $when] pub const $name: &str = stringify!($name);)*

            /// Every code, with the status that it brings under `application/graphql-response+json`, and when.
            pub const ALL: &[(&str, &str, &str)] = &[$(($name, $status, $when)),*];
        };
    }

    codes! {
        UNAUTHENTICATED "401" "The access token is missing, invalid or expired."
        FORBIDDEN "200" "A scope is missing; any one of `requiredScopes` is sufficient."
        READ_ONLY "403" "A read-only API key was used for a mutation."
        BAD_USER_INPUT "200; 400, 406, 415 if the request could not be parsed"
            "An argument, a variable or the request is invalid; the message says what is expected."
        METHOD_NOT_ALLOWED "405" "A mutation was sent with GET."
        PERSISTED_DOCUMENT_NOT_FOUND "404" "No document with this id is registered; send the document text \
            as well."
        DOCUMENT_NOT_ALLOWED "400" "The server accepts registered documents only, and this is not one of them."
        COST_LIMIT_EXCEEDED "400; 413 for a body over 256 KiB"
            "The document is too long, too deep, too broad or too expensive."
        GRAPHQL_PARSE_FAILED "400" "The document is not valid GraphQL."
        GRAPHQL_VALIDATION_FAILED "400" "The document or its variables do not match the schema."
        RATE_LIMITED "429" "The rate limit of the API key is exceeded; `retryAfter` is in seconds."
        UNAVAILABLE "200; 503 when the token could not be checked" "The database is unavailable; try again."
        INTERNAL "200; 500 when the token could not be checked"
            "An internal error; the server's log has the details under `requestId`."
    }
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

/// Completes an error on its way out: the request's id, and one line in the log for what the client must not see.
pub(super) fn complete(error: &mut ServerError, request_id: Option<&str>) {
    if let Some(source) = error.source::<Arc<Error>>() {
        match &**source {
            Error::Internal(cause) => {
                tracing::error!(request_id, path = ?error.path, cause = %cause, "a field failed");
            }
            Error::Unavailable => {
                tracing::warn!(request_id, path = ?error.path, "the database is unavailable");
            }
            Error::Unauthenticated | Error::Denied { .. } | Error::ReadOnly | Error::Refused(_) => {}
        }
    }
    if let Some(id) = request_id {
        error.extensions.get_or_insert_default().set("requestId", id);
    }
}

/// The rule that an input violates. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum UserErrorCode {
    /// The name is already in use by another object of the same kind (for API keys: of the same owner).
    NameTaken,
    /// The value is not allowed; the message says what is.
    Invalid,
    /// The text is too long; the message has the maximum.
    TooLong,
    /// There is no such object that the caller can change.
    NotFound,
    /// The request selects more objects than one call can process.
    SelectionTooLarge,
    /// The caller cannot assign or obtain a scope that it does not hold.
    ScopeNotHeld,
    /// The object has changed since it was read. Read it again and retry.
    VersionConflict,
    /// The owner already has as many API keys as the settings allow; `targetId` names one of them.
    KeyAlreadyExists,
    /// The settings require an end date, and there is none.
    PolicyExpiryRequired,
    /// The end date is further in the future than the settings allow.
    PolicyExpiryTooFar,
    /// Other objects still use it; `relatedIds` names them.
    InUse,
    /// Built-in objects cannot be changed or deleted.
    BuiltIn,
    /// The change would leave no active administrator.
    LastAdministrator,
    /// The filter matches a different number of objects than `expectedCount`.
    CountChanged,
    /// Only callers who may approve API keys can make this change.
    ApprovalRequired,
    /// The same `Idempotency-Key` was already used for a different request.
    IdempotencyKeyReused,
}

/// An error that the caller can correct.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UserError {
    /// The rule that was violated.
    code: UserErrorCode,
    /// The path of the invalid input field, outermost first; null if the error is not about one field.
    field: Option<Vec<String>>,
    /// What went wrong and what to do, for people to read. Programs should use `code`.
    message: String,
    /// The id of the object that could not be changed, or that prevents the change.
    target_id: Option<ID>,
    /// The ids of other objects that prevent the change, at most 100.
    related_ids: Option<Vec<ID>>,
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
                Code::KeyAlreadyExists => UserErrorCode::KeyAlreadyExists,
                Code::PolicyExpiryRequired => UserErrorCode::PolicyExpiryRequired,
                Code::PolicyExpiryTooFar => UserErrorCode::PolicyExpiryTooFar,
                Code::InUse => UserErrorCode::InUse,
                Code::BuiltIn => UserErrorCode::BuiltIn,
                Code::LastAdministrator => UserErrorCode::LastAdministrator,
                Code::CountChanged => UserErrorCode::CountChanged,
                Code::ApprovalRequired => UserErrorCode::ApprovalRequired,
                Code::IdempotencyKeyReused => UserErrorCode::IdempotencyKeyReused,
            },
            field: (!error.field.is_empty())
                .then(|| std::iter::once("input".to_owned()).chain(path).collect()),
            message: error.message,
            target_id: error.target.map(|id| ID(id.to_string())),
            related_ids: (!error.related.is_empty())
                .then(|| error.related.iter().map(|id| ID(id.to_string())).collect()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_engine_belong_to_the_set() {
        for code in graphql_engine::code::ALL {
            assert!(code::ALL.iter().any(|(name, ..)| *name == code), "{code}");
        }
    }
}
