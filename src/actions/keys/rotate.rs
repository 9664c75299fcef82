//! New secrets for keys. The client id stays; the old secret stops at once, or after a grace period in which both work.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::{KeyId, Timestamp, key_secret};

use super::bulk::{event, told};
use super::create::new_secret;
use super::idempotency::{self, Beginning, Done};
use super::selection::{Portion, portion};
use super::{Changed, Key, Rest, Selection};
use crate::access::{Action, Reach};
use crate::app::context::Context;
use crate::app::giving::too_strong;
use crate::crypto::secret::ClientSecret;
use crate::error::{Result, UserError};
use crate::store::activity::Event;
use crate::store::keys::{self, Tokens};
use crate::store::{Tx, secrets, settings};
use crate::values::Idempotency;

const MAX_GRACE_SECONDS: i32 = 30 * 24 * 60 * 60;

/// What was asked for beside the keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation<'a> {
    pub grace_period_seconds: Option<i32>,
    pub reason: Option<&'a str>,
    pub idempotency: Option<&'a Idempotency>,
}

/// A key's new secret, for the only time; none if an earlier sending of the request has made it.
#[derive(Debug)]
pub struct IssuedSecret {
    pub key: Key,
    pub secret: Option<ClientSecret>,
    /// Until when the old secret works too.
    pub previous_valid_until: Option<Timestamp>,
}

/// The new secrets, why other keys got none, and what is left for the next call.
#[derive(Debug)]
pub struct Rotated {
    pub issued: Vec<IssuedSecret>,
    pub errors: Vec<UserError>,
    pub rest: Option<Rest>,
}

/// Gives every selected key a new secret.
pub async fn regenerate_secrets(cx: &Context, selection: &Selection, how: Rotation<'_>) -> Result<Rotated> {
    let reach = cx.may(Action::RegenerateSecrets)?;
    let tx = cx.begin().await?;
    let claim = match idempotency::begin(cx, &tx, how.idempotency).await? {
        Beginning::First(claim) => claim,
        Beginning::Again(done) => return again(cx, &tx, &reach, done).await,
    };
    let grace_until = grace_until(cx, &tx, how.grace_period_seconds).await?;
    let portion = portion(cx, &tx, &reach, (selection, ActivityKind::SecretRegenerated)).await?;
    let (keys, too_strong) = within_own_strength(cx, &tx, portion.keys).await?;
    let ends = ends_of_grace(cx, &tx, &keys, grace_until).await?;
    let (issued, rows) = new_secrets(cx, keys, &ends)?;
    secrets::replace(&*tx, rows, grace_until).await?;
    let ids: Vec<KeyId> = issued.iter().map(|issued| issued.key.id).collect();
    let tokens = if grace_until.is_none() { Tokens::End } else { Tokens::LiveOn };
    keys::secrets_changed(&*tx, &reach, &ids, (tokens, cx.now)).await?;
    let events: Vec<Event> = issued.iter().map(|issued| rotated(cx, issued, how.reason)).collect();
    cx.record(&tx, &events).await?;
    claim.settle(&tx, &Done { keys: ids, rest: portion.rest }).await?;
    let issued = reread(&tx, issued).await?;
    tx.commit().await?;
    let errors = portion.errors.into_iter().chain(too_strong).collect();
    Ok(Rotated { issued, errors, rest: portion.rest })
}

/// What the same request has led to before: the keys that are still within reach, without their secrets.
async fn again(cx: &Context, tx: &Tx, reach: &Reach, done: Done) -> Result<Rotated> {
    let keys = keys::find_many(&**tx, reach, &done.keys).await?;
    let mut kept = secrets::of_keys(&**tx, &keys.iter().collect::<Vec<_>>(), cx.now).await?;
    let missing = done.keys.iter().filter(|id| !keys.iter().any(|key| key.id == **id));
    let errors = missing.map(|id| UserError::not_found("selection", (*id).into())).collect();
    let mut until = |key| kept.remove(&key)?.into_iter().find_map(|secret| secret.valid_until);
    let issued = keys
        .into_iter()
        .map(|key| IssuedSecret { previous_valid_until: until(key.id), key, secret: None })
        .collect();
    Ok(Rotated { issued, errors, rest: done.rest })
}

/// Ends the previous secret of every selected key now. Tokens that were issued for it live to their own end.
pub async fn finish_rotation(cx: &Context, selection: &Selection, reason: Option<&str>) -> Result<Changed> {
    let reach = cx.may(Action::FinishRotation)?;
    let tx = cx.begin().await?;
    let Portion { keys, errors, rest } =
        portion(cx, &tx, &reach, (selection, ActivityKind::RotationFinished)).await?;
    let ids: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
    let ended = secrets::end_previous(&*tx, &ids, cx.now).await?;
    let ids: Vec<KeyId> = ended.iter().copied().collect();
    keys::secrets_changed(&*tx, &reach, &ids, (Tokens::LiveOn, cx.now)).await?;
    let finished = keys.iter().filter(|key| ended.contains(&key.id));
    let events: Vec<Event> =
        finished.map(|key| event(cx, (ActivityKind::RotationFinished, key), told(key, reason))).collect();
    cx.record(&tx, &events).await?;
    let keys = keys::reread_many(&*tx, &keys).await?;
    tx.commit().await?;
    Ok(Changed { keys, errors, rest })
}

/// Whoever resets a secret holds all that it yields: the keys for which that is so, and an error for each other.
async fn within_own_strength(cx: &Context, tx: &Tx, keys: Vec<Key>) -> Result<(Vec<Key>, Vec<UserError>)> {
    let refused = too_strong(cx, &**tx, &keys.iter().collect::<Vec<_>>()).await?;
    let within = keys.into_iter().filter(|key| !refused.contains_key(&key.id)).collect();
    Ok((within, refused.into_iter().map(|(key, error)| error.about(key)).collect()))
}

/// The end of the grace period that was asked for, else of that of the settings; none if old secrets stop at once.
async fn grace_until(cx: &Context, tx: &Tx, asked: Option<i32>) -> Result<Option<Timestamp>> {
    let seconds = match asked {
        None => settings::load(&**tx).await?.default_grace_period_seconds,
        Some(seconds) if (0..=MAX_GRACE_SECONDS).contains(&seconds) => seconds,
        Some(_) => {
            let message = format!("A grace period must be from 0 to {MAX_GRACE_SECONDS} seconds (30 days).");
            return Err(UserError::invalid("gracePeriodSeconds", message).into());
        }
    };
    Ok((seconds > 0).then(|| cx.now.plus_seconds(seconds.into())))
}

/// Until when the old secret of each key that has one works too. It never outlives its key.
async fn ends_of_grace(
    cx: &Context,
    tx: &Tx,
    keys: &[Key],
    grace_until: Option<Timestamp>,
) -> Result<HashMap<KeyId, Timestamp>> {
    let Some(end) = grace_until else { return Ok(HashMap::new()) };
    let old = secrets::of_keys(&**tx, &keys.iter().collect::<Vec<_>>(), cx.now).await?;
    let with_one = keys.iter().filter(|key| old.contains_key(&key.id));
    Ok(with_one.map(|key| (key.id, key.expires_at.map_or(end, |of_key| of_key.min(end)))).collect())
}

/// A secret for each key: for the caller, and as it is kept.
fn new_secrets(
    cx: &Context,
    keys: Vec<Key>,
    ends: &HashMap<KeyId, Timestamp>,
) -> Result<(Vec<IssuedSecret>, Vec<key_secret::Model>)> {
    let (mut issued, mut rows) = (Vec::new(), Vec::new());
    for key in keys {
        let (secret, row) = new_secret(cx, &key)?;
        issued.push(IssuedSecret {
            previous_valid_until: ends.get(&key.id).copied(),
            key,
            secret: Some(secret),
        });
        rows.push(row);
    }
    Ok((issued, rows))
}

fn rotated(cx: &Context, issued: &IssuedSecret, reason: Option<&str>) -> Event {
    let mut detail = told(&issued.key, reason);
    detail["hint"] = issued.secret.as_ref().map(ClientSecret::hint).into();
    detail["previousValidUntil"] = issued.previous_valid_until.map(|end| end.to_string()).into();
    event(cx, (ActivityKind::SecretRegenerated, &issued.key), detail)
}

/// The keys as they are now, each with its secret.
async fn reread(tx: &Tx, issued: Vec<IssuedSecret>) -> Result<Vec<IssuedSecret>> {
    let keys: Vec<Key> = issued.iter().map(|issued| issued.key.clone()).collect();
    let mut fresh: HashMap<KeyId, Key> =
        keys::reread_many(&**tx, &keys).await?.into_iter().map(|key| (key.id, key)).collect();
    Ok(issued
        .into_iter()
        .map(|issued| IssuedSecret { key: fresh.remove(&issued.key.id).unwrap_or(issued.key), ..issued })
        .collect())
}
