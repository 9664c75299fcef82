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

/// What a scope permits. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "scope::ScopeKind")]
pub(super) enum ScopeKind {
    /// Reading.
    Read,
    /// Changing. Read-only API keys are not granted scopes of this kind.
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

    /// The name, unique, such as `keys:read`. Token requests and access tokens contain it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it permits, in free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it permits reading or changing.
    async fn kind(&self) -> ScopeKind {
        self.0.kind.into()
    }

    /// The API that it belongs to.
    async fn api(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Api>> {
        Ok(load(ctx, self.0.api_id).await?.map(Api))
    }
}

/// An API (resource server) that access tokens can be issued for.
#[derive(Clone, Debug)]
pub(super) struct Api(pub Arc<api::Model>);

impl From<api::Model> for Api {
    fn from(row: api::Model) -> Self {
        Self(Arc::new(row))
    }
}

/// An API (resource server) that access tokens can be issued for.
#[Object]
impl Api {
    /// The id, such as `api_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The URI that identifies the API: the `aud` of its access tokens, and the value of `resource` in a token request.
    async fn identifier(&self) -> &str {
        &self.0.identifier
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is, in free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it is Latchkey's own API.
    async fn built_in(&self) -> bool {
        self.0.built_in
    }

    /// Its scopes, by name.
    #[graphql(complexity = "20 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        let scopes = load(ctx, ScopesOfApi(self.0.id)).await?.unwrap_or_default();
        Ok(scopes.into_iter().map(Scope).collect())
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Filters a list of scopes. All conditions must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ScopeFilter {
    /// Text that the name contains.
    search: Option<String>,
    /// Belonging to any of these APIs.
    api_ids: Option<Vec<ID>>,
    /// Of this kind.
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
    /// APIs, oldest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn apis(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Page size, counted from the start of the list; from 0 to 100, by default 50. Not together with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Return rows after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Page size, counted from the end of the list; from 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Return rows before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ApiConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let page = actions::apis::list(cx, &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::apis::count(cx)).await?;
        Ok(Some(ApiConnection::new(page, Api::from, count).map_err(field_error)?))
    }

    /// Scopes of all APIs, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn scopes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which scopes to return; all if omitted.")] filter: Option<ScopeFilter>,
        #[graphql(
            desc = "Page size, counted from the start of the list; from 0 to 100, by default 50. Not together with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Return rows after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Page size, counted from the end of the list; from 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Return rows before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ScopeConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        let page = actions::scopes::list(cx, &filter, &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::scopes::count(cx, &filter)).await?;
        Ok(Some(ScopeConnection::new(page, |row| Scope(row.into_row()), count).map_err(field_error)?))
    }
}
