//! Between validation and execution: the depth and the cost of an operation are known, and nothing has run yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, NextValidation, ResolveInfo,
};
use async_graphql::indexmap::IndexMap;
use async_graphql::{Response, ServerError, ServerResult, ValidationResult, Value};

use super::error::{code, request_error};
use super::shape::{is_lost, lost};
use crate::context::Context;
use crate::limits::Spent;

const MAX_COST: usize = 10_000;

/// How deep the operation may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaxDepth(pub usize);

/// How far a request came.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Reached>);

#[derive(Debug, Default)]
struct Reached {
    executed: AtomicBool,
    spent: OnceLock<Spent>,
    /// What went wrong in fields.
    errors: Mutex<Vec<ServerError>>,
}

impl Progress {
    pub(super) fn executed(&self) -> bool {
        self.0.executed.load(Ordering::Acquire)
    }

    pub(super) fn spent(&self) -> Option<Spent> {
        self.0.spent.get().copied()
    }

    pub(super) fn take_errors(&self) -> Vec<ServerError> {
        std::mem::take(&mut *self.0.errors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add_error(&self, error: ServerError) {
        self.0.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }
}

/// Refuses operations that are too deep or too dear, and charges the caller for the others.
pub(super) struct Gate;

impl ExtensionFactory for Gate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Gate {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        check(ctx, &result).map_err(|error| vec![error])?;
        Ok(result)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(progress) = ctx.data_opt::<Progress>() {
            progress.0.executed.store(true, Ordering::Release);
        }
        next.run(ctx, name).await
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let nullable = !info.return_type.ends_with('!');
        let value = match (next.run(ctx, info).await, ctx.data_opt::<Progress>()) {
            // A union of which no fragment matched: the library says null, where the specification says {}.
            (Ok(None | Some(Value::Null)), _) if !nullable => Value::Object(IndexMap::new()),
            (Ok(value), _) => value.unwrap_or_default(),
            (Err(error), Some(progress)) => {
                progress.add_error(error);
                lost()
            }
            (Err(error), None) => return Err(error),
        };
        Ok(Some(match (is_lost(&value), nullable) {
            (false, _) => value,
            (true, true) => Value::Null,
            (true, false) => lost(),
        }))
    }
}

fn check(ctx: &ExtensionContext<'_>, result: &ValidationResult) -> Result<(), ServerError> {
    let MaxDepth(most) = *ctx.data_unchecked();
    if result.depth > most {
        let message = format!("The operation is {} levels deep; at most {most} are allowed.", result.depth);
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    if result.complexity > MAX_COST {
        let message =
            format!("The operation costs {} points; at most {MAX_COST} are allowed.", result.complexity);
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    let (Some(cx), Some(progress)) = (ctx.data_opt::<Context>(), ctx.data_opt::<Progress>()) else {
        return Ok(());
    };
    let Some(spent) = cx.spend(u64::try_from(result.complexity).unwrap_or(u64::MAX)) else {
        return Ok(());
    };
    let _ = progress.0.spent.set(spent);
    if spent.allowed {
        return Ok(());
    }
    let seconds = spent.retry_after_seconds;
    let message = format!("The limit of this API key is reached: try again in {seconds} s.");
    let mut error = request_error(message, code::RATE_LIMITED);
    error.extensions.get_or_insert_default().set("retryAfter", seconds);
    Err(error)
}
