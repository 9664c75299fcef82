//! New secrets for keys. The client id stays; the old secret stops at once, or after a grace period in which both work.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::{KeyId, Timestamp, key_secret};

use super::bulk::{Selection, event, select};
use super::create::new_secret;
use super::{Key, must_hold};
use crate::access::Action;
use crate::context::Context;
use crate::crypto::secret::ClientSecret;
use crate::error::{Result, UserError};
use crate::store::activity::Event;
use crate::store::keys::{self, Tokens};
use crate::store::{Tx, secrets, settings};

const MAX_GRACE_SECONDS: i32 = 30 * 24 * 60 * 60;

/// A key's new secret, for the only time.
#[derive(Debug)]
pub struct IssuedSecret {
    pub key: Key,
    pub secret: ClientSecret,
    /// Until when the old secret works too.
    pub previous_valid_until: Option<Timestamp>,
}

/// The new secrets, and why other keys got none.
#[derive(Debug)]
pub struct Rotated {
    pub issued: Vec<IssuedSecret>,
    pub errors: Vec<UserError>,
}

/// Gives every selected key a new secret.
pub async fn regenerate_secrets(
    cx: &Context,
    selection: &Selection,
    grace_period_seconds: Option<i32>,
    reason: Option<&str>,
) -> Result<Rotated> {
    let reach = cx.may(Action::RegenerateSecrets)?;
    let tx = cx.begin().await?;
    let grace = grace(&tx, grace_period_seconds).await?;
    let (found, mut errors) = select(&tx, &reach, selection).await?;
    let (keys, too_strong) = within_own_strength(cx, &tx, found).await?;
    errors.extend(too_strong);
    let ends = ends_of_grace(cx, &tx, &keys, grace).await?;
    let (issued, rows) = new_secrets(cx, keys, &ends)?;
    secrets::replace(&*tx, rows, &ends).await?;
    let ids: Vec<KeyId> = issued.iter().map(|issued| issued.key.id).collect();
    let tokens = if grace == 0 { Tokens::End } else { Tokens::LiveOn };
    keys::secrets_changed(&*tx, &reach, &ids, (tokens, cx.now)).await?;
    let events: Vec<Event> = issued.iter().map(|issued| rotated(cx, issued, reason)).collect();
    cx.record(&tx, &events).await?;
    let issued = reread(&tx, issued).await?;
    tx.commit().await?;
    Ok(Rotated { issued, errors })
}

/// Whoever resets a secret holds all that it yields: the keys for which that is so, and an error for each other.
async fn within_own_strength(cx: &Context, tx: &Tx, keys: Vec<Key>) -> Result<(Vec<Key>, Vec<UserError>)> {
    let mut strength = keys::strength_of(&**tx, &keys.iter().collect::<Vec<_>>()).await?;
    let (mut within, mut errors) = (Vec::new(), Vec::new());
    for key in keys {
        match must_hold(cx, &strength.remove(&key.id).unwrap_or_default(), "selection") {
            Ok(()) => within.push(key),
            Err(error) => errors.push(error.about(key.id)),
        }
    }
    Ok((within, errors))
}

/// The grace period that was asked for, else that of the settings.
async fn grace(tx: &Tx, asked: Option<i32>) -> Result<i32> {
    match asked {
        None => Ok(settings::load(&**tx).await?.default_grace_period_seconds),
        Some(seconds) if (0..=MAX_GRACE_SECONDS).contains(&seconds) => Ok(seconds),
        Some(_) => {
            let message = format!("A grace period is from 0 to {MAX_GRACE_SECONDS} seconds (30 days).");
            Err(UserError::invalid("gracePeriodSeconds", message).into())
        }
    }
}

/// Until when the old secret of each key that has one works too. It never outlives its key.
async fn ends_of_grace(
    cx: &Context,
    tx: &Tx,
    keys: &[Key],
    seconds: i32,
) -> Result<HashMap<KeyId, Timestamp>> {
    if seconds == 0 {
        return Ok(HashMap::new());
    }
    let end = cx.now.plus_seconds(seconds.into());
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
        issued.push(IssuedSecret { previous_valid_until: ends.get(&key.id).copied(), key, secret });
        rows.push(row);
    }
    Ok((issued, rows))
}

fn rotated(cx: &Context, issued: &IssuedSecret, reason: Option<&str>) -> Event {
    let mut event = event(cx, ActivityKind::SecretRegenerated, &issued.key, reason);
    if let Some(detail) = &mut event.detail {
        detail["hint"] = issued.secret.hint().into();
        detail["previousValidUntil"] = issued.previous_valid_until.map(|end| end.to_string()).into();
    }
    event
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
