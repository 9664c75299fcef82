//! Loaders: what many objects of one answer need is fetched by one batched action for all of them.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, Loader};
use entity::{
    AccountId, ApiId, GroupId, KeyId, RoleId, UserId, api, group, key_secret, role, scope, settings,
};
use graphql_engine::BatchQueue;

use super::error::field_error;
use crate::actions::accounts::Owner;
use crate::actions::keys::Key;
use crate::actions::{accounts, groups, keys, roles, scopes, users};
use crate::app::context::Context;
use crate::error::Error;

/// The loaders of one request.
pub(super) type Loaders = DataLoader<Batches>;

/// What loaders fetch with.
pub(super) struct Batches(Context);

impl Batches {
    pub(super) fn context(&self) -> &Context {
        &self.0
    }
}

pub(super) fn loaders(cx: Context, queue: &BatchQueue) -> Loaders {
    let queue = queue.clone();
    DataLoader::new(Batches(cx), move |batch| queue.push(batch)).delay(Duration::ZERO)
}

/// Loads one value through the loader of its key's type.
pub(super) async fn load<K>(
    ctx: &async_graphql::Context<'_>,
    key: K,
) -> async_graphql::Result<Option<<Batches as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Batches: Loader<K, Error = Arc<Error>>,
{
    ctx.data::<Loaders>()?.load_one(key).await.map_err(field_error)
}

/// A key that was in reach, as the thing to load by.
#[derive(Clone, Debug)]
pub(super) struct OfKey(pub Arc<Key>);

impl PartialEq for OfKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for OfKey {}

impl Hash for OfKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

macro_rules! of_key {
    ($(#[$doc:meta])* $name:ident, $value:ty, $action:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub(super) struct $name(pub OfKey);

        impl Loader<$name> for Batches {
            type Value = $value;
            type Error = Arc<Error>;

            async fn load(&self, of: &[$name]) -> Result<HashMap<$name, Self::Value>, Self::Error> {
                let keys: Vec<&Key> = of.iter().map(|of| &*of.0.0).collect();
                let mut found = $action(&self.0, &keys).await.map_err(Arc::new)?;
                Ok(of.iter().map(|of| (of.clone(), found.remove(&of.0.0.id).unwrap_or_default())).collect())
            }
        }
    };
}

of_key!(
    /// The roles of a key.
    RolesOf, Vec<role::Model>, keys::roles_of
);
of_key!(
    /// The scopes given to a key directly.
    ScopesOf, Vec<scope::Model>, keys::scopes_of
);
of_key!(
    /// What an exchange of a key can grant now.
    EffectiveScopesOf, Vec<scope::Model>, keys::effective_scopes_of
);
of_key!(
    /// The usable secrets of a key, as they are kept.
    SecretsOf, Vec<key_secret::Model>, keys::secrets_of
);

of_key!(
    /// What the viewer may do to a key.
    VerbsOf, keys::Verbs, keys::verbs
);

impl Loader<KeyId> for Batches {
    type Value = Arc<Key>;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[KeyId]) -> Result<HashMap<KeyId, Self::Value>, Self::Error> {
        let keys = keys::find_visible(&self.0, ids).await.map_err(Arc::new)?;
        Ok(keys.into_iter().map(|key| (key.id, Arc::new(key))).collect())
    }
}

impl Loader<AccountId> for Batches {
    type Value = Arc<Owner>;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[AccountId]) -> Result<HashMap<AccountId, Self::Value>, Self::Error> {
        let owners = accounts::behind_rows(&self.0, ids).await.map_err(Arc::new)?;
        Ok(owners.into_iter().map(|owner| (owner.account().id, Arc::new(owner))).collect())
    }
}

macro_rules! of_id {
    ($(#[$doc:meta])* $name:ident($id:ty), $value:ty, $action:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub(super) struct $name(pub $id);

        impl Loader<$name> for Batches {
            type Value = $value;
            type Error = Arc<Error>;

            async fn load(&self, of: &[$name]) -> Result<HashMap<$name, Self::Value>, Self::Error> {
                let ids: Vec<$id> = of.iter().map(|of| of.0).collect();
                let mut found = $action(&self.0, &ids).await.map_err(Arc::new)?;
                Ok(of.iter().map(|of| (of.clone(), found.remove(&of.0).unwrap_or_default())).collect())
            }
        }
    };
}

of_id!(
    /// The scopes that a role grants.
    ScopesOfRole(RoleId), Vec<scope::Model>, roles::scopes_of
);
of_id!(
    /// The roles of a group.
    RolesOfGroup(GroupId), Vec<role::Model>, groups::roles_of
);
of_id!(
    /// The roles that a user holds directly.
    RolesOfUser(UserId), Vec<role::Model>, users::roles_of
);
of_id!(
    /// The groups that a user is in.
    GroupsOfUser(UserId), Vec<group::Model>, groups::of_users
);
of_id!(
    /// What a user holds now.
    ScopesOfUser(AccountId), Vec<scope::Model>, users::scopes_of
);
of_id!(
    /// The scopes of an API.
    ScopesOfApi(ApiId), Vec<scope::Model>, scopes::of_apis
);

impl Loader<ApiId> for Batches {
    type Value = Arc<api::Model>;
    type Error = Arc<Error>;

    async fn load(&self, _: &[ApiId]) -> Result<HashMap<ApiId, Self::Value>, Self::Error> {
        let apis = scopes::apis(&self.0).await.map_err(Arc::new)?;
        Ok(apis.into_iter().map(|api| (api.id, Arc::new(api))).collect())
    }
}

/// The settings that keys fall back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Defaults;

impl Loader<Defaults> for Batches {
    type Value = Arc<settings::Model>;
    type Error = Arc<Error>;

    async fn load(&self, _: &[Defaults]) -> Result<HashMap<Defaults, Self::Value>, Self::Error> {
        let settings = keys::defaults(&self.0).await.map_err(Arc::new)?;
        Ok(HashMap::from([(Defaults, Arc::new(settings))]))
    }
}
