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

/// Input of `regenerateSecrets`.
#[derive(Clone, Debug, InputObject)]
pub(super) struct RegenerateSecretsInput {
    /// The API keys to change.
    selection: ApiKeySelection,
    /// How long the old secrets keep working, in seconds: at most 2,592,000 (30 days); `defaultGracePeriodSeconds` of
    /// the settings if omitted. With 0 they stop working at once, and every access token of these keys is revoked.
    grace_period_seconds: Option<i32>,
    /// The reason, recorded in the activity log.
    reason: Option<String>,
}

/// Payload of the mutations that change selected API keys.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct ApiKeysPayload {
    /// The changed keys.
    api_keys: Vec<ApiKey>,
    /// How many of the selected keys were not processed by this call: continue with `next`.
    remaining: i32,
    /// Pass this as `continuation` to process the remaining keys; null if there are none.
    next: Option<String>,
    /// The keys that could not be changed, and why. The other changes are in effect.
    user_errors: Vec<UserError>,
}

/// Payload of `deleteApiKeys`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct DeleteApiKeysPayload {
    /// The ids of the deleted keys.
    deleted_ids: Vec<ID>,
    /// How many of the selected keys were not processed by this call: continue with `next`.
    remaining: i32,
    /// Pass this as `continuation` to process the remaining keys; null if there are none.
    next: Option<String>,
    /// The keys that could not be deleted, and why. The other deletions are in effect.
    user_errors: Vec<UserError>,
}

/// Payload of `regenerateSecrets`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct RegenerateSecretsPayload {
    /// The new secrets, one for each changed key.
    issued: Vec<IssuedSecret>,
    /// How many of the selected keys were not processed by this call: continue with `next`.
    remaining: i32,
    /// Pass this as `continuation` to process the remaining keys; null if there are none.
    next: Option<String>,
    /// The keys that got no new secret, and why. The other secrets were issued.
    user_errors: Vec<UserError>,
}

/// A new client secret.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct IssuedSecret {
    /// The API key it belongs to.
    api_key: ApiKey,
    /// The client secret. It is only returned here and cannot be retrieved later. Null if this request repeats one that
    /// was already processed.
    client_secret: Option<String>,
    /// Until when the old secret keeps working; null if it stopped at once.
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
    /// Issues a new secret for every selected key. The old secret stops working at once or after `gracePeriodSeconds`.
    /// With the header `Idempotency-Key` a request can be retried safely: the retry returns the same keys, without the
    /// secrets.
    async fn regenerate_secrets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys, and how long the old secrets keep working.")]
        input: RegenerateSecretsInput,
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

    /// Invalidates the previous secret of every selected key now. Access tokens obtained with it stay valid until they
    /// expire.
    async fn finish_rotation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys to change, and the reason.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::finish_rotation))))
    }

    /// Enables disabled API keys. Access tokens revoked when the keys were disabled stay revoked.
    async fn enable_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys to change, and the reason.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::enable))))
    }

    /// Disables API keys and revokes every access token issued to them, at once.
    async fn disable_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys to change, and the reason.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::disable))))
    }

    /// Deletes API keys and revokes every access token issued to them, at once. This cannot be undone.
    async fn delete_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys to change, and the reason.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<DeleteApiKeysPayload>> {
        let deleted = ApiKeysPayload::of(on_selection!(ctx, input, actions::delete));
        let ApiKeysPayload { api_keys, remaining, next, user_errors } = deleted;
        let deleted_ids = api_keys.iter().map(ApiKey::global_id).collect();
        Ok(Some(DeleteApiKeysPayload { deleted_ids, remaining, next, user_errors }))
    }

    /// Approves API keys that are pending approval. They can then be used.
    async fn approve_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys to change, and the reason.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::approve))))
    }

    /// Rejects API keys that are pending approval. They are deleted.
    async fn reject_api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API keys to change, and the reason.")] input: ApiKeySelectionInput,
    ) -> async_graphql::Result<Option<ApiKeysPayload>> {
        Ok(Some(ApiKeysPayload::of(on_selection!(ctx, input, actions::reject))))
    }
}
