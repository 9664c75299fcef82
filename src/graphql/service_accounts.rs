//! Service accounts: their list, and what changes them. The type itself is in `accounts.rs`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::accounts::ServiceAccount;
use super::context;
use super::error::field_error;
use super::page::{PageArguments, ServiceAccountConnection, counted, page_cost};
use super::payloads::{DeletePayload, payload_type};
use super::scalars::{changed_description, new_description, parse_id, search};
use crate::actions::service_accounts as actions;
use crate::actions::service_accounts::ServiceAccountChanges;
use crate::error::Result;
use crate::values::Name;

/// Filters a list of service accounts.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ServiceAccountFilter {
    /// Text contained in the name, ignoring case; with fewer than three characters, its beginning. At most 100
    /// characters.
    search: Option<String>,
}

/// Input of `createServiceAccount`.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateServiceAccountInput {
    /// The name, unique; at most 100 characters.
    name: String,
    /// What it is for, in free text; at most 1,000 characters.
    description: Option<String>,
}

/// Input of `updateServiceAccount`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateServiceAccountInput {
    /// The id of the service account to change.
    id: ID,
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for, in free text.
    description: MaybeUndefined<String>,
}

impl UpdateServiceAccountInput {
    fn parse(self) -> Result<ServiceAccountChanges> {
        Ok(ServiceAccountChanges {
            name: self.name.map(|text| Name::parse("name", &text)).transpose()?,
            description: changed_description(self.description)?,
        })
    }
}

/// Identifies a service account.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ServiceAccountIdInput {
    /// The id.
    id: ID,
}

payload_type!(
    /// Payload of the mutations that change a service account.
    ServiceAccountPayload {
        /// The service account after the change; null if there are errors.
        service_account: ServiceAccount
    }
);

#[derive(Default)]
pub(super) struct ServiceAccountQueries;

/// Service accounts.
#[Object]
impl ServiceAccountQueries {
    /// Service accounts, by name. Without `service-accounts:read`, only the one the caller acts for.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn service_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which service accounts to return; all if omitted.")] filter: Option<
            ServiceAccountFilter,
        >,
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
    ) -> async_graphql::Result<Option<ServiceAccountConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let search = search(filter.unwrap_or_default().search).map_err(field_error)?;
        let page = actions::list(cx, search.as_ref(), &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::count(cx, search.as_ref())).await?;
        Ok(Some(ServiceAccountConnection::new(page, ServiceAccount::from, count).map_err(field_error)?))
    }
}

#[derive(Default)]
pub(super) struct ServiceAccountMutations;

/// What changes service accounts.
#[Object]
impl ServiceAccountMutations {
    /// Creates a service account, which can own API keys that belong to no person. It holds no scopes of its own.
    async fn create_service_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new object.")] input: CreateServiceAccountInput,
    ) -> async_graphql::Result<Option<ServiceAccountPayload>> {
        let cx = context(ctx)?;
        let create = async {
            let name = Name::parse("name", &input.name)?;
            let about = new_description(input.description)?;
            actions::create(cx, name, about).await
        };
        ServiceAccountPayload::from_result(create.await)
    }

    /// Changes a service account.
    async fn update_service_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateServiceAccountInput,
    ) -> async_graphql::Result<Option<ServiceAccountPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::update(cx, id, version, input.parse()?).await
        };
        ServiceAccountPayload::from_result(change.await)
    }

    /// Deletes a service account that never had an API key.
    async fn delete_service_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The service account to delete.")] input: ServiceAccountIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { actions::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
