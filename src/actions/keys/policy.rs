//! What the settings ask of every key: an end, how far ahead, how long its tokens live, how many an owner has.

use entity::api_key::KeyState;
use entity::{AccountId, Timestamp, settings};

use super::Key;
use crate::access::Action;
use crate::app::context::Context;
use crate::app::giving::Strength;
use crate::error::{Result, UserError, UserErrorCode};
use crate::store::{Tx, accounts, keys, ownership};

const DAY: i64 = 86_400;

/// The end of a new key: the one that is asked for, else that of the settings.
pub(super) fn end(
    cx: &Context,
    settings: &settings::Model,
    asked: Option<Timestamp>,
) -> Result<Option<Timestamp>, UserError> {
    let default = settings.default_key_lifetime_days.map(|days| cx.now.plus_seconds(i64::from(days) * DAY));
    let end = asked.or(default);
    new_end(cx, settings, end)?;
    Ok(end)
}

/// An end lies ahead, is there if it must be, and is not too far.
pub(super) fn new_end(
    cx: &Context,
    settings: &settings::Model,
    end: Option<Timestamp>,
) -> Result<(), UserError> {
    let Some(end) = end else {
        if settings.expiry_required || settings.max_key_lifetime_days.is_some() {
            let message = "The settings require an end date for every API key. Set `expiresAt`.";
            return Err(UserError::new(UserErrorCode::PolicyExpiryRequired, "expiresAt", message));
        }
        return Ok(());
    };
    if end <= cx.now {
        return Err(UserError::invalid("expiresAt", "The end date must be in the future."));
    }
    match settings.max_key_lifetime_days {
        Some(days) if end > cx.now.plus_seconds(i64::from(days) * DAY) => {
            let message = format!(
                "The settings allow API keys to live for at most {days} days. Choose an earlier end date."
            );
            Err(UserError::new(UserErrorCode::PolicyExpiryTooFar, "expiresAt", message))
        }
        _ => Ok(()),
    }
}

/// A new key can be used at once, or waits for somebody who may approve it.
pub(super) fn first_state(cx: &Context, settings: &settings::Model) -> KeyState {
    if needs_approval(cx, settings) { KeyState::Pending } else { KeyState::Enabled }
}

/// What the caller makes needs the approval of somebody else.
fn needs_approval(cx: &Context, settings: &settings::Model) -> bool {
    settings.key_approval_required && cx.may(Action::ApproveKeys).is_err()
}

/// A key that was approved does not grow without approval.
pub(super) fn growth(
    cx: &Context,
    settings: &settings::Model,
    key: &Key,
    (gained, field): (&Strength, &'static str),
) -> Result<(), UserError> {
    if key.state == KeyState::Pending || gained.is_nothing() || !needs_approval(cx, settings) {
        return Ok(());
    }
    let message = "The settings require approval before an API key gains permissions. Ask someone with the scope \
                   keys:write:any to make this change, or create a new API key, which will be pending approval.";
    Err(UserError::new(UserErrorCode::ApprovalRequired, field, message).about(key.id))
}

/// Tokens live within what the settings allow.
pub(super) fn token_lifetime(settings: &settings::Model, seconds: Option<i32>) -> Result<(), UserError> {
    let longest = settings.max_token_lifetime_seconds;
    if seconds.is_some_and(|seconds| !(60..=longest).contains(&seconds)) {
        let message = format!("The lifetime of access tokens must be from 60 to {longest} seconds.");
        return Err(UserError::invalid("tokenLifetimeSeconds", message));
    }
    Ok(())
}

/// The owner may have another key. Nobody else makes one for the same owner meanwhile.
pub(super) async fn room_for_one_more(
    cx: &Context,
    tx: &Tx,
    settings: &settings::Model,
    owner: AccountId,
) -> Result<()> {
    let Some(most) = settings.max_keys_per_owner else { return Ok(()) };
    accounts::lock(&**tx, owner).await?;
    let existing = ownership::existing_keys_of(&**tx, owner).await?;
    if existing.len() < usize::try_from(most).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let message = match most {
        1 => "This owner already has an API key, and the settings allow one. Regenerate its secret, or \
            delete it."
            .to_owned(),
        most => format!("This owner already has {} API keys, and the settings allow {most}.", existing.len()),
    };
    let mut error = UserError::new(UserErrorCode::KeyAlreadyExists, "ownerId", message);
    if let Ok(reach) = cx.may(Action::ViewKeys)
        && let Some(visible) = keys::find_many(&**tx, &reach, &existing).await?.first()
    {
        error = error.about(visible.id);
    }
    Err(error.into())
}
