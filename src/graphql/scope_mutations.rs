//! What changes APIs and their scopes.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::context;
use super::payloads::{DeletePayload, payload_type};
use super::scalars::{changed_description, new_description, parse_id};
use super::scopes::{Api, Scope, ScopeKind};
use crate::actions::apis::{ApiChanges, NewApi};
use crate::actions::scopes::{NewScope, ScopeChanges};
use crate::actions::{apis, scopes};
use crate::error::Result;
use crate::values::{Name, ScopeName, api_identifier};

/// What an API is made from.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateApiInput {
    /// The address that names it (RFC 8707): absolute, without a fragment, unique. It is the `aud` of its tokens.
    identifier: String,
    /// The name to show; at most 100 characters.
    name: String,
    /// What it is; at most 1,000 characters.
    description: Option<String>,
}

impl CreateApiInput {
    fn parse(self) -> Result<NewApi> {
        Ok(NewApi {
            identifier: api_identifier("identifier", &self.identifier)?,
            name: Name::parse("name", &self.name)?,
            description: new_description(self.description)?,
        })
    }
}

/// What to change of an API. A field left out stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateApiInput {
    /// Which API.
    id: ID,
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// The new address. Tokens already issued keep the old one.
    identifier: Option<String>,
    /// The new name.
    name: Option<String>,
    /// What it is.
    description: MaybeUndefined<String>,
}

impl UpdateApiInput {
    fn parse(self) -> Result<ApiChanges> {
        Ok(ApiChanges {
            identifier: self.identifier.map(|text| api_identifier("identifier", &text)).transpose()?,
            name: self.name.map(|text| Name::parse("name", &text)).transpose()?,
            description: changed_description(self.description)?,
        })
    }
}

/// Which API.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ApiIdInput {
    /// Its id.
    id: ID,
}

/// What a scope is made from.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateScopeInput {
    /// The API that it belongs to.
    api_id: ID,
    /// The unique name, such as `invoices:read`: lower-case letters, digits and hyphens, with colons between.
    name: String,
    /// What it lets do; at most 1,000 characters.
    description: Option<String>,
    /// Whether it lets see or change. Read-only API keys are granted READ alone.
    kind: ScopeKind,
}

impl CreateScopeInput {
    fn parse(self) -> Result<NewScope> {
        Ok(NewScope {
            api: parse_id("apiId", &self.api_id)?,
            name: ScopeName::parse("name", &self.name)?,
            description: new_description(self.description)?,
            kind: self.kind.into(),
        })
    }
}

/// What to change of a scope. A field left out stays as it is; null clears. Its name is what tokens say, and stays.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateScopeInput {
    /// Which scope.
    id: ID,
    /// What it lets do.
    description: MaybeUndefined<String>,
    /// Whether it lets see or change. Only who holds the scope may change that.
    kind: Option<ScopeKind>,
}

impl UpdateScopeInput {
    fn parse(self) -> Result<ScopeChanges> {
        Ok(ScopeChanges {
            description: changed_description(self.description)?,
            kind: self.kind.map(Into::into),
        })
    }
}

/// Which scope.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ScopeIdInput {
    /// Its id.
    id: ID,
}

payload_type!(
    /// What became of a change of an API.
    ApiPayload {
        /// The API as it is now.
        api: Api
    }
);

payload_type!(
    /// What became of a change of a scope.
    ScopePayload {
        /// The scope as it is now.
        scope: Scope
    }
);

#[derive(Default)]
pub(super) struct ScopeMutations;

/// What changes APIs and their scopes.
#[Object]
impl ScopeMutations {
    /// Makes an API: a resource server that tokens can be issued for.
    async fn create_api(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is made from.")] input: CreateApiInput,
    ) -> async_graphql::Result<Option<ApiPayload>> {
        let cx = context(ctx)?;
        ApiPayload::from_result(async { apis::create(cx, input.parse()?).await }.await)
    }

    /// Changes an API.
    async fn update_api(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateApiInput,
    ) -> async_graphql::Result<Option<ApiPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            apis::update(cx, id, version, input.parse()?).await
        };
        ApiPayload::from_result(change.await)
    }

    /// Deletes an API that has no scopes left.
    async fn delete_api(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API.")] input: ApiIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { apis::delete(cx, parse_id("id", &input.id)?).await }.await)
    }

    /// Makes a scope of an API. Whoever holds everything has it from the next exchange on.
    async fn create_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is made from.")] input: CreateScopeInput,
    ) -> async_graphql::Result<Option<ScopePayload>> {
        let cx = context(ctx)?;
        ScopePayload::from_result(async { scopes::create(cx, input.parse()?).await }.await)
    }

    /// Changes a scope.
    async fn update_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateScopeInput,
    ) -> async_graphql::Result<Option<ScopePayload>> {
        let cx = context(ctx)?;
        let change = async { scopes::update(cx, parse_id("id", &input.id)?, input.parse()?).await };
        ScopePayload::from_result(change.await)
    }

    /// Deletes a scope that no role and no API key has.
    async fn delete_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which scope.")] input: ScopeIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { scopes::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
