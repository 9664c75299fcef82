//! Between validation and execution: the depth and the cost of an operation are known, and nothing has run yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextResolve, NextValidation,
    ResolveInfo,
};
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument};
use async_graphql::{
    Pos, Positioned, QueryPathSegment, Response, ServerError, ServerResult, ValidationResult, Value,
    Variables,
};

use super::error::{code, request_error};
use super::inputs::check_variables;
use super::normal::Normal;
use super::request::Meant;
use super::shape::{lost, settle};
use crate::app::context::Context;
use crate::app::limits::Spent;

const MAX_COST: usize = 10_000;

/// How far a request came.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Reached>);

#[derive(Default)]
struct Reached {
    executed: AtomicBool,
    normal: OnceLock<Arc<Normal>>,
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

    pub(super) fn normal(&self) -> Option<&Normal> {
        self.0.normal.get().map(|normal| &**normal)
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
    /// Puts the operation in place, in its normal form; its document is valid already, its variables may not be.
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let (Some(meant), Some(progress)) = (ctx.data_opt::<Meant>(), ctx.data_opt::<Progress>()) else {
            return next.run(ctx, query, variables).await;
        };
        let registry = &ctx.schema_env.registry;
        check_variables(registry, &meant.operation.definition, variables)?;
        let normal = meant.document.normal(&meant.operation, registry, variables);
        let definition = Positioned::new(normal.definition.clone(), Pos::default());
        let _ = progress.0.normal.set(normal);
        Ok(ExecutableDocument {
            operations: DocumentOperations::Single(definition),
            fragments: HashMap::new(),
        })
    }

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
        // The library tells the type of a field rightly, and that of an item in a list not: the field settles its items.
        let ty = match info.path_node.segment {
            QueryPathSegment::Index(_) => None,
            QueryPathSegment::Name(_) => Some(info.return_type.to_owned()),
        };
        let value = match (next.run(ctx, info).await, ctx.data_opt::<Progress>()) {
            (Ok(value), _) => value.unwrap_or_default(),
            (Err(error), Some(progress)) => {
                progress.add_error(error);
                lost()
            }
            (Err(error), None) => return Err(error),
        };
        Ok(Some(match ty {
            Some(ty) => settle(value, &ty),
            None => value,
        }))
    }
}

fn check(ctx: &ExtensionContext<'_>, result: &ValidationResult) -> Result<(), ServerError> {
    let (Some(meant), Some(cx), Some(progress)) =
        (ctx.data_opt::<Meant>(), ctx.data_opt::<Context>(), ctx.data_opt::<Progress>())
    else {
        return Err(request_error("The request was not prepared.", code::INTERNAL));
    };
    let most = meant.operation.max_depth;
    if result.depth > most {
        let message = format!("The operation is {} levels deep; at most {most} are allowed.", result.depth);
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    if result.complexity > MAX_COST {
        let message =
            format!("The operation costs {} points; at most {MAX_COST} are allowed.", result.complexity);
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    charge(cx, progress, u64::try_from(result.complexity).unwrap_or(u64::MAX))?;
    cx.note_use(meant.operation.label.as_ref().map(|name| name.to_string().into()));
    Ok(())
}

/// Charges the caller for the operation, if there is enough left.
fn charge(cx: &Context, progress: &Progress, cost: u64) -> Result<(), ServerError> {
    let Some(spent) = cx.spend(cost) else {
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
