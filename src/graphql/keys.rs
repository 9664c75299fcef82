//! API keys: the type, its parts, and the queries. What changes keys is in `key_mutations.rs`.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};
use entity::account::AccountKind;
use entity::{AccountId, GlobalId, KeyId, ObjectKind, key_secret};

use super::accounts::{Actor, Owner, actor, owner_row};
use super::context;
use super::error::field_error;
use super::loaders::{Defaults, EffectiveScopesOf, OfKey, RolesOf, ScopesOf, SecretsOf, load};
use super::page::{ApiKeyConnection, PageArguments, page_cost, wants_count};
use super::roles::Role;
use super::scalars::{DateTime, parse_id, parse_ids};
use super::scopes::Scope;
use crate::actions::keys as actions;
use crate::actions::keys::{Key, KeyFilter, KeyOrder};
use crate::error::{Error, Result, UserError};

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
    requests: i32,
    /// In how many seconds.
    per_seconds: i32,
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
}

impl From<key_secret::Model> for SecretInfo {
    fn from(secret: key_secret::Model) -> Self {
        Self {
            hint: secret.hint,
            created_at: DateTime(secret.created_at),
            valid_until: secret.valid_until.map(DateTime),
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
        ID(self.0.id.to_string())
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

    /// Raised by each change; send it back in updates to notice a lost update.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

async fn settings(ctx: &Context<'_>) -> async_graphql::Result<Arc<entity::settings::Model>> {
    load(ctx, Defaults).await?.ok_or_else(|| field_error(Error::internal("no settings")))
}

/// Names one API key.
#[derive(Clone, Debug, OneofObject)]
pub(super) enum ApiKeyBy {
    /// By its id.
    Id(ID),
    /// By its OAuth client id.
    ClientId(String),
}

/// What owns an API key. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "AccountKind")]
pub(super) enum OwnerKind {
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
}

/// Which API keys: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ApiKeyFilter {
    /// With these ids.
    ids: Option<Vec<ID>>,
    /// Of these users and service accounts.
    owner_ids: Option<Vec<ID>>,
    /// Of users, or of service accounts.
    owner_kind: Option<OwnerKind>,
    /// In any of these states. Left out, deleted keys and those of inactive owners do not appear.
    status: Option<Vec<ApiKeyStatus>>,
    /// Read-only or not.
    read_only: Option<bool>,
    /// Made before this.
    created_before: Option<DateTime>,
    /// Made after this.
    created_after: Option<DateTime>,
    /// With an end before this.
    expires_before: Option<DateTime>,
}

impl ApiKeyFilter {
    pub(super) fn parse(self) -> Result<KeyFilter> {
        Ok(KeyFilter {
            ids: self.ids.map(|ids| parse_ids("ids", &ids)).transpose()?,
            owners: self.owner_ids.map(|ids| parse_owners("ownerIds", &ids)).transpose()?,
            owner_kind: self.owner_kind.map(Into::into),
            status: self.status.map(|wanted| wanted.into_iter().map(Into::into).collect()),
            read_only: self.read_only,
            created_before: self.created_before.map(|instant| instant.0),
            created_after: self.created_after.map(|instant| instant.0),
            expires_before: self.expires_before.map(|instant| instant.0),
        })
    }
}

/// Reads the id of a user or service account.
pub(super) fn parse_owner(field: &'static str, id: &ID) -> Result<AccountId> {
    match parse_id(field, id)? {
        GlobalId { kind: ObjectKind::User | ObjectKind::ServiceAccount, uuid } => Ok(AccountId(uuid)),
        GlobalId { .. } => {
            Err(UserError::invalid(field, "This is not the id of a user or service account.").into())
        }
    }
}

pub(super) fn parse_owners(field: &'static str, ids: &[ID]) -> Result<Vec<AccountId>> {
    ids.iter().map(|id| parse_owner(field, id)).collect()
}

/// What a list of API keys is ordered by. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "KeyOrder")]
pub(super) enum ApiKeyOrderField {
    /// The time of creation.
    CreatedAt,
    /// The name.
    Name,
    /// The end; keys without one come last.
    ExpiresAt,
}

/// A direction. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum OrderDirection {
    /// Smallest, earliest first.
    Asc,
    /// Largest, latest first.
    Desc,
}

/// The order of a list of API keys.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct ApiKeyOrder {
    /// What to order by.
    field: ApiKeyOrderField,
    /// In which direction.
    direction: OrderDirection,
}

impl ApiKeyOrder {
    fn parse(order: Option<Self>) -> (KeyOrder, bool) {
        // The newest keys first, unless told otherwise.
        order.map_or((KeyOrder::CreatedAt, true), |order| {
            (order.field.into(), order.direction == OrderDirection::Desc)
        })
    }
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
    let count =
        if wants_count(ctx) { Some(actions::count(cx, &filter).await.map_err(field_error)?) } else { None };
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
                actions::find(cx, id).await
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
