//! The settings that an administrator changes while the server runs.

use async_graphql::{Context, InputObject, MaybeUndefined, Object};
use entity::settings;

use super::context;
use super::error::field_error;
use super::key_mutations::RateLimitQuotaInput;
use super::keys::RateLimitQuota;
use super::payloads::payload_type;
use super::scalars::given;
use crate::actions::settings as actions;
use crate::actions::settings::SettingsChanges;
use crate::error::Result;

/// Settings that apply to the whole server.
#[derive(Clone, Debug)]
pub(super) struct Settings(settings::Model);

impl From<settings::Model> for Settings {
    fn from(row: settings::Model) -> Self {
        Self(row)
    }
}

/// Settings that apply to the whole server.
#[Object]
impl Settings {
    /// How many API keys one owner may have; null for no limit.
    async fn max_keys_per_owner(&self) -> Option<i32> {
        self.0.max_keys_per_owner
    }

    /// Whether users may call the API with their e-mail address and password. Off by default. Signing in to the console
    /// is not affected.
    async fn password_api_access(&self) -> bool {
        self.0.password_api_access
    }

    /// Whether API keys created without `keys:write:any` need approval.
    async fn key_approval_required(&self) -> bool {
        self.0.key_approval_required
    }

    /// Whether every API key must have an end date.
    async fn expiry_required(&self) -> bool {
        self.0.expiry_required
    }

    /// How far in the future the end date of an API key may be, in days; null for no limit.
    async fn max_key_lifetime_days(&self) -> Option<i32> {
        self.0.max_key_lifetime_days
    }

    /// Lifetime of an API key that is created without an end date, in days; null for no end date.
    async fn default_key_lifetime_days(&self) -> Option<i32> {
        self.0.default_key_lifetime_days
    }

    /// Lifetime of access tokens in seconds, unless the key has its own.
    async fn default_token_lifetime_seconds(&self) -> i32 {
        self.0.default_token_lifetime_seconds
    }

    /// Maximum lifetime of access tokens in seconds.
    async fn max_token_lifetime_seconds(&self) -> i32 {
        self.0.max_token_lifetime_seconds
    }

    /// The rate limit of token exchanges for a key that has no limit of its own.
    async fn default_token_rate_limit(&self) -> RateLimitQuota {
        RateLimitQuota {
            requests: self.0.default_token_limit_requests,
            per_seconds: self.0.default_token_limit_seconds,
        }
    }

    /// The rate limit of requests made with access tokens, in points, for a key that has no limit of its own.
    async fn default_call_rate_limit(&self) -> RateLimitQuota {
        RateLimitQuota {
            requests: self.0.default_call_limit_requests,
            per_seconds: self.0.default_call_limit_seconds,
        }
    }

    /// How long an old secret keeps working after a new one was issued, in seconds, unless the request sets it.
    async fn default_grace_period_seconds(&self) -> i32 {
        self.0.default_grace_period_seconds
    }

    /// How long events are kept in the activity log, in days. Older ones are deleted within some hours.
    async fn activity_retention_days(&self) -> i32 {
        self.0.activity_retention_days
    }

    /// Where people find help: an `https:` or `mailto:` URL.
    async fn support_url(&self) -> Option<&str> {
        self.0.support_url.as_deref()
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Input of `updateSettings`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateSettingsInput {
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// How many API keys one owner may have, at least 1; null for no limit.
    max_keys_per_owner: MaybeUndefined<i32>,
    /// Whether users may call the API with their e-mail address and password.
    password_api_access: Option<bool>,
    /// Whether API keys created without `keys:write:any` need approval.
    key_approval_required: Option<bool>,
    /// Whether every API key must have an end date.
    expiry_required: Option<bool>,
    /// How far in the future the end date of an API key may be, from 1 to 3,650 days; null for no limit.
    max_key_lifetime_days: MaybeUndefined<i32>,
    /// Lifetime of an API key that is created without an end date, in days; null for no end date.
    default_key_lifetime_days: MaybeUndefined<i32>,
    /// Lifetime of access tokens in seconds, unless the key has its own; at least 60.
    default_token_lifetime_seconds: Option<i32>,
    /// Maximum lifetime of access tokens in seconds; from 60 to 3,600.
    max_token_lifetime_seconds: Option<i32>,
    /// The rate limit of token exchanges for a key that has no limit of its own.
    default_token_rate_limit: Option<RateLimitQuotaInput>,
    /// The rate limit of requests made with access tokens, in points, for a key that has no limit of its own; at least
    /// 10 points.
    default_call_rate_limit: Option<RateLimitQuotaInput>,
    /// How long an old secret keeps working after a new one was issued, in seconds, unless the request sets it; at most
    /// 2,592,000 (30 days).
    default_grace_period_seconds: Option<i32>,
    /// How long events are kept in the activity log, from 1 to 3,650 days. Older ones are deleted permanently.
    activity_retention_days: Option<i32>,
    /// Where people find help: an `https:` or `mailto:` URL.
    support_url: MaybeUndefined<String>,
}

impl UpdateSettingsInput {
    fn parse(self) -> Result<SettingsChanges> {
        let quota =
            |limit: Option<RateLimitQuotaInput>, field| limit.map(|limit| limit.parse(field)).transpose();
        Ok(SettingsChanges {
            max_keys_per_owner: given(self.max_keys_per_owner, Ok)?,
            password_api_access: self.password_api_access,
            key_approval_required: self.key_approval_required,
            expiry_required: self.expiry_required,
            max_key_lifetime_days: given(self.max_key_lifetime_days, Ok)?,
            default_key_lifetime_days: given(self.default_key_lifetime_days, Ok)?,
            default_token_lifetime_seconds: self.default_token_lifetime_seconds,
            max_token_lifetime_seconds: self.max_token_lifetime_seconds,
            default_token_limit: quota(self.default_token_rate_limit, "defaultTokenRateLimit")?,
            default_call_limit: quota(self.default_call_rate_limit, "defaultCallRateLimit")?,
            default_grace_period_seconds: self.default_grace_period_seconds,
            activity_retention_days: self.activity_retention_days,
            support_url: given(self.support_url, Ok)?,
        })
    }
}

payload_type!(
    /// Payload of `updateSettings`.
    SettingsPayload {
        /// The settings after the change; null if there are errors.
        settings: Settings
    }
);

#[derive(Default)]
pub(super) struct SettingsQueries;

/// The settings.
#[Object]
impl SettingsQueries {
    /// Settings that apply to the whole server.
    async fn settings(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Settings>> {
        let settings = actions::load(context(ctx)?).await.map_err(field_error)?;
        Ok(Some(settings.into()))
    }
}

#[derive(Default)]
pub(super) struct SettingsMutations;

/// What changes the settings.
#[Object]
impl SettingsMutations {
    /// Changes settings. They take effect with the next request.
    async fn update_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateSettingsInput,
    ) -> async_graphql::Result<Option<SettingsPayload>> {
        let cx = context(ctx)?;
        let version = input.version;
        SettingsPayload::from_result(async { actions::update(cx, version, input.parse()?).await }.await)
    }
}
