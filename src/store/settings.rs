//! The one row of settings.

use entity::settings::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, Iterable as _, ModelTrait as _};

use super::rows;
use crate::error::{Error, Result};

pub async fn load(db: &impl ConnectionTrait) -> Result<settings::Model> {
    let settings = rows::shared::<settings::Entity>().one(db).await?;
    settings.ok_or_else(|| Error::internal("the row of settings is missing"))
}

/// Writes all settings.
pub async fn replace(db: &impl ConnectionTrait, new: settings::Model) -> Result<()> {
    let all = Column::iter().filter(|column| !matches!(column, Column::Id));
    let mut update = rows::change_shared::<settings::Entity>();
    for column in all {
        update = update.col_expr(column, Expr::val(new.get(column)));
    }
    update.exec(db).await?;
    Ok(())
}
