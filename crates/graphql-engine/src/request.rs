//! A request, and what is known of it before it is executed.

use std::sync::Arc;

use async_graphql::{ServerError, Variables};

use crate::document::{Document, Operation};
use crate::hooks::Hooks;

/// A request for execution (section 6.1).
#[derive(Debug)]
pub struct Request {
    /// The text of a document.
    pub document: Arc<str>,
    /// Which operation of the document; an empty name is none.
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// A request whose document is parsed and whose operation is chosen and admitted.
#[derive(Clone)]
pub(crate) struct PreparedRequest {
    pub document: Arc<Document>,
    pub operation: Arc<Operation>,
    /// With the defaults of those that the client left out.
    pub variables: Variables,
}

impl PreparedRequest {
    pub(crate) fn new(
        hooks: &dyn Hooks,
        document: Arc<Document>,
        request: Request,
    ) -> Result<Self, ServerError> {
        let name = request.operation_name.as_deref().filter(|name| !name.is_empty());
        let operation = Arc::clone(document.operation(name)?);
        hooks.admit(operation.definition.ty)?;
        let variables = Variables::from_json(serde_json::Value::from(request.variables));
        let variables = operation.with_defaults(variables);
        Ok(Self { document, operation, variables })
    }

    /// For validation: an extension puts the document in place as it is.
    pub(crate) fn to_validate(&self) -> async_graphql::Request {
        let request = self.without_document().data(self.clone());
        match &self.operation.name {
            Some(name) => request.operation_name(name.as_str()),
            None => request,
        }
    }

    /// A request for the library without the document, which is parsed already. For execution an extension puts the
    /// operation alone in its place, in normal form.
    pub(crate) fn without_document(&self) -> async_graphql::Request {
        async_graphql::Request::new("").variables(self.variables.clone())
    }
}
