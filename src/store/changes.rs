//! What changed, numbered in the order of commits: how every server on the database learns of it.

use entity::activity::{ActivityFamily, ActivityKind};
use entity::change::{self, Column};
use entity::{KeyId, ObjectKind, change_counter};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbBackend, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::activity::Event;
use super::rows;
use crate::error::{Error, Result};

/// A server that has missed more changes than this reads everything anew.
const KEPT: i64 = 10_000;
/// At most so many changes are read at once.
const SOME: u64 = 1_000;
/// No token is written to the log while a change is being committed: writers of tokens share this lock, changes have it
/// alone. Any number that other users of a PostgreSQL server are unlikely to lock.
pub(super) const FENCE: i64 = 0x6c61_7463_686b_657b;

/// What a change invalidates of that which servers cache: nothing, some keys, or everything, because who may do what or
/// the settings may concern any key.
pub type Invalidation = fact_cache::Invalidation<KeyId>;

/// What a change that is logged as these events invalidates.
pub fn invalidated_by(events: &[Event]) -> Invalidation {
    let mut keys = Vec::new();
    for event in events {
        match (event.kind, event.target) {
            (ActivityKind::TokenRevoked, _) => keys.extend(event.key),
            (kind, _) if kind.family() != ActivityFamily::Change => {}
            // What is new has no keys yet, and passwords and names are not cached.
            (
                ActivityKind::UserCreated
                | ActivityKind::PasswordChanged
                | ActivityKind::ServiceAccountCreated
                | ActivityKind::ServiceAccountUpdated,
                _,
            ) => {}
            (_, Some(target)) if target.kind == ObjectKind::ApiKey => keys.push(KeyId(target.uuid)),
            _ => return Invalidation::Everything,
        }
    }
    if keys.is_empty() { Invalidation::Nothing } else { Invalidation::Ids(keys) }
}

/// From here to the end of this transaction no token is written: it comes before what tells of a change in the log, so
/// that the log has all tokens that were issued before the change before it.
pub async fn fence(db: &impl ConnectionTrait, invalidates: &Invalidation) -> Result<()> {
    if *invalidates != Invalidation::Nothing && db.get_database_backend() == DbBackend::Postgres {
        db.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({FENCE})")).await?;
    }
    Ok(())
}

/// Notes a change as the last step of the transaction that makes it, and says which number it has.
pub async fn note(db: &impl ConnectionTrait, invalidates: &Invalidation) -> Result<Option<i64>> {
    let (key_ids, raise) = match invalidates {
        Invalidation::Nothing => return Ok(None),
        Invalidation::Ids(keys) => (Some(KeyId::pack(keys)), 0),
        Invalidation::Everything => (None, 1),
    };
    rows::change_shared::<change_counter::Entity>()
        .col_expr(change_counter::Column::Epoch, Expr::col(change_counter::Column::Epoch).add(raise))
        .col_expr(change_counter::Column::LastChange, Expr::col(change_counter::Column::LastChange).add(1))
        .exec(db)
        .await?;
    let seq = position(db).await?.last_change;
    rows::add(db, change::Model { seq, key_ids }).await?;
    rows::remove::<change::Entity>().filter(Column::Seq.lt(seq - KEPT)).exec(db).await?;
    Ok(Some(seq))
}

/// How far things have come.
pub async fn position(db: &impl ConnectionTrait) -> Result<change_counter::Model> {
    let position = rows::shared::<change_counter::Entity>().one(db).await?;
    position.ok_or_else(|| Error::internal("the row of the change counter is missing"))
}

/// What changed after the change of this number, each with its number; and the last number. If some are not kept any
/// more, it may have been everything, under the number that was seen.
pub async fn since(db: &impl ConnectionTrait, seen: i64) -> Result<(Vec<(i64, Invalidation)>, i64)> {
    let found = rows::shared::<change::Entity>()
        .filter(Column::Seq.gt(seen))
        .order_by_asc(Column::Seq)
        .limit(SOME)
        .all(db)
        .await?;
    let last = found.last().map_or(seen, |change| change.seq);
    if found.first().is_some_and(|first| first.seq != seen + 1) {
        return Ok((vec![(seen, Invalidation::Everything)], last));
    }
    let changed = found.into_iter().map(|change| match change.key_ids {
        Some(keys) => (change.seq, Invalidation::Ids(KeyId::unpack(&keys))),
        None => (change.seq, Invalidation::Everything),
    });
    Ok((changed.collect(), last))
}
