//! What changes API keys.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::RoleId;

use super::context;
use super::error::{UserError, payload};
use super::hooks::hooks;
use super::keys::ApiKey;
use super::scalars::{Cidr, DateTime, given, parse_id, parse_ids, parse_networks, parse_owner};
use crate::actions::keys as actions;
use crate::actions::keys::{ClientSecret, KeyChanges, NewKey};
use crate::error::Result;
use crate::values::{Name, Quota, description};

/// A rate limit: `requests` per `perSeconds`, with a burst of at most `requests`.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct RateLimitQuotaInput {
    /// Number of requests (for `callRateLimit`, number of points); at least 1.
    requests: i32,
    /// Length of the window in seconds; from 1 to 86,400.
    per_seconds: i32,
}

impl RateLimitQuotaInput {
    pub(super) fn parse(self, field: &'static str) -> Result<Quota> {
        Ok(Quota::parse(field, self.requests, self.per_seconds)?)
    }
}

/// Input of `createApiKey`. Only `name` is required: a key with neither roles nor scopes has the scopes of its owner.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateApiKeyInput {
    /// The name, unique among the owner's keys; at most 100 characters.
    name: String,
    /// What it is for, as free text of at most 1,000 characters.
    description: Option<String>,
    /// The id of the owner; the caller's own account if omitted. Another owner requires `keys:create:any`.
    owner_id: Option<ID>,
    /// The ids of the roles to assign. With neither roles nor scopes, a user's key inherits all scopes of its owner.
    role_ids: Option<Vec<ID>>,
    /// The names of scopes to assign in addition to the roles.
    scopes: Option<Vec<String>>,
    /// Whether the key is read-only: no mutations, and no scopes of kind `WRITE`. False if omitted.
    read_only: Option<bool>,
    /// The networks (CIDR) that the key can be used from, at most 100; no restriction if omitted. An empty list is an
    /// error.
    allowed_networks: Option<Vec<Cidr>>,
    /// The end date; if omitted, `defaultKeyLifetimeDays` of the settings applies.
    expires_at: Option<DateTime>,
    /// Lifetime of its access tokens in seconds; from 60 to `maxTokenLifetimeSeconds` of the settings. The default of
    /// the settings if omitted.
    token_lifetime_seconds: Option<i32>,
    /// The rate limit of token exchanges; the default of the settings if omitted.
    token_rate_limit: Option<RateLimitQuotaInput>,
    /// The rate limit of requests made with its tokens, in points (see `RateLimit`); the default of the settings if
    /// omitted.
    call_rate_limit: Option<RateLimitQuotaInput>,
    /// Whether to issue a secret; true if omitted. A key without one gets it later from `regenerateSecrets`.
    issue_secret: Option<bool>,
}

impl CreateApiKeyInput {
    fn parse(self) -> Result<NewKey> {
        let about = self.description.map(|text| description("description", &text)).transpose()?.flatten();
        Ok(NewKey {
            name: Name::parse("name", &self.name)?,
            description: about,
            owner: self.owner_id.map(|id| parse_owner("ownerId", &id)).transpose()?,
            roles: self.role_ids.map(|ids| parse_ids("roleIds", &ids)).transpose()?,
            scopes: self.scopes,
            read_only: self.read_only.unwrap_or(false),
            networks: self.allowed_networks.map(parse_networks).transpose()?,
            expires_at: self.expires_at.map(|end| end.0),
            token_lifetime_seconds: self.token_lifetime_seconds,
            token_limit: self.token_rate_limit.map(|limit| limit.parse("tokenRateLimit")).transpose()?,
            call_limit: self.call_rate_limit.map(|limit| limit.parse("callRateLimit")).transpose()?,
            issue_secret: self.issue_secret.unwrap_or(true),
        })
    }
}

/// Input of `updateApiKey`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateApiKeyInput {
    /// The id of the API key to change.
    id: ID,
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for, as free text.
    description: MaybeUndefined<String>,
    /// The ids of the roles of the key; replaces the list. Null for both `roleIds` and `scopes` makes a user's key
    /// inherit all scopes of its owner.
    role_ids: MaybeUndefined<Vec<ID>>,
    /// The names of the scopes assigned directly; replaces the list.
    scopes: MaybeUndefined<Vec<String>>,
    /// Whether the key is read-only: no mutations, and no scopes of kind `WRITE`.
    read_only: Option<bool>,
    /// The networks (CIDR) that the key can be used from, at most 100; null for no restriction. An empty list is an
    /// error. Takes effect with the next request, also for tokens already issued.
    allowed_networks: MaybeUndefined<Vec<Cidr>>,
    /// The new end date; null for none.
    expires_at: MaybeUndefined<DateTime>,
    /// Lifetime of its access tokens in seconds; null for the default of the settings.
    token_lifetime_seconds: MaybeUndefined<i32>,
    /// The rate limit of token exchanges; null for the default of the settings. Takes effect with the next request.
    token_rate_limit: MaybeUndefined<RateLimitQuotaInput>,
    /// The rate limit of requests made with its tokens, in points; null for the default of the settings. Takes effect
    /// with the next request.
    call_rate_limit: MaybeUndefined<RateLimitQuotaInput>,
}

impl UpdateApiKeyInput {
    fn parse(self) -> Result<KeyChanges> {
        Ok(KeyChanges {
            name: self.name.map(|text| Name::parse("name", &text)).transpose()?,
            description: given(self.description, |text| Ok(description("description", &text)?))?
                .map(Option::flatten),
            roles: given(self.role_ids, |ids| parse_ids::<RoleId>("roleIds", &ids))?,
            scopes: given(self.scopes, Ok)?,
            read_only: self.read_only,
            networks: given(self.allowed_networks, parse_networks)?,
            expires_at: given(self.expires_at, |end| Ok(end.0))?,
            token_lifetime_seconds: given(self.token_lifetime_seconds, Ok)?,
            token_limit: given(self.token_rate_limit, |limit| limit.parse("tokenRateLimit"))?,
            call_limit: given(self.call_rate_limit, |limit| limit.parse("callRateLimit"))?,
        })
    }
}

/// Payload of `createApiKey`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CreateApiKeyPayload {
    /// The new key; null if there are errors.
    api_key: Option<ApiKey>,
    /// The client secret. It is only returned here and cannot be retrieved later. Null if the key was created without
    /// one, or if this request repeats one that was already processed.
    client_secret: Option<String>,
    /// Errors that the caller can correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Payload of `updateApiKey`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UpdateApiKeyPayload {
    /// The key after the change; null if there are errors.
    api_key: Option<ApiKey>,
    /// Errors that the caller can correct; empty on success.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub(super) struct KeyMutations;

/// What changes API keys.
#[Object]
impl KeyMutations {
    /// Creates an API key. It can be used at once, unless it needs approval. The client secret is only returned here.
    /// With the header `Idempotency-Key` a request can be retried safely: the retry returns the key that was created,
    /// without the secret.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API key to create.")] input: CreateApiKeyInput,
    ) -> async_graphql::Result<Option<CreateApiKeyPayload>> {
        let result = match input.parse() {
            Ok(new) => actions::create(context(ctx)?, new, hooks(ctx)?.idempotency()).await,
            Err(error) => Err(error),
        };
        let (created, user_errors) = payload(result)?;
        let (api_key, client_secret) = created
            .map(|created| (ApiKey::from(created.key), created.secret.map(ClientSecret::reveal)))
            .unzip();
        Ok(Some(CreateApiKeyPayload { api_key, client_secret: client_secret.flatten(), user_errors }))
    }

    /// Changes an API key. Its secret stays valid. Scopes removed from the key are removed from its existing tokens at
    /// once.
    async fn update_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateApiKeyInput,
    ) -> async_graphql::Result<Option<UpdateApiKeyPayload>> {
        let (id, version) = (input.id.clone(), input.version);
        let result = match parse_id("id", &id).and_then(|id| Ok((id, input.parse()?))) {
            Ok((id, changes)) => actions::update(context(ctx)?, id, version, changes).await,
            Err(error) => Err(error),
        };
        let (key, user_errors) = payload(result)?;
        Ok(Some(UpdateApiKeyPayload { api_key: key.map(ApiKey::from), user_errors }))
    }
}
