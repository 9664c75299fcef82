//! The way of a request through the engine: prepared, validated, executed, written as JSON.

use std::sync::Arc;

use async_graphql::{
    ObjectType, SDLExportOptions, Schema, SchemaBuilder, ServerError, SubscriptionType, ValidationMode, Value,
};
use serde::Serialize;
use weighted_lru::WeightedLru;

use crate::batches::BatchQueue;
use crate::document::Document;
use crate::error::{code, code_of};
use crate::execution::{Execution, RunWithinLimits};
use crate::hooks::Hooks;
use crate::limits::Limits;
use crate::request::{PreparedRequest, Request};
use crate::shape::has_failed;
use crate::validate::ValidateOnly;

/// A schema, ready to execute.
pub struct Engine<Q, M, S> {
    /// Validates documents unchanged, and never executes. A schema of the library has one mode of validation, so there
    /// are two of them.
    validates: Schema<Q, M, S>,
    /// Executes operations in normal form, whose document is known to be valid.
    executes: Schema<Q, M, S>,
    limits: Limits,
    /// By their text, which is also their weight.
    documents: WeightedLru<Arc<str>, Arc<Document>>,
    sdl: String,
}

/// How a request ended.
#[derive(Debug)]
pub struct Executed {
    /// The response as JSON, its keys in the order of the selection; without `data` if nothing was executed.
    pub body: String,
    /// The code of the error that kept the operation from being executed at all.
    pub refused: Option<String>,
}

/// What came of a request: an execution result or a request error result (section 7.1).
struct Outcome {
    /// None if nothing was executed.
    data: Option<Value>,
    errors: Vec<ServerError>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
}

impl<Q, M, S> std::fmt::Debug for Engine<Q, M, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<Q, M, S> Engine<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// An engine for the schema that `types` builds.
    pub fn new(types: impl Fn() -> SchemaBuilder<Q, M, S>, limits: Limits) -> Self {
        let validates = types().extension(ValidateOnly).finish();
        let executes = types()
            .extension(RunWithinLimits { max_cost: limits.cost })
            .validation_mode(ValidationMode::Fast)
            .finish();
        let sdl = validates.sdl_with_options(SDLExportOptions::new().include_specified_by());
        Self { validates, executes, limits, documents: WeightedLru::new(limits.cached_bytes), sdl }
    }

    /// The schema as text, in the order of its definition.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Checks, charges and executes one operation.
    pub async fn execute(&self, hooks: Arc<dyn Hooks>, request: Request) -> Executed {
        let outcome = match self.prepare(&*hooks, request).await {
            Ok(prepared) => self.run(&hooks, prepared).await,
            Err(errors) => Outcome { data: None, errors },
        };
        self.respond(&*hooks, outcome)
    }

    /// The answer to a request that was refused before it came to the engine.
    pub fn refuse(&self, hooks: &dyn Hooks, error: ServerError) -> Executed {
        self.respond(hooks, Outcome { data: None, errors: vec![error] })
    }

    /// Refuses what is too much, not admitted or not valid, before anything runs.
    async fn prepare(
        &self,
        hooks: &dyn Hooks,
        request: Request,
    ) -> Result<PreparedRequest, Vec<ServerError>> {
        let one = |error| vec![error];
        let document = self.parse(&request.document).map_err(one)?;
        let prepared = PreparedRequest::new(hooks, document, request).map_err(one)?;
        if !prepared.document.is_valid() {
            let errors = self.validates.execute(prepared.to_validate()).await.errors;
            if !errors.is_empty() {
                return Err(errors);
            }
        }
        Ok(prepared)
    }

    /// Executes, and gives the answer its shape.
    async fn run(&self, hooks: &Arc<dyn Hooks>, prepared: PreparedRequest) -> Outcome {
        let batches = BatchQueue::default();
        let request = hooks.attach(prepared.without_document(), &batches);
        let execution = Arc::new(Execution::new(Arc::clone(hooks), prepared));
        let request = request.data(Arc::clone(&execution));
        let mut response = batches.drive(self.executes.execute(request)).await;
        if let Some(normal) = execution.normal_form() {
            normal.shape.arrange(&mut response.data);
        }
        if has_failed(&response.data) {
            response.data = Value::Null;
        }
        response.errors.extend(execution.take_errors());
        Outcome { data: execution.has_started().then_some(response.data), errors: response.errors }
    }

    /// Parses a document, unless it is in the cache.
    fn parse(&self, text: &Arc<str>) -> Result<Arc<Document>, ServerError> {
        if let Some(document) = self.documents.get(&**text) {
            return Ok(document);
        }
        let document = Arc::new(Document::parse(text, &self.limits)?);
        self.documents.put(Arc::clone(text), Arc::clone(&document), text.len());
        Ok(document)
    }

    fn respond(&self, hooks: &dyn Hooks, outcome: Outcome) -> Executed {
        let Outcome { data, mut errors } = outcome;
        errors.truncate(self.limits.errors);
        // Errors of the library have no code: before execution they are those of its validation, during execution they
        // are about arguments.
        let fallback = if data.is_some() { code::BAD_USER_INPUT } else { code::GRAPHQL_VALIDATION_FAILED };
        for error in &mut errors {
            if code_of(error).is_none() {
                error.extensions.get_or_insert_default().set("code", fallback);
            }
            hooks.complete(error);
        }
        let refused = if data.is_none() { errors.first().and_then(code_of) } else { None };
        let refused = refused.map(str::to_owned);
        let body = serde_json::to_string(&Body { data: data.as_ref(), errors: &errors }).unwrap_or_default();
        Executed { body, refused }
    }
}
