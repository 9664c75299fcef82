//! The one row of settings.

use entity::settings;
use sea_orm::ConnectionTrait;

use super::rows;
use crate::error::{Error, Result};

pub async fn load(db: &impl ConnectionTrait) -> Result<settings::Model> {
    let settings = rows::shared::<settings::Entity>().one(db).await?;
    settings.ok_or_else(|| Error::internal("the row of settings is missing"))
}
