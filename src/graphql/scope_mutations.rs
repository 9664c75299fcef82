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

/// Input of `createApi`.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateApiInput {
    /// The URI that identifies the API, unique; absolute and without a fragment (RFC 8707). It becomes the `aud` of its
    /// access tokens.
    identifier: String,
    /// The display name; at most 100 characters.
    name: String,
    /// What it is, in free text; at most 1,000 characters.
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

/// Input of `updateApi`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateApiInput {
    /// The id of the API to change.
    id: ID,
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// The new identifier (URI). Access tokens already issued keep the old one.
    identifier: Option<String>,
    /// The new name.
    name: Option<String>,
    /// What it is, in free text.
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

/// Identifies an API.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ApiIdInput {
    /// The id.
    id: ID,
}

/// Input of `createScope`.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateScopeInput {
    /// The API that it belongs to.
    api_id: ID,
    /// The name, unique, such as `invoices:read`: words of lower-case letters, digits and hyphens, separated by colons.
    name: String,
    /// What it permits, in free text; at most 1,000 characters.
    description: Option<String>,
    /// Whether it permits reading or changing. Read-only API keys are granted `READ` scopes only.
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

/// Input of `updateScope`. Omitted fields stay unchanged; null clears a field that may be empty. The name cannot be
/// changed, because access tokens contain it.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateScopeInput {
    /// The id of the scope to change.
    id: ID,
    /// What it permits, in free text.
    description: MaybeUndefined<String>,
    /// Whether it permits reading or changing. The caller must hold the scope to change this.
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

/// Identifies a scope.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ScopeIdInput {
    /// The id.
    id: ID,
}

payload_type!(
    /// Payload of the mutations that change an API.
    ApiPayload {
        /// The API after the change; null if there are errors.
        api: Api
    }
);

payload_type!(
    /// Payload of the mutations that change a scope.
    ScopePayload {
        /// The scope after the change; null if there are errors.
        scope: Scope
    }
);

#[derive(Default)]
pub(super) struct ScopeMutations;

/// What changes APIs and their scopes.
#[Object]
impl ScopeMutations {
    /// Creates an API (resource server) that access tokens can be issued for.
    async fn create_api(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new object.")] input: CreateApiInput,
    ) -> async_graphql::Result<Option<ApiPayload>> {
        let cx = context(ctx)?;
        ApiPayload::from_result(async { apis::create(cx, input.parse()?).await }.await)
    }

    /// Changes an API.
    async fn update_api(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateApiInput,
    ) -> async_graphql::Result<Option<ApiPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            apis::update(cx, id, version, input.parse()?).await
        };
        ApiPayload::from_result(change.await)
    }

    /// Deletes an API that has no scopes.
    async fn delete_api(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API to delete.")] input: ApiIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { apis::delete(cx, parse_id("id", &input.id)?).await }.await)
    }

    /// Creates a scope of an API. Owners that hold every scope have it from the next token exchange on.
    async fn create_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new object.")] input: CreateScopeInput,
    ) -> async_graphql::Result<Option<ScopePayload>> {
        let cx = context(ctx)?;
        ScopePayload::from_result(async { scopes::create(cx, input.parse()?).await }.await)
    }

    /// Changes a scope.
    async fn update_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateScopeInput,
    ) -> async_graphql::Result<Option<ScopePayload>> {
        let cx = context(ctx)?;
        let change = async { scopes::update(cx, parse_id("id", &input.id)?, input.parse()?).await };
        ScopePayload::from_result(change.await)
    }

    /// Deletes a scope that is not assigned to any role or API key.
    async fn delete_scope(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The scope to delete.")] input: ScopeIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { scopes::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
