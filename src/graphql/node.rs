//! Objects by their id, of whatever kind.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use async_graphql::futures_util::future::join_all;
use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, ServerResult,
};
use entity::account::AccountKind;
use entity::{AccountId, ActivityId, ApiId, GlobalId, GroupId, KeyId, ObjectKind, RoleId, ScopeId};
use uuid::Uuid;

use super::accounts::{Owner, ServiceAccount, User};
use super::activity::Activity;
use super::error::field_error;
use super::groups::Group;
use super::keys::ApiKey;
use super::loaders::{Batches, load};
use super::roles::Role;
use super::scalars::parse_id;
use super::scopes::{Api, Scope};
use crate::actions::page::MAX_PAGE;
use crate::actions::{accounts, activity, groups, keys, roles, scopes};
use crate::app::context::Context as Cx;
use crate::error::{Error, UserError};

/// An object that can be fetched by its id.
#[derive(Clone, Debug, Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "The id: a prefix for the kind of object, then an opaque value."
))]
pub(super) enum Node {
    User(User),
    ServiceAccount(ServiceAccount),
    ApiKey(ApiKey),
    Group(Group),
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

/// What an id led to: an object, or the permission that is missing for objects of its kind.
type Found = Result<Node, Arc<Error>>;

impl Loader<GlobalId> for Batches {
    type Value = Found;
    type Error = Arc<Error>;

    /// One query for each kind of object, however many ids.
    async fn load(&self, ids: &[GlobalId]) -> Result<HashMap<GlobalId, Found>, Self::Error> {
        let mut by_kind: HashMap<ObjectKind, Vec<Uuid>> = HashMap::new();
        for id in ids {
            by_kind.entry(id.kind).or_default().push(id.uuid);
        }
        let mut found = HashMap::new();
        for (kind, uuids) in by_kind {
            let id = |uuid| GlobalId { kind, uuid };
            match of_kind(self.context(), kind, &uuids).await.map_err(Arc::new) {
                Ok(nodes) => found.extend(nodes.into_iter().map(|(uuid, node)| (id(uuid), Ok(node)))),
                Err(error) => found.extend(uuids.into_iter().map(|uuid| (id(uuid), Err(Arc::clone(&error))))),
            }
        }
        Ok(found)
    }
}

async fn of_kind(cx: &Cx, kind: ObjectKind, ids: &[Uuid]) -> Result<Vec<(Uuid, Node)>, Error> {
    fn typed<T>(ids: &[Uuid], id: fn(Uuid) -> T) -> Vec<T> {
        ids.iter().copied().map(id).collect()
    }
    Ok(match kind {
        ObjectKind::ApiKey => {
            let keys = keys::find_many(cx, &typed(ids, KeyId)).await?;
            keys.into_iter().map(|key| (key.id.0, Node::ApiKey(key.into()))).collect()
        }
        ObjectKind::Group => {
            let groups = groups::find_many(cx, &typed(ids, GroupId)).await?;
            groups.into_iter().map(|group| (group.id.0, Node::Group(Group(group)))).collect()
        }
        ObjectKind::Role => {
            let roles = roles::find_many(cx, &typed(ids, RoleId)).await?;
            roles.into_iter().map(|role| (role.id.0, Node::Role(Role(role)))).collect()
        }
        ObjectKind::Scope => {
            let scopes = scopes::find_many(cx, &typed(ids, ScopeId)).await?;
            scopes.into_iter().map(|scope| (scope.id.0, Node::Scope(Scope(scope)))).collect()
        }
        ObjectKind::Api => {
            let apis = scopes::find_apis(cx, &typed(ids, ApiId)).await?;
            apis.into_iter().map(|api| (api.id.0, Node::Api(Api(Arc::new(api))))).collect()
        }
        ObjectKind::Activity => {
            let rows = activity::find_many(cx, &typed(ids, ActivityId)).await?;
            rows.into_iter().map(|row| (row.id.0, Node::Activity(Activity(row.into_row())))).collect()
        }
        ObjectKind::User => accounts_of(cx, AccountKind::User, ids).await?,
        ObjectKind::ServiceAccount => accounts_of(cx, AccountKind::ServiceAccount, ids).await?,
        ObjectKind::System | ObjectKind::SigningKey | ObjectKind::Settings => Vec::new(),
    })
}

async fn accounts_of(cx: &Cx, kind: AccountKind, ids: &[Uuid]) -> Result<Vec<(Uuid, Node)>, Error> {
    let ids: Vec<AccountId> = ids.iter().copied().map(AccountId).collect();
    let owners = accounts::find_many(cx, kind, &ids).await?;
    Ok(owners.iter().map(|owner| (owner.account().id.0, Owner::from(owner).into())).collect())
}

async fn find(ctx: &Context<'_>, id: &ID) -> async_graphql::Result<Option<Node>> {
    let id: GlobalId = parse_id("id", id).map_err(field_error)?;
    load(ctx, id).await?.transpose().map_err(field_error)
}

/// What stands in one place of a list of nodes: it can fail, or be null, without its neighbours. (The library makes a
/// `Result` in a list non-null, whatever it holds.)
struct Place(async_graphql::Result<Option<Node>>);

impl OutputType for Place {
    fn type_name() -> Cow<'static, str> {
        Option::<Node>::type_name()
    }

    fn qualified_type_name() -> String {
        Option::<Node>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Option::<Node>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<async_graphql::Value> {
        match &self.0 {
            Ok(node) => node.resolve(ctx, field).await,
            Err(error) => Err(ctx.set_error_path(error.clone().into_server_error(field.pos))),
        }
    }
}

#[derive(Default)]
pub(super) struct NodeQueries;

/// Objects by their id.
#[Object]
impl NodeQueries {
    /// An object by its id; null if there is none that the caller can see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of an object of any kind.")] id: ID,
    ) -> async_graphql::Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// Objects by their ids, in the same order, with null for each one that the caller cannot see.
    #[graphql(complexity = "ids.len().clamp(1, 100) * child_complexity.max(1)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids of objects of any kind; at most 100.")] ids: Vec<ID>,
    ) -> async_graphql::Result<Option<Vec<Place>>> {
        let most = usize::try_from(MAX_PAGE).unwrap_or(usize::MAX);
        if ids.len() > most {
            let message = format!("Request at most {most} objects. This has {}.", ids.len());
            return Err(field_error(Error::from(UserError::invalid("ids", message))));
        }
        let find = async |id| Place(find(ctx, id).await);
        Ok(Some(join_all(ids.iter().map(find)).await))
    }
}
