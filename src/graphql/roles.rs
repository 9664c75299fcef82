//! Roles.

use async_graphql::{Context, ID, InputObject, Object};
use entity::role;

use super::context;
use super::error::field_error;
use super::loaders::{ScopesOfRole, load};
use super::page::{PageArguments, RoleConnection, page_cost, wants_count};
use super::scopes::Scope;
use crate::actions;

/// A named set of scopes.
#[derive(Clone, Debug)]
pub(super) struct Role(pub role::Model);

/// A named set of scopes.
#[Object]
impl Role {
    /// The id, such as `role_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The unique name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it came with the server and cannot be changed.
    async fn built_in(&self) -> bool {
        self.0.built_in
    }

    /// The scopes that it grants now, by name.
    #[graphql(complexity = "10 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        let scopes = load(ctx, ScopesOfRole(self.0.id)).await?.unwrap_or_default();
        Ok(scopes.into_iter().map(Scope).collect())
    }

    /// Raised by each change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Which roles.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct RoleFilter {
    /// Part of the name.
    search: Option<String>,
}

#[derive(Default)]
pub(super) struct RoleQueries;

/// Roles.
#[Object]
impl RoleQueries {
    /// The roles, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which roles; all when left out.")] filter: Option<RoleFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<RoleConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let search = filter.unwrap_or_default().search;
        let page = actions::roles::list(cx, search.as_deref(), &request).await.map_err(field_error)?;
        let count = if wants_count(ctx) {
            Some(actions::roles::count(cx, search.as_deref()).await.map_err(field_error)?)
        } else {
            None
        };
        Ok(Some(RoleConnection::new(page, |row| Role(row.into_row()), count).map_err(field_error)?))
    }
}
