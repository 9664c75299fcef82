//! The stored secrets of keys: at most the current one, and the previous one until its end.

use std::collections::{HashMap, HashSet};

use entity::key_secret::{self, Column};
use entity::{KeyId, Timestamp, api_key};
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _};

use super::keys::Key;
use super::rows;
use crate::error::Result;

/// Makes each secret the current one of its key. Those before end at once, or with grace at the given time: then the last
/// one works until then, unless its key ends earlier.
pub async fn replace(
    db: &impl ConnectionTrait,
    secrets: Vec<key_secret::Model>,
    grace_until: Option<Timestamp>,
) -> Result<()> {
    let of_these = Column::KeyId.is_in(secrets.iter().map(|secret| secret.key_id));
    let over = Condition::all()
        .add(of_these.clone())
        .add_option(grace_until.map(|_| Column::ValidUntil.is_not_null()));
    rows::remove::<key_secret::Entity>().filter(over).exec(db).await?;
    if let Some(end) = grace_until {
        rows::change_shared::<key_secret::Entity>()
            .filter(of_these)
            .col_expr(Column::ValidUntil, Expr::SubQuery(None, Box::new(end_or_that_of_key(end).into())))
            .exec(db)
            .await?;
    }
    rows::add_all(db, secrets).await
}

/// The earlier one of this end and the end of the key that a secret is of.
fn end_or_that_of_key(end: Timestamp) -> SelectStatement {
    let of_key = || Expr::col((api_key::Entity, api_key::Column::ExpiresAt));
    Query::select()
        .expr(Expr::case(of_key().lt(end), of_key()).finally(end))
        .from(api_key::Entity)
        .and_where(
            Expr::col((api_key::Entity, api_key::Column::Id)).equals((key_secret::Entity, Column::KeyId)),
        )
        .take()
}

/// No previous secret of a key outlives this moment.
pub async fn end_by(db: &impl ConnectionTrait, key: KeyId, end: Timestamp) -> Result<()> {
    rows::change_shared::<key_secret::Entity>()
        .filter(Column::KeyId.eq(key))
        .filter(Column::ValidUntil.gt(end))
        .col_expr(Column::ValidUntil, Expr::val(end))
        .exec(db)
        .await?;
    Ok(())
}

/// Ends the previous secrets of keys. Says which keys had one that still worked.
pub async fn end_previous(
    db: &impl ConnectionTrait,
    keys: &[KeyId],
    now: Timestamp,
) -> Result<HashSet<KeyId>> {
    let previous =
        Condition::all().add(Column::KeyId.is_in(keys.iter().copied())).add(Column::ValidUntil.is_not_null());
    let ended = rows::shared::<key_secret::Entity>().filter(previous.clone()).all(db).await?;
    rows::remove::<key_secret::Entity>().filter(previous).exec(db).await?;
    let worked = ended.into_iter().filter(|secret| secret.valid_until.is_some_and(|end| end > now));
    Ok(worked.map(|secret| secret.key_id).collect())
}

/// The secrets of each key that can still be used, the current one first.
pub async fn of_keys(
    db: &impl ConnectionTrait,
    keys: &[&Key],
    now: Timestamp,
) -> Result<HashMap<KeyId, Vec<key_secret::Model>>> {
    let secrets = rows::shared::<key_secret::Entity>()
        .filter(Column::KeyId.is_in(keys.iter().map(|key| key.id)))
        .all(db)
        .await?;
    let mut by_key: HashMap<KeyId, Vec<key_secret::Model>> = HashMap::new();
    for secret in secrets.into_iter().filter(|secret| secret.valid_until.is_none_or(|end| end > now)) {
        by_key.entry(secret.key_id).or_default().push(secret);
    }
    for secrets in by_key.values_mut() {
        secrets.sort_by_key(|secret| secret.valid_until.is_some());
    }
    Ok(by_key)
}
