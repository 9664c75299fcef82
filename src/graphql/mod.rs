//! The schema that clients see, and how one request is executed: checked first, charged next, run last.

mod accounts;
mod activity;
mod batches;
mod document;
mod error;
mod gate;
mod key_mutations;
mod keys;
mod loaders;
mod node;
mod page;
mod roles;
mod scalars;
mod scopes;
mod shape;
mod viewer;

use async_graphql::parser::parse_query;
use async_graphql::{
    EmptySubscription, MergedObject, Request, SDLExportOptions, ServerError, Value, Variables,
};
use serde::Serialize;

use batches::Waiting;
pub use error::code;
use error::{finish, request_error};
use gate::{Gate, MaxDepth, Progress};
use shape::{Shape, is_lost};

use crate::context::Context;
use crate::limits::Spent;

/// Everything that can be asked.
#[derive(Default, MergedObject)]
struct Query(
    viewer::ViewerQueries,
    node::NodeQueries,
    keys::KeyQueries,
    roles::RoleQueries,
    scopes::ScopeQueries,
    activity::ActivityQueries,
);

/// Everything that can be changed.
#[derive(Default, MergedObject)]
struct Mutation(key_mutations::KeyMutations);

/// The schema, ready to execute.
#[derive(Clone)]
pub struct Schema(async_graphql::Schema<Query, Mutation, EmptySubscription>);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

/// What a client sent (GraphQL over HTTP, section "Request Parameters").
#[derive(Debug, Default)]
pub struct Operation {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// How a request ended.
#[derive(Debug)]
pub struct Executed {
    /// JSON with `data` and `errors`, in the order of the selection; without `data` if nothing was executed.
    pub body: String,
    /// The code of the error that kept it from being executed at all.
    pub refused: Option<String>,
    /// What it cost, if it came so far.
    pub spent: Option<Spent>,
}

impl Schema {
    pub fn build() -> Self {
        let schema = async_graphql::Schema::build(Query::default(), Mutation::default(), EmptySubscription)
            .extension(Gate)
            .limit_directives(20)
            .limit_recursive_depth(64)
            .finish();
        Self(schema)
    }

    /// The schema as text, in the order of its design.
    pub fn sdl(&self) -> String {
        self.0.sdl_with_options(SDLExportOptions::new().include_specified_by())
    }

    /// Checks, charges and executes one operation.
    pub async fn execute(&self, cx: Context, operation: Operation) -> Executed {
        let progress = Progress::default();
        let request_id = cx.origin.request_id.clone();
        let mut response = match prepare(&cx, operation) {
            Ok((request, shape)) => {
                let waiting = Waiting::default();
                let loaders = loaders::loaders(cx.clone(), &waiting);
                let request = request.data(cx).data(loaders).data(progress.clone());
                let mut response = waiting.drive(self.0.execute(request)).await;
                shape.arrange(&mut response.data);
                if is_lost(&response.data) {
                    response.data = Value::Null;
                }
                response
            }
            Err(error) => async_graphql::Response::from_errors(vec![error]),
        };
        let executed = progress.executed();
        let fallback = if executed { code::BAD_USER_INPUT } else { code::GRAPHQL_VALIDATION_FAILED };
        let mut errors = std::mem::take(&mut response.errors);
        errors.extend(progress.take_errors());
        for error in &mut errors {
            finish(error, fallback, request_id.as_deref());
        }
        let refused = (!executed).then(|| errors.first().and_then(code_of)).flatten();
        let body = Body { data: executed.then_some(&response.data), errors: &errors };
        let body = serde_json::to_string(&body).unwrap_or_default();
        Executed { body, refused, spent: progress.spent() }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
}

fn code_of(error: &ServerError) -> Option<String> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code.clone()),
        _ => None,
    }
}

/// Parses the document and refuses what is too much, or not for this caller, before anything runs.
fn prepare(cx: &Context, operation: Operation) -> Result<(Request, Shape), ServerError> {
    document::check_length(&operation.query)?;
    let parsed = parse_query(&operation.query).map_err(|error| {
        let mut error = ServerError::from(error);
        error.extensions.get_or_insert_default().set("code", code::GRAPHQL_PARSE_FAILED);
        error
    })?;
    let name = operation.operation_name.as_deref().filter(|name| !name.is_empty());
    let wanted = document::operation(&parsed, name)?;
    document::check_breadth(&parsed, wanted)?;
    document::check_variables(wanted, &operation.variables)?;
    if document::is_mutation(wanted) && cx.caller.is_read_only() {
        return Err(request_error(crate::error::Error::ReadOnly.to_string(), code::READ_ONLY));
    }
    let max_depth = MaxDepth(document::max_depth(wanted));
    let mut request = Request::new(operation.query)
        .variables(Variables::from_json(operation.variables.into()))
        .data(max_depth);
    if let Some(name) = name {
        request = request.operation_name(name);
    }
    let mut shape = Shape::default();
    shape.add(&parsed, &wanted.selection_set.node);
    request.set_parsed_query(parsed);
    Ok((request, shape))
}

/// The request that a resolver runs for.
fn context<'a>(ctx: &async_graphql::Context<'a>) -> async_graphql::Result<&'a Context> {
    ctx.data::<Context>()
}
