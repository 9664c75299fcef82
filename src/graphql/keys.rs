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

/// The status of an API key. If several apply, it is the first of `DELETED`, `PENDING`, `OWNER_INACTIVE`, `DISABLED`,
/// `EXPIRED`. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "actions::KeyStatus")]
pub(super) enum ApiKeyStatus {
    /// Pending approval.
    Pending,
    /// Can be used.
    Active,
    /// Disabled; can be enabled again.
    Disabled,
    /// The end date has passed.
    Expired,
    /// The owner is deactivated.
    OwnerInactive,
    /// Deleted; cannot be restored. The record is kept.
    Deleted,
}

/// A rate limit: `requests` per `perSeconds`, with a burst of at most `requests`.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct RateLimitQuota {
    /// Number of requests; for `callRateLimit`, number of points.
    pub requests: i32,
    /// Length of the window in seconds.
    pub per_seconds: i32,
}

/// What can be shown of a client secret after it was issued; never the secret itself.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SecretInfo {
    /// The last four characters of the secret.
    hint: String,
    /// When it was created.
    created_at: DateTime,
    /// When the secret stops working, if it has been replaced; null for the current secret.
    valid_until: Option<DateTime>,
    /// When it was last exchanged for an access token; null if never. Up to one second behind.
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

/// The last use of an API key: a token exchange, or a request made with one of its access tokens.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct LastUsed {
    /// When it was used.
    at: DateTime,
    /// The client's IP address.
    ip: Option<String>,
    /// The `User-Agent` header.
    user_agent: Option<String>,
    /// What it was used for: the name of the GraphQL operation (for an anonymous operation, of its first field), `token
    /// exchange` or `whoami`.
    operation: Option<String>,
}

/// Which mutations the caller can apply to an API key, for example to show or hide buttons: the caller has the
/// permission, and the status of the key allows the change.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct ApiKeyPermissions {
    /// `updateApiKey`: change its properties, roles and scopes.
    update: bool,
    /// `regenerateSecrets`: issue a new secret.
    regenerate_secrets: bool,
    /// `finishRotation`: invalidate the previous secret.
    finish_rotation: bool,
    /// `enableApiKeys`: enable it again.
    enable: bool,
    /// `disableApiKeys`: disable it.
    disable: bool,
    /// `deleteApiKeys`: delete it.
    delete: bool,
    /// `approveApiKeys`: approve it.
    approve: bool,
    /// `rejectApiKeys`: reject it, which deletes it.
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

/// An API key: an OAuth 2.0 confidential client with an owner, roles, scopes, rate limits and an optional end date.
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

/// An API key: an OAuth 2.0 confidential client with an owner, roles, scopes, rate limits and an optional end date.
#[Object]
impl ApiKey {
    /// The id, such as `key_01j9…`.
    pub(super) async fn id(&self) -> ID {
        self.global_id()
    }

    /// The OAuth client id: 32 upper-case hexadecimal characters, never reused.
    async fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// The name, unique among the owner's keys.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for, in free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The account it belongs to and acts for.
    async fn owner(&self, ctx: &Context<'_>) -> async_graphql::Result<Owner> {
        Ok(Owner::from(&*self.owner_row(ctx).await?))
    }

    /// Who created it; null if the caller cannot see that account or key.
    async fn created_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        actor(ctx, Some(self.0.created_by_kind), self.0.created_by_id).await
    }

    /// The current status.
    async fn status(&self, ctx: &Context<'_>) -> async_graphql::Result<ApiKeyStatus> {
        let owner = self.owner_row(ctx).await?;
        Ok(actions::status(&self.0, owner.account().active, context(ctx)?.now).into())
    }

    /// Whether the key is read-only: no mutations, and no scopes of kind `WRITE`.
    async fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// Whether it was created without roles and scopes. Such a key holds every scope its owner holds at the time of
    /// use.
    async fn inherits_owner(&self) -> bool {
        self.0.inherits_owner
    }

    /// The roles assigned to it, by name.
    #[graphql(complexity = "5 * child_complexity")]
    async fn roles(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Role>> {
        Ok(load(ctx, RolesOf(self.of())).await?.unwrap_or_default().into_iter().map(Role).collect())
    }

    /// The scopes assigned to it directly, in addition to its roles.
    #[graphql(complexity = "5 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        Ok(load(ctx, ScopesOf(self.of())).await?.unwrap_or_default().into_iter().map(Scope).collect())
    }

    /// The scopes that a token issued now can have.
    #[graphql(complexity = "10 * child_complexity")]
    async fn effective_scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        Ok(load(ctx, EffectiveScopesOf(self.of()))
            .await?
            .unwrap_or_default()
            .into_iter()
            .map(Scope)
            .collect())
    }

    /// Its valid secrets, without their values: the current one, and after a rotation the previous one until it stops
    /// working.
    async fn secrets(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<SecretInfo>> {
        Ok(load(ctx, SecretsOf(self.of())).await?.unwrap_or_default().into_iter().map(Into::into).collect())
    }

    /// The networks (CIDR) that it can be used from, for exchanges and with its tokens; empty if there is no
    /// restriction.
    async fn allowed_networks(&self) -> async_graphql::Result<Vec<Cidr>> {
        let Some(stored) = &self.0.allowed_networks else { return Ok(Vec::new()) };
        let unreadable = || field_error(Error::internal("the networks of a key cannot be read"));
        let networks = Networks::stored(stored).ok_or_else(unreadable)?;
        Ok(networks.to_texts().into_iter().map(Cidr).collect())
    }

    /// Lifetime of its access tokens in seconds.
    async fn token_lifetime_seconds(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let settings = settings(ctx).await?;
        let wanted = self.0.token_lifetime_seconds.unwrap_or(settings.default_token_lifetime_seconds);
        Ok(wanted.min(settings.max_token_lifetime_seconds))
    }

    /// The rate limit of token exchanges.
    async fn token_rate_limit(&self, ctx: &Context<'_>) -> async_graphql::Result<RateLimitQuota> {
        let settings = settings(ctx).await?;
        Ok(RateLimitQuota {
            requests: self.0.token_limit_requests.unwrap_or(settings.default_token_limit_requests),
            per_seconds: self.0.token_limit_seconds.unwrap_or(settings.default_token_limit_seconds),
        })
    }

    /// The rate limit of requests made with its tokens, in points (see `RateLimit`).
    async fn call_rate_limit(&self, ctx: &Context<'_>) -> async_graphql::Result<RateLimitQuota> {
        let settings = settings(ctx).await?;
        Ok(RateLimitQuota {
            requests: self.0.call_limit_requests.unwrap_or(settings.default_call_limit_requests),
            per_seconds: self.0.call_limit_seconds.unwrap_or(settings.default_call_limit_seconds),
        })
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// The end date, after which the key is expired; null if there is none.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// The last use; null if it was never used. About 1 second behind, plus 1 second for every 250 keys in use at the
    /// same time.
    async fn last_used(&self) -> Option<LastUsed> {
        Some(LastUsed {
            at: DateTime(self.0.last_used_at?),
            ip: self.0.last_used_ip.clone(),
            user_agent: self.0.last_used_user_agent.clone(),
            operation: self.0.last_used_operation.clone(),
        })
    }

    /// Entries of the activity log that concern this key or were done with it, newest first; null if the caller may not
    /// see activity.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries to return; all if omitted.")] filter: Option<ActivityFilter>,
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
    ) -> async_graphql::Result<Option<ActivityConnection>> {
        let page = PageArguments { first, after, last, before };
        activity::of_key(ctx, self.0.id, filter, page).await.map(Some)
    }

    /// Which mutations the caller can apply to this key now.
    async fn viewer_can(&self, ctx: &Context<'_>) -> async_graphql::Result<ApiKeyPermissions> {
        Ok(load(ctx, VerbsOf(self.of())).await?.unwrap_or_default().into())
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
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
    /// An API key by its id or client id; null if there is none that the caller can see.
    async fn api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API key to return.")] by: ApiKeyBy,
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

    /// API keys, by default newest first. Without `keys:read:any`, only the caller's own.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Which API keys to return. If omitted, all but deleted keys and those of inactive owners."
        )]
        filter: Option<ApiKeyFilter>,
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
    ) -> async_graphql::Result<Option<ApiKeyConnection>> {
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        list(ctx, filter, order_by, PageArguments { first, after, last, before }).await.map(Some)
    }
}
