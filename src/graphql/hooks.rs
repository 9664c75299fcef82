//! What the product adds to the execution of one request: who may run what, what it costs them, and what resolvers find
//! in their context.

use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, ServerError};
use graphql_engine::{BatchQueue, Hooks};

use super::error::{code, complete, request_error};
use super::loaders::loaders;
use crate::app::context::Context;
use crate::app::limits::Spent;
use crate::error::Error;
use crate::values::Idempotency;

/// One request, for the engine and for resolvers. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct RequestHooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cx: Context,
    by_get: bool,
    idempotency: Option<Idempotency>,
    spent: OnceLock<Spent>,
}

impl RequestHooks {
    pub(super) fn new(cx: Context, by_get: bool, idempotency: Option<Idempotency>) -> Self {
        Self(Arc::new(Inner { cx, by_get, idempotency, spent: OnceLock::new() }))
    }

    /// What the request cost, once it has been charged; nothing for callers without a limit.
    pub(super) fn spent(&self) -> Option<Spent> {
        self.0.spent.get().copied()
    }

    /// Under which key the client may send the request again.
    pub(super) fn idempotency(&self) -> Option<&Idempotency> {
        self.0.idempotency.as_ref()
    }
}

/// The hooks of the request that a resolver runs for.
pub(super) fn hooks<'a>(ctx: &async_graphql::Context<'a>) -> async_graphql::Result<&'a RequestHooks> {
    ctx.data::<RequestHooks>()
}

impl Hooks for RequestHooks {
    fn admit(&self, operation: OperationType) -> Result<(), ServerError> {
        if operation != OperationType::Mutation {
            return Ok(());
        }
        if self.0.by_get {
            let message = "Mutations cannot be sent with GET: use POST.";
            return Err(request_error(message, code::METHOD_NOT_ALLOWED));
        }
        if self.0.cx.caller.is_read_only() {
            return Err(request_error(Error::ReadOnly.to_string(), code::READ_ONLY));
        }
        Ok(())
    }

    fn attach(&self, request: Request, batches: &BatchQueue) -> Request {
        let cx = &self.0.cx;
        request.data(cx.clone()).data(loaders(cx.clone(), batches)).data(self.clone())
    }

    fn charge(&self, cost: u64) -> Result<(), ServerError> {
        let Some(spent) = self.0.cx.spend(cost) else {
            return Ok(());
        };
        let _ = self.0.spent.set(spent);
        if spent.allowed {
            return Ok(());
        }
        let seconds = spent.retry_after_seconds;
        let message = format!("The rate limit of this API key is exceeded: try again in {seconds} s.");
        let mut error = request_error(message, code::RATE_LIMITED);
        error.extensions.get_or_insert_default().set("retryAfter", seconds);
        Err(error)
    }

    fn note_use(&self, label: Option<&str>) {
        self.0.cx.note_use(label.map(|name| name.to_owned().into()));
    }

    fn complete(&self, error: &mut ServerError) {
        complete(error, self.0.cx.origin.request_id.as_deref());
    }
}
