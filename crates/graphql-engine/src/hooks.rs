//! What the engine leaves to the product.

use async_graphql::ServerError;
use async_graphql::parser::types::OperationType;

use crate::batches::BatchQueue;

/// The product's part in one request. The methods are called in the order in which they stand here.
pub trait Hooks: Send + Sync + 'static {
    /// Refuses an operation by its type, before validation: mutations by GET or by callers who may only read.
    fn admit(&self, operation: OperationType) -> Result<(), ServerError>;

    /// Puts into the request what resolvers look for in their context: who is asking, and data loaders whose batches go
    /// to the queue.
    fn attach(&self, request: async_graphql::Request, batches: &BatchQueue) -> async_graphql::Request;

    /// Charges the caller what the operation costs, or refuses it. It has passed every other check, and nothing has run.
    fn charge(&self, cost: u64) -> Result<(), ServerError>;

    /// Notes that the operation is going to run. The label is its name, or else the name of its first field.
    fn note_use(&self, label: Option<&str>);

    /// Completes an error on its way out, and logs what the client must not see. It has a code in its extensions.
    fn complete(&self, error: &mut ServerError);
}
