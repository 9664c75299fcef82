//! Access tokens that were revoked by themselves.

use entity::revoked_token::{self, Column};
use entity::{KeyId, Timestamp};
use sea_orm::sea_query::{OnConflict, Order, Query};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _};

use super::rows;
use crate::error::Result;

/// Revokes a token; says whether it was not revoked before.
pub async fn add(db: &impl ConnectionTrait, token: revoked_token::Model) -> Result<bool> {
    rows::add_unless_there(db, token, OnConflict::column(Column::Jti).do_nothing().to_owned()).await
}

/// The revoked tokens of these keys that would not have ended yet.
pub async fn of_keys(
    db: &impl ConnectionTrait,
    keys: &[KeyId],
    now: Timestamp,
) -> Result<Vec<revoked_token::Model>> {
    let revoked = rows::before_permission::<revoked_token::Entity>()
        .filter(Column::KeyId.is_in(keys.iter().copied()))
        .filter(Column::EndsAt.gt(now));
    Ok(revoked.all(db).await?)
}

/// Removes rows of tokens that would have ended before this instant, at most so many, and says how many there were.
pub async fn remove_before(db: &impl ConnectionTrait, before: Timestamp, most: u64) -> Result<u64> {
    let ended = Query::select()
        .column(Column::Jti)
        .from(revoked_token::Entity)
        .and_where(Column::EndsAt.lt(before))
        .order_by(Column::EndsAt, Order::Asc)
        .limit(most)
        .take();
    let removed =
        rows::remove::<revoked_token::Entity>().filter(Column::Jti.in_subquery(ended)).exec(db).await?;
    Ok(removed.rows_affected)
}
