//! The request of a client: which document it refers to, and what makes two requests the same.

use std::sync::Arc;

use async_graphql::ServerError;

use super::error::{code, request_error};
use crate::app::documents::{DocumentId, Documents, NoDocument};
use crate::values::Idempotency;

/// What a client sent (GraphQL over HTTP, section "Request Parameters").
#[derive(Debug)]
pub struct Operation {
    pub document: DocumentRef,
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// By GET only queries are executed.
    pub by_get: bool,
    /// The key under which the client may send the same request again.
    pub idempotency_key: Option<String>,
}

/// How a client refers to a document.
#[derive(Debug)]
pub enum DocumentRef {
    /// By its text.
    Text(String),
    /// By its id, `sha256:` and the digest of the text in hex; the text may be sent too.
    Id {
        id: String,
        text: Option<String>,
        /// It is one of Apollo's "automatic persisted queries", whose clients look for a message of their own.
        apollo: bool,
    },
}

impl Operation {
    /// What makes two requests with the same idempotency key the same request.
    pub(super) fn idempotency(&mut self, text: &str) -> Option<Idempotency> {
        let key = self.idempotency_key.take()?;
        let name = self.operation_name.as_deref().unwrap_or_default();
        let variables = serde_json::to_string(&self.variables).unwrap_or_default();
        Some(Idempotency { key, request: format!("{name}\n{variables}\n{text}") })
    }
}

/// The text of a document: what was sent, or what the id stands for.
pub(super) fn text(documents: &Documents, document: &DocumentRef) -> Result<Arc<str>, ServerError> {
    let bad = |message: &str| request_error(message, code::BAD_USER_INPUT);
    let (found, by_apollo) = match document {
        DocumentRef::Text(text) => (documents.by_text(text), false),
        DocumentRef::Id { id, text, apollo } => {
            let id: DocumentId = id.parse().map_err(|_| {
                bad("A document id is `sha256:` followed by the digest in 64 lower-case hex characters.")
            })?;
            (documents.by_id(&id, text.as_deref()), *apollo)
        }
    };
    found.map_err(|reason| match reason {
        NoDocument::Unknown if by_apollo => {
            request_error("PersistedQueryNotFound", code::PERSISTED_DOCUMENT_NOT_FOUND)
        }
        NoDocument::Unknown => {
            let message = "No document with this id is registered: send its text in `query` as well.";
            request_error(message, code::PERSISTED_DOCUMENT_NOT_FOUND)
        }
        NoDocument::Mismatch => bad("The digest of the document in `query` does not match the document id."),
        NoDocument::NotAllowed => {
            let message = "This server accepts registered documents only, and this is not one of them.";
            request_error(message, code::DOCUMENT_NOT_ALLOWED)
        }
    })
}
