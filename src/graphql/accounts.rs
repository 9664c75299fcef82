//! Users and service accounts, as owners and as actors.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject, Union};
use entity::{AccountId, KeyId, ObjectKind, account, service_account, user};
use uuid::Uuid;

use super::groups::Group;
use super::keys::ApiKey;
use super::loaders::{GroupsOfUser, RolesOfUser, ScopesOfUser, load};
use super::roles::Role;
use super::scalars::DateTime;
use super::scopes::Scope;
use crate::actions::accounts::{Owner as OwnerRow, ServiceAccountRow, UserRow};

/// A person who can sign in.
#[derive(Clone, Debug)]
pub(super) struct User {
    account: account::Model,
    user: user::Model,
}

/// A person who can sign in.
#[Object]
impl User {
    /// The id, such as `user_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.user.id.to_string())
    }

    /// The e-mail address, in lower case.
    async fn email(&self) -> &str {
        &self.user.email
    }

    /// A short unique name, if the organization assigns one (the user key).
    async fn handle(&self) -> Option<&str> {
        self.user.handle.as_deref()
    }

    /// The display name.
    async fn display_name(&self) -> &str {
        &self.user.display_name
    }

    /// Whether the user can sign in and the user's API keys can be used.
    async fn active(&self) -> bool {
        self.account.active
    }

    /// The roles assigned to the user directly, by name.
    #[graphql(complexity = "2 * child_complexity")]
    async fn roles(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Role>> {
        Ok(load(ctx, RolesOfUser(self.user.id)).await?.unwrap_or_default().into_iter().map(Role).collect())
    }

    /// The groups the user is a member of, by name.
    #[graphql(complexity = "2 * child_complexity")]
    async fn groups(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Group>> {
        Ok(load(ctx, GroupsOfUser(self.user.id)).await?.unwrap_or_default().into_iter().map(Group).collect())
    }

    /// The scopes the user holds now, through roles and groups, by name.
    #[graphql(complexity = "5 * child_complexity")]
    async fn effective_scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        let scopes = load(ctx, ScopesOfUser(self.account.id)).await?.unwrap_or_default();
        Ok(scopes.into_iter().map(Scope).collect())
    }

    /// When the user was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.account.created_at)
    }

    /// When the user last signed in; null if never.
    async fn last_sign_in_at(&self) -> Option<DateTime> {
        self.user.last_sign_in_at.map(DateTime)
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
    async fn version(&self) -> i32 {
        self.account.version
    }
}

impl From<UserRow> for User {
    fn from((account, user): UserRow) -> Self {
        Self { account, user }
    }
}

/// An account for software instead of a person. It cannot sign in; its API keys do not depend on anyone staying active.
#[derive(Clone, Debug)]
pub(super) struct ServiceAccount {
    account: account::Model,
    service_account: service_account::Model,
}

/// An account for software instead of a person. It cannot sign in; its API keys do not depend on anyone staying active.
#[Object]
impl ServiceAccount {
    /// The id, such as `svc_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.service_account.id.to_string())
    }

    /// The unique name.
    async fn name(&self) -> &str {
        &self.service_account.name
    }

    /// What it is for, in free text.
    async fn description(&self) -> Option<&str> {
        self.service_account.description.as_deref()
    }

    /// Who created it; null if the caller cannot see that account or key.
    async fn created_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        actor(ctx, Some(self.account.created_by_kind), self.account.created_by_id).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.account.created_at)
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
    async fn version(&self) -> i32 {
        self.account.version
    }
}

impl From<ServiceAccountRow> for ServiceAccount {
    fn from((account, service_account): ServiceAccountRow) -> Self {
        Self { account, service_account }
    }
}

/// The account an API key belongs to and acts for.
#[derive(Clone, Debug, Union)]
pub(super) enum Owner {
    User(User),
    ServiceAccount(ServiceAccount),
}

/// Whoever performed an action.
#[derive(Clone, Debug, Union)]
pub(super) enum Actor {
    User(User),
    ServiceAccount(ServiceAccount),
    ApiKey(ApiKey),
    System(System),
}

/// Latchkey itself: commands run on the server, and automatic actions.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct System {
    /// The display name.
    name: String,
}

impl From<&OwnerRow> for Owner {
    fn from(owner: &OwnerRow) -> Self {
        match owner.clone() {
            OwnerRow::User(account, user) => Self::User(User { account, user }),
            OwnerRow::ServiceAccount(account, service_account) => {
                Self::ServiceAccount(ServiceAccount { account, service_account })
            }
        }
    }
}

impl From<Owner> for Actor {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::User(user) => Self::User(user),
            Owner::ServiceAccount(service_account) => Self::ServiceAccount(service_account),
        }
    }
}

/// The account behind a row that is in sight.
pub(super) async fn owner_row(
    ctx: &Context<'_>,
    id: AccountId,
) -> async_graphql::Result<Option<Arc<OwnerRow>>> {
    load(ctx, id).await
}

/// The actor behind a row that is in sight; null for a key that is not.
pub(super) async fn actor(
    ctx: &Context<'_>,
    kind: Option<ObjectKind>,
    id: Option<Uuid>,
) -> async_graphql::Result<Option<Actor>> {
    Ok(match (kind, id) {
        (Some(ObjectKind::System), _) => Some(Actor::System(System { name: "Latchkey".to_owned() })),
        (Some(ObjectKind::User | ObjectKind::ServiceAccount), Some(id)) => {
            owner_row(ctx, AccountId(id)).await?.map(|owner| Owner::from(&*owner).into())
        }
        (Some(ObjectKind::ApiKey), Some(id)) => {
            load(ctx, KeyId(id)).await?.map(|key| Actor::ApiKey(ApiKey::new(key)))
        }
        _ => None,
    })
}
