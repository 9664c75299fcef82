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

/// A limit: so many requests in so many seconds.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct RateLimitQuotaInput {
    /// How many requests (for calls: how many points); at least 1.
    requests: i32,
    /// In how many seconds; from 1 to 86,400.
    per_seconds: i32,
}

impl RateLimitQuotaInput {
    pub(super) fn parse(self, field: &'static str) -> Result<Quota> {
        Ok(Quota::parse(field, self.requests, self.per_seconds)?)
    }
}

/// What an API key is made from. A name alone makes a key that acts as its owner.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateApiKeyInput {
    /// The name, unique among the owner's keys; at most 100 characters.
    name: String,
    /// What it is for; at most 1,000 characters.
    description: Option<String>,
    /// The viewer when left out; somebody else needs `keys:create:any`.
    owner_id: Option<ID>,
    /// The roles to give. With neither roles nor scopes, a user's key acts with all that its owner holds.
    role_ids: Option<Vec<ID>>,
    /// The scopes to give beside the roles, by name.
    scopes: Option<Vec<String>>,
    /// True bars it from every mutation and from WRITE scopes.
    read_only: Option<bool>,
    /// The networks that it may be used from, at most 100; everywhere when left out. An empty list is refused.
    allowed_networks: Option<Vec<Cidr>>,
    /// Its end; none when left out.
    expires_at: Option<DateTime>,
    /// How long its tokens live, in seconds; from 60 to what the settings allow.
    token_lifetime_seconds: Option<i32>,
    /// How often it can be exchanged for a token.
    token_rate_limit: Option<RateLimitQuotaInput>,
    /// How many points the requests made with its tokens may cost.
    call_rate_limit: Option<RateLimitQuotaInput>,
    /// False makes a key without a secret; `regenerateSecrets` gives it one later. True when left out.
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

/// What to change of an API key. A field left out stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateApiKeyInput {
    /// Which API key.
    id: ID,
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for.
    description: MaybeUndefined<String>,
    /// The roles that replace those it has. Null for roles and scopes together makes a user's key act as its owner.
    role_ids: MaybeUndefined<Vec<ID>>,
    /// The scopes that replace those given to it directly, by name.
    scopes: MaybeUndefined<Vec<String>>,
    /// Whether it is barred from every mutation and from WRITE scopes.
    read_only: Option<bool>,
    /// The networks that it may be used from, at most 100; null for everywhere. An empty list is refused. Acts on the
    /// next request, also of tokens issued before.
    allowed_networks: MaybeUndefined<Vec<Cidr>>,
    /// The new end; null for none.
    expires_at: MaybeUndefined<DateTime>,
    /// How long its tokens live, in seconds; null for what the settings say.
    token_lifetime_seconds: MaybeUndefined<i32>,
    /// How often it can be exchanged for a token; null for what the settings say. Acts on the next request.
    token_rate_limit: MaybeUndefined<RateLimitQuotaInput>,
    /// How many points the requests made with its tokens may cost; null for what the settings say.
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

/// The new API key and its secret.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct CreateApiKeyPayload {
    /// The new key; null if there are errors.
    api_key: Option<ApiKey>,
    /// The secret. It is shown this once and cannot be had again; null for a key made without, and if the request was
    /// sent before.
    client_secret: Option<String>,
    /// What the caller can correct.
    user_errors: Vec<UserError>,
}

/// The changed API key.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UpdateApiKeyPayload {
    /// The key as it is now; null if there are errors.
    api_key: Option<ApiKey>,
    /// What the caller can correct.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub(super) struct KeyMutations;

/// What changes API keys.
#[Object]
impl KeyMutations {
    /// Makes an API key. It can be used at once, unless it waits for approval; its secret is in this answer and nowhere
    /// else. With the header `Idempotency-Key` the same request can be sent again: it answers with the key that it made,
    /// without the secret.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is made from.")] input: CreateApiKeyInput,
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

    /// Changes an API key. Its secret stays; scopes that it loses are lost to its tokens at once.
    async fn update_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateApiKeyInput,
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
