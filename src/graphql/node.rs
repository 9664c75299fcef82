//! Objects by their id, of whatever kind.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};
use entity::{AccountId, ActivityId, ApiId, GlobalId, KeyId, ObjectKind, RoleId, ScopeId};

use super::accounts::{Owner, ServiceAccount, User};
use super::activity::Activity;
use super::context;
use super::error::field_error;
use super::keys::ApiKey;
use super::roles::Role;
use super::scalars::parse_id;
use super::scopes::{Api, Scope};
use crate::actions::{accounts, activity, keys, roles, scopes};
use crate::context::Context as Cx;
use crate::error::Result;

/// An object that can be fetched by its id alone.
#[derive(Clone, Debug, Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "The id: a prefix for the kind of object, and an opaque value."
))]
pub(super) enum Node {
    User(User),
    ServiceAccount(ServiceAccount),
    ApiKey(ApiKey),
    Role(Role),
    Api(Api),
    Scope(Scope),
    Activity(Activity),
}

impl From<Owner> for Node {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::User(user) => Self::User(user),
            Owner::ServiceAccount(service_account) => Self::ServiceAccount(service_account),
        }
    }
}

async fn find(cx: &Cx, GlobalId { kind, uuid }: GlobalId) -> Result<Option<Node>> {
    Ok(match kind {
        ObjectKind::ApiKey => keys::find(cx, KeyId(uuid)).await?.map(|key| Node::ApiKey(key.into())),
        ObjectKind::Role => roles::find(cx, RoleId(uuid)).await?.map(|role| Node::Role(Role(role))),
        ObjectKind::Scope => scopes::find(cx, ScopeId(uuid)).await?.map(|scope| Node::Scope(Scope(scope))),
        ObjectKind::Api => scopes::find_api(cx, ApiId(uuid)).await?.map(|api| Node::Api(Api(Arc::new(api)))),
        ObjectKind::Activity => {
            activity::find(cx, ActivityId(uuid)).await?.map(|row| Node::Activity(Activity(row.into_row())))
        }
        ObjectKind::User | ObjectKind::ServiceAccount => {
            accounts::find(cx, AccountId(uuid), kind).await?.map(|owner| Owner::from(&owner).into())
        }
        ObjectKind::System | ObjectKind::Group | ObjectKind::SigningKey | ObjectKind::Settings => None,
    })
}

#[derive(Default)]
pub(super) struct NodeQueries;

/// Objects by their id.
#[Object]
impl NodeQueries {
    /// An object by its id; null if there is none that the viewer may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of any object.")] id: ID,
    ) -> async_graphql::Result<Option<Node>> {
        let id = parse_id("id", &id).map_err(field_error)?;
        find(context(ctx)?, id).await.map_err(field_error)
    }
}
