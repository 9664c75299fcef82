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

/// What an administrator sets for all.
#[derive(Clone, Debug)]
pub(super) struct Settings(settings::Model);

impl From<settings::Model> for Settings {
    fn from(row: settings::Model) -> Self {
        Self(row)
    }
}

/// What an administrator sets for all.
#[Object]
impl Settings {
    /// How many API keys an owner may have; 1 is the one-key-a-user rule, null is no limit.
    async fn max_keys_per_owner(&self) -> Option<i32> {
        self.0.max_keys_per_owner
    }

    /// Whether users may call the API with their password. Off by default; signing in to the console is unaffected.
    async fn password_api_access(&self) -> bool {
        self.0.password_api_access
    }

    /// Whether API keys of people without `keys:write:any` wait for approval.
    async fn key_approval_required(&self) -> bool {
        self.0.key_approval_required
    }

    /// Whether every API key needs an end.
    async fn expiry_required(&self) -> bool {
        self.0.expiry_required
    }

    /// How far ahead the end of an API key may lie, in days; null is no limit.
    async fn max_key_lifetime_days(&self) -> Option<i32> {
        self.0.max_key_lifetime_days
    }

    /// The end of an API key that is made without one, in days; null is none.
    async fn default_key_lifetime_days(&self) -> Option<i32> {
        self.0.default_key_lifetime_days
    }

    /// How long tokens live unless the key says otherwise, in seconds.
    async fn default_token_lifetime_seconds(&self) -> i32 {
        self.0.default_token_lifetime_seconds
    }

    /// How long tokens live at most, in seconds.
    async fn max_token_lifetime_seconds(&self) -> i32 {
        self.0.max_token_lifetime_seconds
    }

    /// How often a key can be exchanged for a token, unless it has a limit of its own.
    async fn default_token_rate_limit(&self) -> RateLimitQuota {
        RateLimitQuota {
            requests: self.0.default_token_limit_requests,
            per_seconds: self.0.default_token_limit_seconds,
        }
    }

    /// How many points the requests made with a key's tokens may cost, unless it has a limit of its own.
    async fn default_call_rate_limit(&self) -> RateLimitQuota {
        RateLimitQuota {
            requests: self.0.default_call_limit_requests,
            per_seconds: self.0.default_call_limit_seconds,
        }
    }

    /// How long an old secret works beside a new one unless told otherwise, in seconds.
    async fn default_grace_period_seconds(&self) -> i32 {
        self.0.default_grace_period_seconds
    }

    /// How long events of the activity log are kept, in days; older ones are removed within some hours.
    async fn activity_retention_days(&self) -> i32 {
        self.0.activity_retention_days
    }

    /// Where people find help; an https or mailto address.
    async fn support_url(&self) -> Option<&str> {
        self.0.support_url.as_deref()
    }

    /// Raised by each change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// What to set. A field left out stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateSettingsInput {
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// How many API keys an owner may have, at least 1; null is no limit.
    max_keys_per_owner: MaybeUndefined<i32>,
    /// Whether users may call the API with their password.
    password_api_access: Option<bool>,
    /// Whether API keys of people without `keys:write:any` wait for approval.
    key_approval_required: Option<bool>,
    /// Whether every API key needs an end.
    expiry_required: Option<bool>,
    /// How far ahead the end of an API key may lie, from 1 to 3,650 days; null is no limit.
    max_key_lifetime_days: MaybeUndefined<i32>,
    /// The end of an API key that is made without one, in days; null is none.
    default_key_lifetime_days: MaybeUndefined<i32>,
    /// How long tokens live unless the key says otherwise, from 60 seconds.
    default_token_lifetime_seconds: Option<i32>,
    /// How long tokens live at most, from 60 to 3,600 seconds.
    max_token_lifetime_seconds: Option<i32>,
    /// How often a key can be exchanged for a token, unless it has a limit of its own.
    default_token_rate_limit: Option<RateLimitQuotaInput>,
    /// How many points the requests made with a key's tokens may cost, unless it has a limit of its own; at least 10.
    default_call_rate_limit: Option<RateLimitQuotaInput>,
    /// How long an old secret works beside a new one unless told otherwise, up to 30 days in seconds.
    default_grace_period_seconds: Option<i32>,
    /// How long events of the activity log are kept, from 1 to 3,650 days; older ones are removed for good.
    activity_retention_days: Option<i32>,
    /// Where people find help; an https or mailto address.
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
    /// What became of a change of the settings.
    SettingsPayload {
        /// The settings as they are now.
        settings: Settings
    }
);

#[derive(Default)]
pub(super) struct SettingsQueries;

/// The settings.
#[Object]
impl SettingsQueries {
    /// What an administrator sets for all.
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
    /// Changes settings. They act on the next request.
    async fn update_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to set.")] input: UpdateSettingsInput,
    ) -> async_graphql::Result<Option<SettingsPayload>> {
        let cx = context(ctx)?;
        let version = input.version;
        SettingsPayload::from_result(async { actions::update(cx, version, input.parse()?).await }.await)
    }
}
