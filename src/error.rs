//! The ways to fail, free of HTTP, GraphQL and SQL: kinds, not places. Each edge maps them once, without a wildcard.

use entity::GlobalId;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No credential, or one that is not valid (any more).
    #[error("A valid access token is required.")]
    Unauthenticated,
    /// The credential is valid and lacks a permission: any one of these scopes would do.
    #[error("This requires the scope {}.", .required.join(" or "))]
    Denied { required: Vec<&'static str> },
    /// The credential is valid and read-only.
    #[error("This API key is read-only: it cannot be used for mutations.")]
    ReadOnly,
    /// What the caller can correct.
    #[error("{}", .0.message)]
    Refused(Box<UserError>),
    /// The store does not answer; it is worth trying again.
    #[error("The database is unavailable. Try again.")]
    Unavailable,
    /// A defect or a broken environment. The cause goes to the log only.
    #[error("Internal server error. The server's log has the details under this request id.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// A mistake that the caller can correct: which rule, which input, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    pub code: UserErrorCode,
    /// The path of the input field, outermost first; empty when no single field is at fault.
    pub field: Vec<&'static str>,
    pub message: String,
    /// The object that could not be changed, or that stands in the way.
    pub target: Option<GlobalId>,
    /// The objects that stand in the way: some of them, when they are many.
    pub related: Vec<GlobalId>,
}

impl UserError {
    pub fn new(code: UserErrorCode, field: &'static str, message: impl Into<String>) -> Self {
        Self { code, field: vec![field], message: message.into(), target: None, related: Vec::new() }
    }

    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::new(UserErrorCode::Invalid, field, message)
    }

    pub fn not_found(field: &'static str, target: GlobalId) -> Self {
        let message = format!("There is no {target} that you can change.");
        Self { target: Some(target), ..Self::new(UserErrorCode::NotFound, field, message) }
    }

    /// There is no such object to refer to.
    pub fn unknown(field: &'static str, id: impl Into<GlobalId>) -> Self {
        let id = id.into();
        Self::new(UserErrorCode::NotFound, field, format!("There is no {id}.")).about(id)
    }

    /// It is part of the server and stays as it is.
    pub fn built_in(what: &str, target: impl Into<GlobalId>) -> Self {
        let message = format!("This {what} is built in: it cannot be changed or deleted.");
        Self::new(UserErrorCode::BuiltIn, "id", message).about(target)
    }

    /// Somebody else was faster.
    pub fn conflict(what: &str, target: impl Into<GlobalId>) -> Self {
        let message = format!("This {what} has changed since you read it. Read it again and retry.");
        Self::new(UserErrorCode::VersionConflict, "version", message).about(target)
    }

    /// Other objects need it.
    pub fn in_use(message: impl Into<String>, target: impl Into<GlobalId>, by: Vec<GlobalId>) -> Self {
        Self { related: by, ..Self::new(UserErrorCode::InUse, "id", message).about(target) }
    }

    #[must_use]
    pub fn about(self, target: impl Into<GlobalId>) -> Self {
        Self { target: Some(target.into()), ..self }
    }
}

/// The rule that a correctable mistake broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserErrorCode {
    NameTaken,
    Invalid,
    TooLong,
    NotFound,
    SelectionTooLarge,
    ScopeNotHeld,
    VersionConflict,
    KeyAlreadyExists,
    PolicyExpiryRequired,
    PolicyExpiryTooFar,
    InUse,
    BuiltIn,
    LastAdministrator,
    CountChanged,
    ApprovalRequired,
    IdempotencyKeyReused,
}
