//! Sign-ins, and the token of the first administrator.

use entity::session::{self, Column};
use entity::{SessionId, Timestamp, UserId, setup_token, user};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QueryOrder as _};

use super::rows;
use crate::error::Result;

pub async fn add(db: &impl ConnectionTrait, session: session::Model) -> Result<()> {
    Ok(rows::add(db, session).await?)
}

pub async fn by_token(db: &impl ConnectionTrait, hash: &str) -> Result<Option<session::Model>> {
    Ok(rows::before_permission::<session::Entity>().filter(Column::TokenHash.eq(hash)).one(db).await?)
}

/// The sign-ins of a user, newest first.
pub async fn of_user(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<session::Model>> {
    let sessions = rows::before_permission::<session::Entity>().filter(Column::UserId.eq(user));
    Ok(sessions.order_by_desc(Column::Id).all(db).await?)
}

pub async fn seen(db: &impl ConnectionTrait, id: SessionId, now: Timestamp) -> Result<()> {
    rows::change_shared::<session::Entity>()
        .filter(Column::Id.eq(id))
        .col_expr(Column::LastSeenAt, Expr::val(now))
        .exec(db)
        .await?;
    Ok(())
}

/// Ends one sign-in.
pub async fn end(db: &impl ConnectionTrait, id: SessionId) -> Result<()> {
    rows::remove::<session::Entity>().filter(Column::Id.eq(id)).exec(db).await?;
    Ok(())
}

/// Ends all sign-ins of a user but one. Says how many.
pub async fn end_all(db: &impl ConnectionTrait, user: UserId, but: Option<SessionId>) -> Result<u64> {
    let mut ended = rows::remove::<session::Entity>().filter(Column::UserId.eq(user));
    if let Some(but) = but {
        ended = ended.filter(Column::Id.ne(but));
    }
    Ok(ended.exec(db).await?.rows_affected)
}

/// Removes sign-ins that began or were last seen too long ago.
pub async fn remove_ended(db: &impl ConnectionTrait, began: Timestamp, seen: Timestamp) -> Result<()> {
    let over = Column::CreatedAt.lt(began).or(Column::LastSeenAt.lt(seen));
    rows::remove::<session::Entity>().filter(over).exec(db).await?;
    Ok(())
}

pub async fn set_last_sign_in(db: &impl ConnectionTrait, user: UserId, now: Timestamp) -> Result<()> {
    rows::change_shared::<user::Entity>()
        .filter(user::Column::Id.eq(user))
        .col_expr(user::Column::LastSignInAt, Expr::val(now))
        .exec(db)
        .await?;
    Ok(())
}

/// Replaces the token of the first administrator; removes it, without a new one.
pub async fn set_setup_token(db: &impl ConnectionTrait, token: Option<setup_token::Model>) -> Result<()> {
    rows::remove::<setup_token::Entity>().exec(db).await?;
    rows::add_all(db, token).await
}

pub async fn setup_token(db: &impl ConnectionTrait) -> Result<Option<setup_token::Model>> {
    Ok(rows::before_permission::<setup_token::Entity>().one(db).await?)
}
