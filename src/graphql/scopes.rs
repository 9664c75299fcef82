//! APIs and their scopes.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object};
use entity::{api, scope};

use super::context;
use super::error::field_error;
use super::loaders::{ScopesOfApi, load};
use super::page::{ApiConnection, PageArguments, ScopeConnection, counted, page_cost};
use super::scalars::parse_ids;
use crate::actions;
use crate::actions::scopes::ScopeFilter as Filter;

/// What a scope lets do. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "scope::ScopeKind")]
pub(super) enum ScopeKind {
    /// See something.
    Read,
    /// Change something. Read-only API keys are not granted it.
    Write,
}

/// A permission of one API.
#[derive(Clone, Debug)]
pub(super) struct Scope(pub scope::Model);

impl From<scope::Model> for Scope {
    fn from(row: scope::Model) -> Self {
        Self(row)
    }
}

/// A permission of one API.
#[Object]
impl Scope {
    /// The id, such as `scope_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The unique name, such as `keys:read`: what an exchange asks for and a token lists.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it lets do.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it lets see or change.
    async fn kind(&self) -> ScopeKind {
        self.0.kind.into()
    }

    /// The API that it belongs to.
    async fn api(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Api>> {
        Ok(load(ctx, self.0.api_id).await?.map(Api))
    }
}

/// A resource server that tokens are issued for.
#[derive(Clone, Debug)]
pub(super) struct Api(pub Arc<api::Model>);

impl From<api::Model> for Api {
    fn from(row: api::Model) -> Self {
        Self(Arc::new(row))
    }
}

/// A resource server that tokens are issued for.
#[Object]
impl Api {
    /// The id, such as `api_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The address that names it: the `aud` of its tokens, and what an exchange names as `resource`.
    async fn identifier(&self) -> &str {
        &self.0.identifier
    }

    /// The name to show.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it is this server itself.
    async fn built_in(&self) -> bool {
        self.0.built_in
    }

    /// Its scopes, by name.
    #[graphql(complexity = "20 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        let scopes = load(ctx, ScopesOfApi(self.0.id)).await?.unwrap_or_default();
        Ok(scopes.into_iter().map(Scope).collect())
    }

    /// Raised by each change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Which scopes: all conditions hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ScopeFilter {
    /// Part of the name.
    search: Option<String>,
    /// Scopes of any of these APIs.
    api_ids: Option<Vec<ID>>,
    /// Scopes of this kind.
    kind: Option<ScopeKind>,
}

impl ScopeFilter {
    fn parse(self) -> crate::error::Result<Filter> {
        Ok(Filter {
            search: self.search,
            apis: self.api_ids.map(|ids| parse_ids("apiIds", &ids)).transpose()?,
            kind: self.kind.map(Into::into),
        })
    }
}

#[derive(Default)]
pub(super) struct ScopeQueries;

/// APIs and their scopes.
#[Object]
impl ScopeQueries {
    /// The APIs, in the order they were made.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn apis(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ApiConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let page = actions::apis::list(cx, &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::apis::count(cx)).await?;
        Ok(Some(ApiConnection::new(page, Api::from, count).map_err(field_error)?))
    }

    /// The scopes of all APIs, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn scopes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which scopes; all when left out.")] filter: Option<ScopeFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ScopeConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        let page = actions::scopes::list(cx, &filter, &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::scopes::count(cx, &filter)).await?;
        Ok(Some(ScopeConnection::new(page, |row| Scope(row.into_row()), count).map_err(field_error)?))
    }
}
