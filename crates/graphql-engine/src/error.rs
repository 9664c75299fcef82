//! Errors that the engine itself raises.

use async_graphql::{ServerError, Value};

/// The values of `extensions.code` that the engine gives. A product has more of its own.
pub mod code {
    /// The document is too long, too deep, too broad or too expensive.
    pub const COST_LIMIT_EXCEEDED: &str = "COST_LIMIT_EXCEEDED";
    /// The document is not GraphQL.
    pub const GRAPHQL_PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    /// The document or its variables do not fit the schema.
    pub const GRAPHQL_VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    /// An error of the library during execution: a resolver refused an argument.
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    /// A defect of the engine.
    pub const INTERNAL: &str = "INTERNAL";

    /// Every code of the engine.
    pub const ALL: [&str; 5] =
        [COST_LIMIT_EXCEEDED, GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, BAD_USER_INPUT, INTERNAL];
}

/// An error of the request as a whole: nothing is executed.
pub fn request_error(message: impl Into<String>, code: &'static str) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", code);
    error
}

pub(crate) fn limit_exceeded(message: impl Into<String>) -> ServerError {
    request_error(message, code::COST_LIMIT_EXCEEDED)
}

pub(crate) fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}
