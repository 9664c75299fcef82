//! Who is asking.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entity::{AccountId, KeyId};

use super::accounts::{Owner, User, owner_row};
use super::context;
use super::error::field_error;
use super::key_filter::{ApiKeyFilter, ApiKeyOrder};
use super::keys::{ApiKey, list};
use super::loaders::load;
use super::page::{ApiKeyConnection, PageArguments, page_cost};
use super::sign_ins::SignIn;
use crate::access::{Action, Caller, Scopes};
use crate::actions::keys::KeyFilter;
use crate::error::Error;

/// The caller of this request, and what the caller may do.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    owner: AccountId,
    /// None for a person who signed in.
    key: Option<KeyId>,
    scopes: Scopes,
}

/// What the caller may do, for example to show or hide parts of a page. True means that the caller has the permission,
/// not that every object can be changed.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct ViewerPermissions {
    /// See their own API keys.
    view_api_keys: bool,
    /// Create API keys for themselves.
    create_api_keys: bool,
    /// Create API keys for other owners.
    create_api_keys_for_others: bool,
    /// Change, rotate, disable and delete their own API keys.
    manage_api_keys: bool,
    /// Approve and reject API keys that are pending approval.
    approve_api_keys: bool,
    /// See roles.
    view_roles: bool,
    /// See APIs and their scopes.
    view_scopes: bool,
    /// See activity that concerns their own account.
    view_activity: bool,
    /// See other users.
    view_users: bool,
    /// Create, change, deactivate and reactivate users.
    manage_users: bool,
    /// See service accounts.
    view_service_accounts: bool,
    /// Create, change and delete service accounts.
    manage_service_accounts: bool,
    /// See groups.
    view_groups: bool,
    /// Create, change and delete groups.
    manage_groups: bool,
    /// Create, change and delete roles.
    manage_roles: bool,
    /// Create, change and delete APIs and their scopes.
    manage_scopes: bool,
    /// See the settings.
    view_settings: bool,
    /// Change the settings.
    manage_settings: bool,
}

/// The caller of this request, and what the caller may do.
#[Object]
impl Viewer {
    /// The user; null if the request was made with an API key of a service account.
    async fn user(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        Ok(match self.owner(ctx).await? {
            Owner::User(user) => Some(user),
            Owner::ServiceAccount(_) => None,
        })
    }

    /// The account that the caller acts for.
    async fn owner(&self, ctx: &Context<'_>) -> async_graphql::Result<Owner> {
        let owner = owner_row(ctx, self.owner).await?;
        owner
            .map(|owner| Owner::from(&*owner))
            .ok_or_else(|| field_error(Error::internal("a key without its owner")))
    }

    /// The API key that the request was made with; null if it may not see API keys, or if a user signed in.
    async fn api_key(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<ApiKey>> {
        let Some(key) = self.key else { return Ok(None) };
        Ok(load(ctx, key).await?.map(|key: Arc<_>| ApiKey::new(key)))
    }

    /// The names of the scopes that the caller holds now.
    async fn scopes(&self) -> Vec<&str> {
        self.scopes.iter().collect()
    }

    /// What the caller may do, for example to show or hide parts of a page.
    async fn can(&self, ctx: &Context<'_>) -> async_graphql::Result<ViewerPermissions> {
        let cx = context(ctx)?;
        let may = |action| cx.may(action).is_ok();
        Ok(ViewerPermissions {
            view_api_keys: may(Action::ViewKeys),
            create_api_keys: may(Action::CreateKey),
            create_api_keys_for_others: may(Action::CreateKeyForOthers),
            manage_api_keys: may(Action::UpdateKey),
            approve_api_keys: may(Action::ApproveKeys),
            view_roles: may(Action::ViewRoles),
            view_scopes: may(Action::ViewScopes),
            view_activity: may(Action::ViewActivity),
            view_users: cx.caller.holds("users:read"),
            manage_users: may(Action::EditUsers),
            view_service_accounts: cx.caller.holds("service-accounts:read"),
            manage_service_accounts: may(Action::EditServiceAccounts),
            view_groups: may(Action::ViewGroups),
            manage_groups: may(Action::EditGroups),
            manage_roles: may(Action::EditRoles),
            manage_scopes: may(Action::EditScopes),
            view_settings: may(Action::ViewSettings),
            manage_settings: may(Action::EditSettings),
        })
    }

    /// The caller's active sessions, newest first.
    #[graphql(complexity = "5 * child_complexity")]
    async fn sign_ins(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<SignIn>> {
        super::sign_ins::list(ctx).await
    }

    /// The caller's own API keys, by default newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys to return; all but deleted ones if omitted.")] filter: Option<
            ApiKeyFilter,
        >,
        #[graphql(desc = "The sort order; newest first if omitted.")] order_by: Option<ApiKeyOrder>,
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
    ) -> async_graphql::Result<ApiKeyConnection> {
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        let mut owners = filter.owners.clone().unwrap_or_else(|| vec![self.owner]);
        owners.retain(|owner| *owner == self.owner);
        let own = KeyFilter { owners: Some(owners), ..filter };
        list(ctx, own, order_by, PageArguments { first, after, last, before }).await
    }
}

#[derive(Default)]
pub(super) struct ViewerQueries;

/// Who is asking.
#[Object]
impl ViewerQueries {
    /// The caller of this request, and what the caller may do.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Viewer>> {
        let cx = context(ctx)?;
        cx.may(Action::ViewSelf).map_err(field_error)?;
        match &cx.caller {
            Caller::Machine(machine) => Ok(Some(Viewer {
                owner: machine.owner,
                key: Some(machine.key),
                scopes: machine.scopes.clone(),
            })),
            Caller::Person(person) => {
                Ok(Some(Viewer { owner: person.user.into(), key: None, scopes: person.scopes.clone() }))
            }
            Caller::Anonymous | Caller::Operator => Err(field_error(Error::Unauthenticated)),
        }
    }
}
