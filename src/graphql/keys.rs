//! API keys: the type, its parts, and the queries. What changes keys is in `key_mutations.rs`.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::{KeyId, key_secret};

use super::accounts::{Actor, Owner, actor, owner_row};
use super::activity::{self, ActivityFilter};
use super::context;
use super::error::field_error;
use super::key_filter::{ApiKeyBy, ApiKeyFilter, ApiKeyOrder};
use super::loaders::{Defaults, EffectiveScopesOf, OfKey, RolesOf, ScopesOf, SecretsOf, VerbsOf, load};
use super::page::{ActivityConnection, ApiKeyConnection, PageArguments, counted, page_cost};
use super::roles::Role;
use super::scalars::{Cidr, DateTime, parse_id};
use super::scopes::Scope;
use crate::actions::keys as actions;
use crate::actions::keys::{Key, KeyFilter, Verbs};
use crate::error::Error;
use crate::values::Networks;

/// What an API key is at the moment: the first that applies, from the bottom of this list. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "actions::KeyStatus")]
pub(super) enum ApiKeyStatus {
    /// It waits for approval.
    Pending,
    /// It can be used.
    Active,
    /// It has been stopped, and can be enabled again.
    Disabled,
    /// Its end has passed.
    Expired,
    /// Its owner is deactivated.
    OwnerInactive,
    /// It has been stopped for good; the row is kept.
    Deleted,
}

/// A limit: so many requests in so many seconds, and as many at once.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct RateLimitQuota {
    /// How many requests (for calls: how many points).
    pub requests: i32,
    /// In how many seconds.
    pub per_seconds: i32,
}

/// A secret as it can be shown again: never the secret itself.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SecretInfo {
    /// The last four characters.
    hint: String,
    /// When it was made.
    created_at: DateTime,
    /// The end of a secret that has been replaced; null for the current one.
    valid_until: Option<DateTime>,
    /// When it was last exchanged for a token; null for never. Up to a second late.
    last_used_at: Option<DateTime>,
}

impl From<key_secret::Model> for SecretInfo {
    fn from(secret: key_secret::Model) -> Self {
        Self {
            hint: secret.hint,
            created_at: DateTime(secret.created_at),
            valid_until: secret.valid_until.map(DateTime),
            last_used_at: secret.last_used_at.map(DateTime),
        }
    }
}

/// The last use of an API key: an exchange, or a request made with one of its tokens.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct LastUsed {
    /// When.
    at: DateTime,
    /// From which address.
    ip: Option<String>,
    /// With which program, as it calls itself.
    user_agent: Option<String>,
    /// For what: the name of the GraphQL operation (of its first field, if it has none), `token exchange` or `whoami`.
    operation: Option<String>,
}

/// Which verbs the viewer may use on an API key, for showing or hiding them: the permission is there, and the state of
/// the key is one that the verb is for.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct ApiKeyPermissions {
    /// Change its properties and grants.
    update: bool,
    /// Give it a new secret.
    regenerate_secrets: bool,
    /// End its previous secret.
    finish_rotation: bool,
    /// Let it be used again.
    enable: bool,
    /// Stop it.
    disable: bool,
    /// Stop it for good.
    delete: bool,
    /// Let it be used for the first time.
    approve: bool,
    /// Delete it instead of approving it.
    reject: bool,
}

impl From<Verbs> for ApiKeyPermissions {
    fn from(verbs: Verbs) -> Self {
        Self {
            update: verbs.update,
            regenerate_secrets: verbs.regenerate_secrets,
            finish_rotation: verbs.finish_rotation,
            enable: verbs.enable,
            disable: verbs.disable,
            delete: verbs.delete,
            approve: verbs.approve,
            reject: verbs.reject,
        }
    }
}

/// An API key: an OAuth 2.0 confidential client with an owner, roles, scopes, limits and an end.
#[derive(Clone, Debug)]
pub(super) struct ApiKey(Arc<Key>);

impl ApiKey {
    pub(super) fn new(key: Arc<Key>) -> Self {
        Self(key)
    }

    pub(super) fn global_id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    fn of(&self) -> OfKey {
        OfKey(Arc::clone(&self.0))
    }

    async fn owner_row(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Arc<crate::actions::accounts::Owner>> {
        let missing = || field_error(Error::internal("a key without its owner"));
        owner_row(ctx, self.0.owner_id).await?.ok_or_else(missing)
    }
}

impl From<Key> for ApiKey {
    fn from(key: Key) -> Self {
        Self(Arc::new(key))
    }
}

/// An API key: an OAuth 2.0 confidential client with an owner, roles, scopes, limits and an end.
#[Object]
impl ApiKey {
    /// The id, such as `key_01j9…`.
    pub(super) async fn id(&self) -> ID {
        self.global_id()
    }

    /// The OAuth client id: 32 upper-case hex characters, never used again.
    async fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// The name, unique among the owner's keys.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whom it belongs to and acts for.
    async fn owner(&self, ctx: &Context<'_>) -> async_graphql::Result<Owner> {
        Ok(Owner::from(&*self.owner_row(ctx).await?))
    }

    /// Who made it; null if that is out of the viewer's sight.
    async fn created_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        actor(ctx, Some(self.0.created_by_kind), self.0.created_by_id).await
    }

    /// What it is at the moment.
    async fn status(&self, ctx: &Context<'_>) -> async_graphql::Result<ApiKeyStatus> {
        let owner = self.owner_row(ctx).await?;
        Ok(actions::status(&self.0, owner.account().active, context(ctx)?.now).into())
    }

    /// Whether it is barred from every mutation and from WRITE scopes.
    async fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// Made without roles and scopes: acts with all its owner's scopes, as they are now.
    async fn inherits_owner(&self) -> bool {
        self.0.inherits_owner
    }

    /// The roles that it was given, by name.
    #[graphql(complexity = "5 * child_complexity")]
    async fn roles(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Role>> {
        Ok(load(ctx, RolesOf(self.of())).await?.unwrap_or_default().into_iter().map(Role).collect())
    }

    /// The scopes that it was given directly, beside its roles.
    #[graphql(complexity = "5 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        Ok(load(ctx, ScopesOf(self.of())).await?.unwrap_or_default().into_iter().map(Scope).collect())
    }

    /// What an exchange can grant now.
    #[graphql(complexity = "10 * child_complexity")]
    async fn effective_scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        Ok(load(ctx, EffectiveScopesOf(self.of()))
            .await?
            .unwrap_or_default()
            .into_iter()
            .map(Scope)
            .collect())
    }

    /// Its usable secrets as they can be shown again: the current one, then the previous one until its end.
    async fn secrets(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<SecretInfo>> {
        Ok(load(ctx, SecretsOf(self.of())).await?.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// The networks that it may be exchanged and its tokens used from; empty for everywhere.
    async fn allowed_networks(&self) -> async_graphql::Result<Vec<Cidr>> {
        let Some(stored) = &self.0.allowed_networks else { return Ok(Vec::new()) };
        let unreadable = || field_error(Error::internal("the networks of a key cannot be read"));
        let networks = Networks::stored(stored).ok_or_else(unreadable)?;
        Ok(networks.to_texts().into_iter().map(Cidr).collect())
    }

    /// How long its tokens live, in seconds.
    async fn token_lifetime_seconds(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let settings = settings(ctx).await?;
        let wanted = self.0.token_lifetime_seconds.unwrap_or(settings.default_token_lifetime_seconds);
        Ok(wanted.min(settings.max_token_lifetime_seconds))
    }

    /// How often it can be exchanged for a token.
    async fn token_rate_limit(&self, ctx: &Context<'_>) -> async_graphql::Result<RateLimitQuota> {
        let settings = settings(ctx).await?;
        Ok(RateLimitQuota {
            requests: self.0.token_limit_requests.unwrap_or(settings.default_token_limit_requests),
            per_seconds: self.0.token_limit_seconds.unwrap_or(settings.default_token_limit_seconds),
        })
    }

    /// How many points the requests made with its tokens may cost.
    async fn call_rate_limit(&self, ctx: &Context<'_>) -> async_graphql::Result<RateLimitQuota> {
        let settings = settings(ctx).await?;
        Ok(RateLimitQuota {
            requests: self.0.call_limit_requests.unwrap_or(settings.default_call_limit_requests),
            per_seconds: self.0.call_limit_seconds.unwrap_or(settings.default_call_limit_seconds),
        })
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// Its end; null for none.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// Its last use; null for never. A second late, and a second more for every 250 keys that are in use at the same time.
    async fn last_used(&self) -> Option<LastUsed> {
        Some(LastUsed {
            at: DateTime(self.0.last_used_at?),
            ip: self.0.last_used_ip.clone(),
            user_agent: self.0.last_used_user_agent.clone(),
            operation: self.0.last_used_operation.clone(),
        })
    }

    /// What the log has about it and was done with it, newest first; null without permission to see activity.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which rows; all when left out.")] filter: Option<ActivityFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ActivityConnection>> {
        let page = PageArguments { first, after, last, before };
        activity::of_key(ctx, self.0.id, filter, page).await.map(Some)
    }

    /// Which of the verbs the viewer may use on it, as it is now.
    async fn viewer_can(&self, ctx: &Context<'_>) -> async_graphql::Result<ApiKeyPermissions> {
        Ok(load(ctx, VerbsOf(self.of())).await?.unwrap_or_default().into())
    }

    /// Raised by each change; send it back in updates to notice a lost update.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

async fn settings(ctx: &Context<'_>) -> async_graphql::Result<Arc<entity::settings::Model>> {
    load(ctx, Defaults).await?.ok_or_else(|| field_error(Error::internal("no settings")))
}

/// One list of keys: for the root field and for the viewer's own.
pub(super) async fn list(
    ctx: &Context<'_>,
    filter: KeyFilter,
    order: Option<ApiKeyOrder>,
    page: PageArguments,
) -> async_graphql::Result<ApiKeyConnection> {
    let cx = context(ctx)?;
    let request = page.parse().map_err(field_error)?;
    let page = actions::list(cx, &filter, ApiKeyOrder::parse(order), &request).await.map_err(field_error)?;
    let count = counted(ctx, actions::count(cx, &filter)).await?;
    ApiKeyConnection::new(page, ApiKey::from, count).map_err(field_error)
}

#[derive(Default)]
pub(super) struct KeyQueries;

/// API keys.
#[Object]
impl KeyQueries {
    /// One API key; null if there is none that the viewer may see.
    async fn api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API key.")] by: ApiKeyBy,
    ) -> async_graphql::Result<Option<ApiKey>> {
        let cx = context(ctx)?;
        let key = match by {
            ApiKeyBy::Id(id) => {
                let id: KeyId = parse_id("by", &id).map_err(field_error)?;
                actions::find_many(cx, &[id]).await.map(|mut found| found.pop())
            }
            ApiKeyBy::ClientId(client_id) => actions::find_by_client_id(cx, &client_id).await,
        };
        Ok(key.map_err(field_error)?.map(ApiKey::from))
    }

    /// API keys, newest first unless ordered otherwise. Without `keys:read:any`, the viewer's own.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys; all but deleted ones and those of inactive owners when left out.")]
        filter: Option<ApiKeyFilter>,
        #[graphql(desc = "The order of the list.")] order_by: Option<ApiKeyOrder>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ApiKeyConnection>> {
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        list(ctx, filter, order_by, PageArguments { first, after, last, before }).await.map(Some)
    }
}
