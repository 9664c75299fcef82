//! Requests that may be sent again (`Idempotency-Key`): each is remembered in the transaction that carries it out.

use entity::idempotency_key::{self, Column};
use entity::{GlobalId, Timestamp};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _};

use super::rows;
use crate::error::{Error, Result};

/// A request under its key: whose, and the digests of both.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub actor: GlobalId,
    pub key_hash: String,
    pub request_hash: String,
}

/// Claims the key for this transaction: nothing if it is new, else what was remembered under it. Whoever claims the
/// same key at the same time waits for the end of the first transaction.
pub async fn claim(
    db: &impl ConnectionTrait,
    attempt: &Attempt,
    now: Timestamp,
) -> Result<Option<idempotency_key::Model>> {
    let row = idempotency_key::Model {
        actor_kind: attempt.actor.kind,
        actor_id: attempt.actor.uuid,
        key_hash: attempt.key_hash.clone(),
        request_hash: attempt.request_hash.clone(),
        result: String::new(),
        created_at: now,
    };
    let key = [Column::ActorKind, Column::ActorId, Column::KeyHash];
    if rows::add_unless_there(db, row, OnConflict::columns(key).do_nothing().to_owned()).await? {
        return Ok(None);
    }
    let earlier = rows::before_permission::<idempotency_key::Entity>().filter(same(attempt)).one(db).await?;
    earlier.map(Some).ok_or_else(|| Error::internal("an idempotency key vanished"))
}

/// Remembers what the request has led to.
pub async fn remember(db: &impl ConnectionTrait, attempt: &Attempt, result: &str) -> Result<()> {
    rows::change_shared::<idempotency_key::Entity>()
        .filter(same(attempt))
        .col_expr(Column::Result, Expr::val(result))
        .exec(db)
        .await?;
    Ok(())
}

/// Forgets requests that are too old to be sent again.
pub async fn forget(db: &impl ConnectionTrait, made_before: Timestamp) -> Result<()> {
    let old = Column::CreatedAt.lt(made_before);
    rows::remove::<idempotency_key::Entity>().filter(old).exec(db).await?;
    Ok(())
}

fn same(attempt: &Attempt) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::ActorKind.eq(attempt.actor.kind))
        .add(Column::ActorId.eq(attempt.actor.uuid))
        .add(Column::KeyHash.eq(attempt.key_hash.as_str()))
}
