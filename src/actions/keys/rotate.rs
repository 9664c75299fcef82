//! New secrets for keys. The client id stays; the old secret stops at once, or after a grace period in which both work.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::{KeyId, Timestamp};

use super::bulk::{Selection, event, select};
use super::create::new_secret;
use super::{Key, must_hold};
use crate::access::Action;
use crate::context::Context;
use crate::crypto::secret::ClientSecret;
use crate::error::{Result, UserError};
use crate::store::keys::{self, StateChange};
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
    let strength = keys::strength_of(&*tx, &found.iter().collect::<Vec<_>>()).await?;
    let mut rotating = Vec::new();
    for key in found {
        // Whoever resets a secret holds all that it yields.
        match must_hold(cx, &strength.get(&key.id).cloned().unwrap_or_default(), "selection") {
            Ok(()) => rotating.push(key),
            Err(error) => errors.push(error.about(key.id)),
        }
    }
    let ends =
        rotating.iter().filter(|_| grace > 0).map(|key| (key.id, end_of_grace(cx, key, grace))).collect();
    let mut issued = Vec::new();
    for key in rotating {
        issued.push((new_secret(cx, &key)?, key));
    }
    let (issued, rows) = split(issued, &ends);
    secrets::replace(&*tx, rows, &ends).await?;
    let ids: Vec<KeyId> = issued.iter().map(|issued| issued.key.id).collect();
    let change = if grace == 0 { StateChange::EndTokens } else { StateChange::Touch };
    keys::change_state(&*tx, &reach, &ids, (change, cx.now)).await?;
    let events = issued.iter().map(|issued| rotated(cx, issued, reason)).collect::<Vec<_>>();
    cx.record(&tx, &events).await?;
    let issued = reread(&tx, issued).await?;
    tx.commit().await?;
    Ok(Rotated { issued, errors })
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

/// An old secret never outlives its key.
fn end_of_grace(cx: &Context, key: &Key, seconds: i32) -> Timestamp {
    let end = cx.now.plus_seconds(seconds.into());
    key.expires_at.map_or(end, |of_key| of_key.min(end))
}

type Row = entity::key_secret::Model;

fn split(
    secrets: Vec<((ClientSecret, Row), Key)>,
    ends: &HashMap<KeyId, Timestamp>,
) -> (Vec<IssuedSecret>, Vec<Row>) {
    secrets
        .into_iter()
        .map(|((secret, row), key)| {
            (IssuedSecret { previous_valid_until: ends.get(&key.id).copied(), key, secret }, row)
        })
        .unzip()
}

fn rotated(cx: &Context, issued: &IssuedSecret, reason: Option<&str>) -> crate::store::activity::Event {
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
