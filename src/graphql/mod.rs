//! The schema that clients see, and how one request is executed: checked first, charged next, run last.

mod accounts;
mod activity;
mod batches;
mod breadth;
mod document;
mod error;
mod gate;
mod groups;
mod inputs;
mod key_bulk;
mod key_filter;
mod key_mutations;
mod key_selection;
mod keys;
mod lexer;
mod loaders;
mod node;
mod normal;
mod page;
mod payloads;
mod permissions;
mod rate_limit;
mod request;
mod roles;
mod scalars;
mod scope_mutations;
mod scopes;
mod service_accounts;
mod settings;
mod shape;
mod sign_ins;
mod users;
mod validate;
mod viewer;

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, ServerError, ValidationMode, Value};
use serde::Serialize;

use batches::Waiting;
use document::Document;
pub use error::code;
use error::finish;
use gate::{Gate, Progress};
use request::Meant;
pub use request::{Asked, Operation};
use shape::is_lost;
use validate::Validate;

use crate::app::context::Context;
use crate::app::limits::Spent;
use crate::recent::Recent;

/// The bytes of all documents that are kept parsed. Parsed, a document takes tens of times as much.
const PARSED: usize = 1024 * 1024;

/// An answer has no more errors than this: the first ones say enough.
const MAX_ERRORS: usize = 20;

/// Everything that can be asked.
#[derive(Default, MergedObject)]
struct Query(
    viewer::ViewerQueries,
    node::NodeQueries,
    keys::KeyQueries,
    users::UserQueries,
    service_accounts::ServiceAccountQueries,
    groups::GroupQueries,
    roles::RoleQueries,
    scopes::ScopeQueries,
    activity::ActivityQueries,
    permissions::PermissionQueries,
    settings::SettingsQueries,
    rate_limit::RateLimitQueries,
);

/// Everything that can be changed.
#[derive(Default, MergedObject)]
struct Mutation(
    key_mutations::KeyMutations,
    key_bulk::KeyBulkMutations,
    users::UserMutations,
    service_accounts::ServiceAccountMutations,
    groups::GroupMutations,
    roles::RoleMutations,
    scope_mutations::ScopeMutations,
    settings::SettingsMutations,
    sign_ins::SignInMutations,
);

type Types = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// The schema, ready to execute.
#[derive(Clone)]
pub struct Schema {
    validates: Types,
    executes: Types,
    sdl: Arc<str>,
    parsed: Arc<Recent<Arc<str>, Arc<Document>>>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
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
        let types = || Types::build(Query::default(), Mutation::default(), EmptySubscription);
        let validates = types().extension(Validate).finish();
        let executes = types().extension(Gate).validation_mode(ValidationMode::Fast).finish();
        let sdl = validates.sdl_with_options(SDLExportOptions::new().include_specified_by()).into();
        Self { validates, executes, sdl, parsed: Arc::new(Recent::new(PARSED)) }
    }

    /// The schema as text, in the order of its design.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Checks, charges and executes one operation.
    pub async fn execute(&self, cx: Context, operation: Operation) -> Executed {
        let progress = Progress::default();
        let request_id = cx.origin.request_id.clone();
        let (data, mut errors) = match self.prepare(&cx, operation).await {
            Ok(meant) => self.run(cx, &meant, &progress).await,
            Err(errors) => (Value::Null, errors),
        };
        errors.truncate(MAX_ERRORS);
        let executed = progress.executed();
        let fallback = if executed { code::BAD_USER_INPUT } else { code::GRAPHQL_VALIDATION_FAILED };
        for error in &mut errors {
            finish(error, fallback, request_id.as_deref());
        }
        let refused = (!executed).then(|| errors.first().and_then(code_of)).flatten();
        let body = Body { data: executed.then_some(&data), errors: &errors };
        let body = serde_json::to_string(&body).unwrap_or_default();
        Executed { body, refused, spent: progress.spent() }
    }

    /// Refuses what is too much, not for this caller, or not valid, before anything runs.
    async fn prepare(&self, cx: &Context, operation: Operation) -> Result<Meant, Vec<ServerError>> {
        let alone = |error| vec![error];
        let text = request::text(&cx.app.documents, &operation.document).map_err(alone)?;
        let document = self.parse(Arc::clone(&text)).map_err(alone)?;
        let meant = Meant::new(cx, document, (&text, operation)).map_err(alone)?;
        if !meant.document.is_valid() {
            let errors = self.validates.execute(meant.to_validate()).await.errors;
            if !errors.is_empty() {
                return Err(errors);
            }
        }
        Ok(meant)
    }

    /// Executes, and gives the answer its shape.
    async fn run(&self, cx: Context, meant: &Meant, progress: &Progress) -> (Value, Vec<ServerError>) {
        let waiting = Waiting::default();
        let loaders = loaders::loaders(cx.clone(), &waiting);
        let request = meant.to_execute().data(cx).data(loaders).data(progress.clone());
        let mut response = waiting.drive(self.executes.execute(request)).await;
        if let Some(normal) = progress.normal() {
            normal.shape.arrange(&mut response.data);
        }
        if is_lost(&response.data) {
            response.data = Value::Null;
        }
        response.errors.extend(progress.take_errors());
        (response.data, response.errors)
    }

    /// Parses a document, unless that was done not long ago.
    fn parse(&self, text: Arc<str>) -> Result<Arc<Document>, ServerError> {
        if let Some(parsed) = self.parsed.get(&*text) {
            return Ok(parsed);
        }
        let document = Arc::new(Document::parse(&text)?);
        let weight = text.len();
        self.parsed.put(text, Arc::clone(&document), weight);
        Ok(document)
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

/// The request that a resolver runs for.
fn context<'a>(ctx: &async_graphql::Context<'a>) -> async_graphql::Result<&'a Context> {
    ctx.data::<Context>()
}
