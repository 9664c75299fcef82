//! Execution: between validation and the first resolver the depth and the cost of an operation are known, and nothing has
//! run yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextResolve, NextValidation,
    ResolveInfo,
};
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument};
use async_graphql::{
    Pos, Positioned, QueryPathSegment, Response, ServerError, ServerResult, ValidationResult, Value,
    Variables,
};

use crate::error::{code, limit_exceeded, request_error};
use crate::hooks::Hooks;
use crate::inputs::check_variables;
use crate::normal::NormalForm;
use crate::omitted;
use crate::request::PreparedRequest;
use crate::shape::{failed, propagate_nulls};

/// The execution of one request: what its extension needs, and what it finds out.
pub(crate) struct Execution {
    hooks: Arc<dyn Hooks>,
    request: PreparedRequest,
    normal: OnceLock<Arc<NormalForm>>,
    started: AtomicBool,
    /// The errors of fields.
    errors: Mutex<Vec<ServerError>>,
}

impl Execution {
    pub(crate) fn new(hooks: Arc<dyn Hooks>, request: PreparedRequest) -> Self {
        let (normal, errors) = (OnceLock::new(), Mutex::default());
        Self { hooks, request, normal, started: AtomicBool::new(false), errors }
    }

    /// Whether resolvers may have run: then the response has `data`.
    pub(crate) fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub(crate) fn normal_form(&self) -> Option<&NormalForm> {
        self.normal.get().map(|normal| &**normal)
    }

    pub(crate) fn take_errors(&self) -> Vec<ServerError> {
        std::mem::take(&mut *self.errors())
    }

    fn errors(&self) -> MutexGuard<'_, Vec<ServerError>> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what is too deep or too expensive, and charges the caller for everything else.
    fn check(&self, found: &ValidationResult, max_cost: usize) -> Result<(), ServerError> {
        let (depth, cost) = (found.depth, found.complexity);
        let operation = &self.request.operation;
        let max_depth = operation.max_depth;
        if depth > max_depth {
            let message = format!("The operation is {depth} levels deep; at most {max_depth} are allowed.");
            return Err(limit_exceeded(message));
        }
        if cost > max_cost {
            let message = format!("The operation costs {cost} points; at most {max_cost} are allowed.");
            return Err(limit_exceeded(message));
        }
        self.hooks.charge(u64::try_from(cost).unwrap_or(u64::MAX))?;
        self.hooks.note_use(operation.label.as_deref());
        Ok(())
    }
}

/// The extension of a schema that executes operations in normal form.
#[derive(Clone, Copy)]
pub(crate) struct RunWithinLimits {
    pub max_cost: usize,
}

impl ExtensionFactory for RunWithinLimits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

/// The execution that the engine put into the request.
fn execution<'a>(ctx: &ExtensionContext<'a>) -> Option<&'a Arc<Execution>> {
    ctx.data_opt::<Arc<Execution>>()
}

#[async_trait::async_trait]
impl Extension for RunWithinLimits {
    /// Puts the operation in place, in normal form. Its document is valid; its variables come with each request.
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let Some(execution) = execution(ctx) else {
            return next.run(ctx, query, variables).await;
        };
        let PreparedRequest { document, operation, .. } = &execution.request;
        let registry = &ctx.schema_env.registry;
        check_variables(registry, &operation.definition, variables)?;
        let normal = document.normal(operation, registry, variables);
        let mut definition = normal.definition.clone();
        omitted::remove(&mut definition, variables);
        let _ = execution.normal.set(normal);
        Ok(ExecutableDocument {
            operations: DocumentOperations::Single(Positioned::new(definition, Pos::default())),
            fragments: HashMap::new(),
        })
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        let checked = match execution(ctx) {
            Some(execution) => execution.check(&result, self.max_cost),
            // Without the hooks nobody would be charged, so nothing runs.
            None => Err(request_error("The request was not prepared.", code::INTERNAL)),
        };
        checked.map(|()| result).map_err(|error| vec![error])
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(execution) = execution(ctx) {
            execution.started.store(true, Ordering::Release);
        }
        next.run(ctx, name).await
    }

    /// Keeps the error of a field, and goes on with a marker in place of its value. An error that the library sees cancels
    /// the fields beside it, so that the errors of a response would depend on timing; and it does not always put the null
    /// where section 6.4.4 wants it.
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // For an item of a list the library reports the wrong type. The list's own field has the right one, and nulls
        // propagate through its items from there.
        let ty = match info.path_node.segment {
            QueryPathSegment::Index(_) => None,
            QueryPathSegment::Name(_) => Some(info.return_type.to_owned()),
        };
        let value = match (next.run(ctx, info).await, execution(ctx)) {
            (Ok(value), _) => value.unwrap_or_default(),
            (Err(error), Some(execution)) => {
                execution.errors().push(error);
                failed()
            }
            (Err(error), None) => return Err(error),
        };
        Ok(Some(match ty {
            Some(ty) => propagate_nulls(value, &ty),
            None => value,
        }))
    }
}
