//! The schema that clients see, by nouns. The crate `graphql-engine` executes it; `hooks` says what the product adds.

mod accounts;
mod activity;
mod error;
mod groups;
mod hooks;
mod key_bulk;
mod key_filter;
mod key_mutations;
mod key_selection;
mod keys;
mod loaders;
mod node;
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
mod sign_ins;
mod users;
mod viewer;

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject};
use graphql_engine::{Engine, Limits, Request};

pub use error::code;
use hooks::RequestHooks;
pub use request::{DocumentRef, Operation};

use crate::app::context::Context;
use crate::app::limits::Spent;

/// Root fields that return a secret or take a password: a request has one of them at most, so that limits on requests are
/// limits on these.
const SECRET_FIELDS: [&str; 5] =
    ["createApiKey", "regenerateSecrets", "createUser", "updateUser", "changePassword"];

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

/// The schema, ready to execute.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Engine<Query, Mutation, EmptySubscription>>);

/// How a request ended.
#[derive(Debug)]
pub struct Executed {
    /// JSON with `data` and `errors`, in the order of the selection; without `data` if nothing was executed.
    pub body: String,
    /// The code of the error that kept it from being executed at all.
    pub refused: Option<String>,
    /// What it cost, if it was charged.
    pub spent: Option<Spent>,
}

impl Schema {
    pub fn build() -> Self {
        let limits = Limits { exclusive_fields: &SECRET_FIELDS, ..Limits::default() };
        let types = || async_graphql::Schema::build(Query::default(), Mutation::default(), EmptySubscription);
        Self(Arc::new(Engine::new(types, limits)))
    }

    /// The schema as text, in the order of its definition.
    pub fn sdl(&self) -> &str {
        self.0.sdl()
    }

    /// Checks, charges and executes one operation.
    pub async fn execute(&self, cx: Context, mut operation: Operation) -> Executed {
        let document = request::text(&cx.app.documents, &operation.document);
        let idempotency = document.as_deref().ok().and_then(|text| operation.idempotency(text));
        let hooks = RequestHooks::new(cx, operation.by_get, idempotency);
        let Operation { operation_name, variables, .. } = operation;
        let executed = match document {
            Ok(document) => {
                let request = Request { document, operation_name, variables };
                self.0.execute(Arc::new(hooks.clone()), request).await
            }
            Err(error) => self.0.refuse(&hooks, error),
        };
        Executed { body: executed.body, refused: executed.refused, spent: hooks.spent() }
    }
}

/// The request that a resolver runs for.
fn context<'a>(ctx: &async_graphql::Context<'a>) -> async_graphql::Result<&'a Context> {
    ctx.data::<Context>()
}
