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

/// Which service accounts.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ServiceAccountFilter {
    /// Part of the name, in either case; under three characters, its beginning. At most 100 characters.
    search: Option<String>,
}

/// What a service account is made from.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateServiceAccountInput {
    /// The unique name; at most 100 characters.
    name: String,
    /// What it is for; at most 1,000 characters.
    description: Option<String>,
}

/// What to change of a service account. A field left out stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateServiceAccountInput {
    /// Which service account.
    id: ID,
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for.
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

/// Which service account.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ServiceAccountIdInput {
    /// Its id.
    id: ID,
}

payload_type!(
    /// What became of a change of a service account.
    ServiceAccountPayload {
        /// The service account as it is now.
        service_account: ServiceAccount
    }
);

#[derive(Default)]
pub(super) struct ServiceAccountQueries;

/// Service accounts.
#[Object]
impl ServiceAccountQueries {
    /// Service accounts, by name. Without `service-accounts:read`, the one that the viewer acts for.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn service_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which service accounts; all when left out.")] filter: Option<ServiceAccountFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
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
    /// Makes a service account: an owner of keys that belong to no person. It holds nothing by itself.
    async fn create_service_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is made from.")] input: CreateServiceAccountInput,
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
        #[graphql(desc = "What to change.")] input: UpdateServiceAccountInput,
    ) -> async_graphql::Result<Option<ServiceAccountPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::update(cx, id, version, input.parse()?).await
        };
        ServiceAccountPayload::from_result(change.await)
    }

    /// Deletes a service account that never had a key.
    async fn delete_service_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which service account.")] input: ServiceAccountIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { actions::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
