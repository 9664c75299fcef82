//! Changes of many keys in portions: the keys as they were when the change began, each portion used once.

use entity::activity::ActivityKind;
use entity::key_selection::{self, Column};
use entity::{GlobalId, KeyId, SelectionId, Timestamp, api_key};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use serde::{Deserialize, Serialize};

use super::keys::KeyFilter;
use super::rows;
use crate::access::Reach;
use crate::error::Result;

/// Rows of one statement: each holds as many ids as a portion.
const ROWS: usize = 100;

/// The ids of the keys within reach that match a filter, in one order.
pub async fn matching(
    db: &impl ConnectionTrait,
    reach: &Reach,
    filter: &KeyFilter,
    now: Timestamp,
) -> Result<Vec<KeyId>> {
    let ids = rows::keys(reach)
        .filter(filter.condition(now, db.get_database_backend()))
        .select_only()
        .column(api_key::Column::Id)
        .order_by_asc(api_key::Column::Id);
    Ok(ids.into_tuple().all(db).await?)
}

/// Whose selection it is, and for what: nobody else can go on with it, and with nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    pub actor: GlobalId,
    pub verb: ActivityKind,
}

/// What is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// How many keys.
    pub keys: u64,
    /// Where to go on.
    pub next: SelectionId,
}

/// Keeps portions for later, each under an id of its own.
pub async fn keep(
    db: &impl ConnectionTrait,
    purpose: Purpose,
    portions: impl ExactSizeIterator<Item = &[KeyId]>,
    (ids, now): (&[SelectionId], Timestamp),
) -> Result<()> {
    let mut remaining = 0;
    let rows: Vec<key_selection::Model> = portions
        .zip(ids)
        .map(|(keys, id)| key_selection::Model {
            id: *id,
            next_id: None,
            remaining: i64::try_from(keys.len()).unwrap_or(i64::MAX),
            verb: purpose.verb,
            actor_kind: purpose.actor.kind,
            actor_id: purpose.actor.uuid,
            key_ids: KeyId::pack(keys),
            created_at: now,
        })
        .collect();
    let mut linked = Vec::with_capacity(rows.len());
    let mut next_id = None;
    for row in rows.into_iter().rev() {
        remaining += row.remaining;
        let id = row.id;
        linked.push(key_selection::Model { next_id, remaining, ..row });
        next_id = Some(id);
    }
    while !linked.is_empty() {
        let some = linked.split_off(linked.len().saturating_sub(ROWS));
        rows::add_all(db, some).await?;
    }
    Ok(())
}

/// Takes a portion, for the only time; nothing if it was taken before, or is for somebody or something else.
pub async fn take(
    db: &impl ConnectionTrait,
    purpose: Purpose,
    id: SelectionId,
) -> Result<Option<(Vec<KeyId>, Option<Rest>)>> {
    let found = rows::before_permission::<key_selection::Entity>()
        .filter(Column::Id.eq(id))
        .filter(Column::Verb.eq(purpose.verb))
        .filter(Column::ActorKind.eq(purpose.actor.kind))
        .filter(Column::ActorId.eq(purpose.actor.uuid))
        .lock_exclusive()
        .one(db)
        .await?;
    let Some(portion) = found else { return Ok(None) };
    rows::remove::<key_selection::Entity>().filter(Column::Id.eq(id)).exec(db).await?;
    let keys = KeyId::unpack(&portion.key_ids);
    let after = u64::try_from(portion.remaining).unwrap_or(0).saturating_sub(keys.len() as u64);
    Ok(Some((keys, portion.next_id.map(|next| Rest { keys: after, next }))))
}

/// Forgets portions that nobody came back for.
pub async fn forget(db: &impl ConnectionTrait, made_before: Timestamp) -> Result<()> {
    let old = Column::CreatedAt.lt(made_before);
    rows::remove::<key_selection::Entity>().filter(old).exec(db).await?;
    Ok(())
}
