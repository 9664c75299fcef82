//! What changes many API keys at once: new secrets, enabling, disabling, deleting, approving.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::context;
use super::error::{UserError, payload};
use super::hooks::hooks;
use super::key_selection::{ApiKeySelection, ApiKeySelectionInput, left, selected};
use super::keys::ApiKey;
use super::scalars::DateTime;
use crate::actions::keys as actions;
use crate::actions::keys::{Changed, ClientSecret, IssuedSecret as Issued, Rotation};

/// Which API keys get new secrets, and for how long the old ones work too.
#[derive(Clone, Debug, InputObject)]
pub(super) struct RegenerateSecretsInput {
    /// Which API keys.
    selection: ApiKeySelection,
    /// For how many seconds the old secrets work too; at most 30 days, and what the settings say when left out.
    /// With 0 they stop at once, and with them every token they were exchanged for.
    grace_period_seconds: Option<i32>,
    /// Why; it goes into the activity log.
    reason: Option<String>,
}

/// The changed API keys.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct ApiKeysPayload {
    /// The selected keys as they are now.
    api_keys: Vec<ApiKey>,
    /// How many selected keys are still to be done: call again with `next`.
    remaining: i32,
    /// The `continuation` to select those keys by; null if there are none.
    next: Option<String>,
    /// Why other selected keys were not changed; the rest stands.
    user_errors: Vec<UserError>,
}

/// The deleted API keys.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct DeleteApiKeysPayload {
    /// The ids of the deleted keys.
    deleted_ids: Vec<ID>,
    /// How many selected keys are still to be done: call again with `next`.
    remaining: i32,
    /// The `continuation` to select those keys by; null if there are none.
    next: Option<String>,
    /// Why other selected keys were not deleted; the rest stands.
    user_errors: Vec<UserError>,
}

/// The new secrets.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct RegenerateSecretsPayload {
    /// The new secret of each selected key.
    issued: Vec<IssuedSecret>,
    /// How many selected keys are still to be done: call again with `next`.
    remaining: i32,
    /// The `continuation` to select those keys by; null if there are none.
    next: Option<String>,
    /// Why other selected keys got none; the rest stands.
    user_errors: Vec<UserError>,
}

/// A new secret of an API key.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct IssuedSecret {
    /// Whose it is.
    api_key: ApiKey,
    /// The secret. It is shown this once and cannot be had again; null if the request was sent before.
    client_secret: Option<String>,
    /// Until when the old secret works too; null if it stopped at once.
    previous_valid_until: Option<DateTime>,
}

impl From<Issued> for IssuedSecret {
    fn from(issued: Issued) -> Self {
        Self {
            api_key: issued.key.into(),
            client_secret: issued.secret.map(ClientSecret::reveal),
            previous_valid_until: issued.previous_valid_until.map(DateTime),
        }
    }
}

/// Runs the action that a selection is for.
macro_rules! on_selection {
    ($ctx:expr, $input:expr, $action:path) => {
        payload(match $input.parse() {
            Ok((selection, reason)) => $action(context($ctx)?, &selection, reason.as_deref()).await,
            Err(error) => Err(error),
        })?
    };
}

impl ApiKeysPayload {
    fn of((changed, mut user_errors): (Option<Changed>, Vec<UserError>)) -> Self {
        let Some(changed) = changed else {
            return Self { api_keys: Vec::new(), remaining: 0, next: None, user_errors };
        };
        user_errors.extend(changed.errors.into_iter().map(Into::into));
        let (remaining, next) = left(changed.rest);
        let api_keys = changed.keys.into_iter().map(ApiKey::from).collect();
        Self { api_keys, remaining, next, user_errors }
    }
}

#[derive(Default)]
pub(super) struct KeyBulkMutations;

/// What changes many API keys at once.
#[Object]
impl KeyBulkMutations {
    /// A new secret for every selected key. The old one stops at once, or after `gracePeriodSeconds`. With the header
    /// `Idempotency-Key` the same request can be sent again: it answers with the same keys, without the secrets.
    async fn regenerate_secrets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and how.")] input: RegenerateSecretsInput,
    ) -> async_graphql::Result<Option<RegenerateSecretsPayload>> {
        let result = match selected(input.selection, input.reason) {
            Ok((keys, reason)) => {
                let how = Rotation {
                    grace_period_seconds: input.grace_period_seconds,
                    reason: reason.as_deref(),
                    idempotency: hooks(ctx)?.idempotency(),
                };
                actions::regenerate_secrets(context(ctx)?, &keys, how).await
            }
            Err(error) => Err(error),
        };
        let (rotated, mut user_errors) = payload(result)?;
        let (issued, errors, rest) =
            rotated.map(|rotated| (rotated.issued, rotated.errors, rotated.rest)).unwrap_or_default();
        user_errors.extend(errors.into_iter().map(Into::into));
        let (remaining, next) = left(rest);
        let issued = issued.into_iter().map(Into::into).collect();
        Ok(Some(RegenerateSecretsPayload { issued, remaining, next, user_errors }))
    }

    /// Ends the previous secret of every selected key now. Tokens that it was exchanged for live to their own end.
    async fn finish_rotation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and why.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::finish_rotation))))
    }

    /// Lets API keys be used again. Tokens that died when they were disabled stay dead.
    async fn enable_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and why.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::enable))))
    }

    /// Stops API keys at once, and every token issued to them.
    async fn disable_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and why.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::disable))))
    }

    /// Stops API keys for good, and every token issued to them.
    async fn delete_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and why.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<DeleteApiKeysPayload>> {
        let deleted = ApiKeysPayload::of(on_selection!(ctx, input, actions::delete));
        let ApiKeysPayload { api_keys, remaining, next, user_errors } = deleted;
        let deleted_ids = api_keys.iter().map(ApiKey::global_id).collect();
        Ok(Some(DeleteApiKeysPayload { deleted_ids, remaining, next, user_errors }))
    }

    /// Lets API keys that wait for approval be used.
    async fn approve_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and why.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::approve))))
    }

    /// Deletes API keys that wait for approval.
    async fn reject_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which API keys, and why.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::reject))))
    }
}
