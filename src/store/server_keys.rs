//! The server's own keys: those that secrets are hashed under, and those that tokens are signed with.

use entity::{data_key, signing_key};
use sea_orm::{ConnectionTrait, QueryOrder as _};

use super::rows;
use crate::error::{Error, Result};

pub async fn data_keys(db: &impl ConnectionTrait) -> Result<Vec<data_key::Model>> {
    Ok(rows::shared::<data_key::Entity>().order_by_asc(data_key::Column::Id).all(db).await?)
}

pub async fn add_data_key(db: &impl ConnectionTrait, key: data_key::Model) -> Result<()> {
    rows::add(db, key).await.map_err(Error::from)
}

pub async fn signing_keys(db: &impl ConnectionTrait) -> Result<Vec<signing_key::Model>> {
    Ok(rows::shared::<signing_key::Entity>().order_by_asc(signing_key::Column::Id).all(db).await?)
}

pub async fn add_signing_key(db: &impl ConnectionTrait, key: signing_key::Model) -> Result<()> {
    rows::add(db, key).await.map_err(Error::from)
}
