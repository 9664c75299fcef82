//! A random key that secrets are hashed under, wrapped by the master key.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum DataKeyPurpose {
    #[sea_orm(string_value = "CLIENT_SECRET")]
    ClientSecret,
    #[sea_orm(string_value = "PASSWORD")]
    Password,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_keys")]
pub struct Model {
    /// The `k` of a stored hash.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub purpose: DataKeyPurpose,
    pub wrapped: Vec<u8>,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
