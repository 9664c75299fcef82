//! A request on its way in: which document it means, which operation of it, and what it brings along.

use std::sync::Arc;

use async_graphql::{Request, ServerError, Variables};

use super::document::{self, Document};
use super::error::{code, request_error};
use crate::app::context::Context;
use crate::app::documents::{DocumentId, Documents, NoDocument};
use crate::error::Error;
use crate::values::Idempotency;

/// What a client sent (GraphQL over HTTP, section "Request Parameters").
#[derive(Debug)]
pub struct Operation {
    pub document: Asked,
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// By GET only queries are executed.
    pub by_get: bool,
    /// The name under which the client may send the same request again.
    pub idempotency_key: Option<String>,
}

/// How a client says which document it means.
#[derive(Debug)]
pub enum Asked {
    /// By its text.
    Text(String),
    /// By its id, `sha256:` and the digest of the text in hex; the text may come along.
    Id {
        id: String,
        text: Option<String>,
        /// It came the way of Apollo's "automatic persisted queries", whose clients wait for a sentence of their own.
        apollo: bool,
    },
}

/// The operation that a request means, and what came with it.
#[derive(Clone)]
pub(super) struct Meant {
    pub document: Arc<Document>,
    pub operation: Arc<document::Operation>,
    /// With the defaults of those that were left out.
    pub variables: Variables,
    idempotency: Option<Arc<Idempotency>>,
}

impl Meant {
    /// Chooses the operation, and refuses it if it is not for this caller or this method.
    pub(super) fn new(
        cx: &Context,
        document: Arc<Document>,
        (text, asked): (&str, Operation),
    ) -> Result<Self, ServerError> {
        let name = asked.operation_name.as_deref().filter(|name| !name.is_empty());
        let operation = Arc::clone(document.operation(name)?);
        if operation.is_mutation && asked.by_get {
            let message = "GET is for queries: send a mutation by POST.";
            return Err(request_error(message, code::METHOD_NOT_ALLOWED));
        }
        if operation.is_mutation && cx.caller.is_read_only() {
            return Err(request_error(Error::ReadOnly.to_string(), code::READ_ONLY));
        }
        let variables = serde_json::Value::from(asked.variables);
        let idempotency = asked.idempotency_key.map(|key| {
            let request = format!("{}\n{variables}\n{text}", name.unwrap_or_default());
            Arc::new(Idempotency { key, request })
        });
        let variables = operation.with_defaults(Variables::from_json(variables));
        Ok(Self { document, operation, variables, idempotency })
    }

    /// For validation: the document as it is, which the extension puts in place.
    pub(super) fn to_validate(&self) -> Request {
        let request = Request::new("").variables(self.variables.clone()).data(self.clone());
        match &self.operation.name {
            Some(name) => request.operation_name(name.as_str()),
            None => request,
        }
    }

    /// For execution: the operation alone, in its normal form, which the extension puts in place.
    pub(super) fn to_execute(&self) -> Request {
        Request::new("").variables(self.variables.clone()).data(self.clone())
    }
}

/// The name under which the client of this request may send it again.
pub(super) fn idempotency<'a>(ctx: &async_graphql::Context<'a>) -> Option<&'a Idempotency> {
    ctx.data_opt::<Meant>()?.idempotency.as_deref()
}

/// The text that is meant: what was sent, or what the id stands for.
pub(super) fn text(documents: &Documents, asked: &Asked) -> Result<Arc<str>, ServerError> {
    let bad = |message: &str| request_error(message, code::BAD_USER_INPUT);
    let (found, by_apollo) = match asked {
        Asked::Text(text) => (documents.by_text(text), false),
        Asked::Id { id, text, apollo } => {
            let id: DocumentId = id.parse().map_err(|_| {
                bad("The id of a document is `sha256:` and its digest in 64 lower-case hex characters.")
            })?;
            (documents.by_id(&id, text.as_deref()), *apollo)
        }
    };
    found.map_err(|reason| match reason {
        NoDocument::Unknown if by_apollo => {
            request_error("PersistedQueryNotFound", code::PERSISTED_DOCUMENT_NOT_FOUND)
        }
        NoDocument::Unknown => {
            let message = "No document of this id is known: send its text in `query` too.";
            request_error(message, code::PERSISTED_DOCUMENT_NOT_FOUND)
        }
        NoDocument::Mismatch => bad("The document in `query` has another digest than the one that names it."),
        NoDocument::NotAllowed => {
            let message = "This server accepts known documents only, and this is none of them.";
            request_error(message, code::DOCUMENT_NOT_ALLOWED)
        }
    })
}
