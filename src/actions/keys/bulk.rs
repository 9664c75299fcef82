//! Enabling, disabling, deleting, approving and rejecting, of one key or many: one transaction, one statement, one log
//! row for each key.

use entity::activity::ActivityKind;
use entity::api_key::KeyState;

use super::selection::{Portion, portion};
use super::{Changed, Key, Selection};
use crate::access::{Action, Reach};
use crate::app::context::Context;
use crate::error::{Result, UserError};
use crate::store::activity::Event;
use crate::store::keys;

/// A change of state: to which, from which (a key in the same state stays as it is, one in another is an error), and
/// how the log calls it.
struct Transition {
    to: KeyState,
    from: &'static [KeyState],
    kind: ActivityKind,
}

const ENABLE: Transition =
    Transition { to: KeyState::Enabled, from: &[KeyState::Disabled], kind: ActivityKind::KeyEnabled };
const DISABLE: Transition =
    Transition { to: KeyState::Disabled, from: &[KeyState::Enabled], kind: ActivityKind::KeyDisabled };
const DELETE: Transition = Transition {
    to: KeyState::Deleted,
    from: &[KeyState::Pending, KeyState::Enabled, KeyState::Disabled],
    kind: ActivityKind::KeyDeleted,
};
const APPROVE: Transition =
    Transition { to: KeyState::Enabled, from: &[KeyState::Pending], kind: ActivityKind::KeyApproved };
const REJECT: Transition =
    Transition { to: KeyState::Deleted, from: &[KeyState::Pending], kind: ActivityKind::KeyRejected };

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

/// Lets keys that wait for approval be used.
pub async fn approve(cx: &Context, selection: &Selection, reason: Option<&str>) -> Result<Changed> {
    let reach = cx.may(Action::ApproveKeys)?;
    change(cx, &reach, selection, (&APPROVE, reason)).await
}

/// Deletes keys that wait for approval.
pub async fn reject(cx: &Context, selection: &Selection, reason: Option<&str>) -> Result<Changed> {
    let reach = cx.may(Action::RejectKeys)?;
    change(cx, &reach, selection, (&REJECT, reason)).await
}

async fn change(
    cx: &Context,
    reach: &Reach,
    selection: &Selection,
    (transition, reason): (&Transition, Option<&str>),
) -> Result<Changed> {
    let &Transition { to, from, kind } = transition;
    let tx = cx.begin().await?;
    let Portion { keys, mut errors, rest } = portion(cx, &tx, reach, (selection, kind)).await?;
    let (keys, others): (Vec<Key>, Vec<Key>) =
        keys.into_iter().partition(|key| key.state == to || from.contains(&key.state));
    errors.extend(others.iter().map(|key| not_from(key, transition)));
    // A key that is there already is left as it is: no new version, no log row.
    let affected: Vec<&Key> = keys.iter().filter(|key| key.state != to).collect();
    let ids: Vec<_> = affected.iter().map(|key| key.id).collect();
    keys::set_state(&*tx, reach, &ids, (to, cx.now)).await?;
    let events: Vec<Event> = affected.iter().map(|key| moved(cx, key, (transition, reason))).collect();
    cx.record(&tx, &events).await?;
    let keys = keys::reread_many(&*tx, &keys).await?;
    tx.commit().await?;
    Ok(Changed { keys, errors, rest })
}

/// A key that the change is not for.
fn not_from(key: &Key, transition: &Transition) -> UserError {
    let message = match (key.state, transition.kind) {
        (KeyState::Pending, _) => "This API key is pending approval: approve, reject or delete it.",
        (_, ActivityKind::KeyRejected) => "This API key is not pending approval: delete it instead.",
        _ => "This API key is not pending approval: enable it instead.",
    };
    UserError::invalid("selection", message).about(key.id)
}

fn moved(cx: &Context, key: &Key, (transition, reason): (&Transition, Option<&str>)) -> Event {
    let mut detail = told(key, reason);
    detail["before"] = serde_json::json!({ "state": shown(key.state) });
    detail["after"] = serde_json::json!({ "state": shown(transition.to) });
    event(cx, (transition.kind, key), detail)
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

/// What the log tells of each of several keys, at least.
pub(super) fn told(key: &Key, reason: Option<&str>) -> serde_json::Value {
    serde_json::json!({ "name": key.name, "reason": reason })
}

pub(super) fn event(cx: &Context, (kind, key): (ActivityKind, &Key), detail: serde_json::Value) -> Event {
    Event { detail: Some(detail.into()), ..cx.change(kind, key.id, key.owner_id) }
}
