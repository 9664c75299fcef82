//! Enabling, disabling and deleting, of one key or many: one transaction, one statement, one log row for each key.

use std::collections::HashSet;

use entity::KeyId;
use entity::activity::ActivityKind;
use entity::api_key::KeyState;

use super::{Changed, Key};
use crate::access::{Action, Reach};
use crate::context::Context;
use crate::error::{Result, UserError, UserErrorCode};
use crate::store::Tx;
use crate::store::activity::Event;
use crate::store::keys;

const MAX_SELECTION: usize = 1000;

/// The keys that a change is for, each once.
#[derive(Clone, Debug)]
pub struct Selection(Vec<KeyId>);

impl Selection {
    pub fn of(ids: impl IntoIterator<Item = KeyId>) -> Result<Self, UserError> {
        let mut seen = HashSet::new();
        let ids: Vec<KeyId> = ids.into_iter().filter(|id| seen.insert(*id)).collect();
        if ids.len() > MAX_SELECTION {
            let message =
                format!("Select at most {MAX_SELECTION} API keys at once; these are {}.", ids.len());
            return Err(UserError::new(UserErrorCode::SelectionTooLarge, "selection", message));
        }
        Ok(Self(ids))
    }
}

/// A change of state: from which state (any, if none is named), to which, and how the log calls it.
struct Transition {
    from: Option<KeyState>,
    to: KeyState,
    kind: ActivityKind,
}

const ENABLE: Transition =
    Transition { from: Some(KeyState::Disabled), to: KeyState::Enabled, kind: ActivityKind::KeyEnabled };
const DISABLE: Transition =
    Transition { from: Some(KeyState::Enabled), to: KeyState::Disabled, kind: ActivityKind::KeyDisabled };
const DELETE: Transition = Transition { from: None, to: KeyState::Deleted, kind: ActivityKind::KeyDeleted };

/// Lets keys be used again. Tokens that died when they were disabled stay dead.
pub async fn enable(cx: &Context, selection: &Selection, reason: Option<&str>) -> Result<Changed> {
    let reach = cx.may(Action::EnableKeys)?;
    change(cx, &reach, selection, (&ENABLE, reason)).await
}

/// Stops keys at once, and all tokens issued to them.
pub async fn disable(cx: &Context, selection: &Selection, reason: Option<&str>) -> Result<Changed> {
    let reach = cx.may(Action::DisableKeys)?;
    change(cx, &reach, selection, (&DISABLE, reason)).await
}

/// Stops keys for good. Their rows stay as tombstones; their names are free, their client ids are not used again.
pub async fn delete(cx: &Context, selection: &Selection, reason: Option<&str>) -> Result<Changed> {
    let reach = cx.may(Action::DeleteKeys)?;
    change(cx, &reach, selection, (&DELETE, reason)).await
}

async fn change(
    cx: &Context,
    reach: &Reach,
    selection: &Selection,
    (&Transition { from, to, kind }, reason): (&Transition, Option<&str>),
) -> Result<Changed> {
    let tx = cx.begin().await?;
    let (found, errors) = select(&tx, reach, selection).await?;
    // A key that the change does not apply to is left as it is: no new version, no log row.
    let affected: Vec<&Key> = found.iter().filter(|key| from.is_none_or(|from| key.state == from)).collect();
    let ids: Vec<KeyId> = affected.iter().map(|key| key.id).collect();
    keys::set_state(&*tx, reach, &ids, (to, cx.now)).await?;
    let mut events: Vec<Event> = affected.iter().map(|key| event(cx, kind, key, reason)).collect();
    for (detail, key) in events.iter_mut().filter_map(|event| event.detail.as_mut()).zip(affected) {
        detail["before"] = serde_json::json!({ "state": shown(key.state) });
        detail["after"] = serde_json::json!({ "state": shown(to) });
    }
    cx.record(&tx, &events).await?;
    let keys = keys::reread_many(&*tx, &found).await?;
    tx.commit().await?;
    Ok(Changed { keys, errors })
}

/// How a state stands in the log.
fn shown(state: KeyState) -> &'static str {
    match state {
        KeyState::Pending => "PENDING",
        KeyState::Enabled => "ENABLED",
        KeyState::Disabled => "DISABLED",
        KeyState::Deleted => "DELETED",
    }
}

/// The selected keys that are there, and an error for each that is not.
pub(super) async fn select(
    tx: &Tx,
    reach: &Reach,
    selection: &Selection,
) -> Result<(Vec<Key>, Vec<UserError>)> {
    let mut found = keys::lock_many(&**tx, reach, &selection.0).await?;
    found.retain(|key| key.deleted_at.is_none());
    let missing = selection.0.iter().filter(|id| !found.iter().any(|key| key.id == **id));
    let errors = missing.map(|id| UserError::not_found("selection", (*id).into())).collect();
    Ok((found, errors))
}

pub(super) fn event(cx: &Context, kind: ActivityKind, key: &Key, reason: Option<&str>) -> Event {
    Event {
        detail: Some(serde_json::json!({ "name": key.name, "reason": reason })),
        ..cx.change(kind, key.id, key.owner_id)
    }
}
