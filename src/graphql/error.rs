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
        UNAUTHENTICATED "401" "No access token, or one that is not valid (any more)."
        FORBIDDEN "200" "A scope is missing; `requiredScopes` names those of which one would do."
        READ_ONLY "403" "A mutation with a read-only API key."
        BAD_USER_INPUT "200; 400, 406, 415 before anything is parsed"
            "An argument, a variable or the request itself is not allowed; the message says what is."
        METHOD_NOT_ALLOWED "405" "A mutation by GET."
        PERSISTED_DOCUMENT_NOT_FOUND "404" "No document of this id is known; send its text too."
        DOCUMENT_NOT_ALLOWED "400" "The server accepts known documents only, and this is none of them."
        COST_LIMIT_EXCEEDED "400; 413 for a body over 256 KiB"
            "The document is too long, too deep, too broad or too expensive."
        GRAPHQL_PARSE_FAILED "400" "The document is not GraphQL."
        GRAPHQL_VALIDATION_FAILED "400" "The document or its variables do not fit the schema."
        RATE_LIMITED "429" "The limit of the API key is reached; `retryAfter` is in seconds."
        UNAVAILABLE "200; 503 when the token could not be checked" "The database does not answer; try again."
        INTERNAL "200; 500 when the token could not be checked"
            "A defect; the log has the details under `requestId`."
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
                tracing::warn!(request_id, path = ?error.path, "the database did not answer");
            }
            Error::Unauthenticated | Error::Denied { .. } | Error::ReadOnly | Error::Refused(_) => {}
        }
    }
    if let Some(id) = request_id {
        error.extensions.get_or_insert_default().set("requestId", id);
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
    /// The owner has as many API keys as the settings allow; `targetId` names one of them.
    KeyAlreadyExists,
    /// The settings ask for an end, and there is none.
    PolicyExpiryRequired,
    /// The end lies further ahead than the settings allow.
    PolicyExpiryTooFar,
    /// Other objects need it; `relatedIds` names them.
    InUse,
    /// It came with the server and stays as it is.
    BuiltIn,
    /// Without this user nobody could administer the server.
    LastAdministrator,
    /// The filter matches another number of objects than expected.
    CountChanged,
    /// The change needs somebody who may approve API keys.
    ApprovalRequired,
    /// The `Idempotency-Key` came with another request before.
    IdempotencyKeyReused,
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
    /// Objects that stand in the way: at most 100 of them, when they are many.
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
