//! A resource server that tokens are issued for. Latchkey itself is the built-in one.

use sea_orm::entity::prelude::*;

use crate::{ApiId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "apis")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiId,
    /// The `aud` of its tokens. Empty for the built-in API, whose audience is the issuer's address.
    pub identifier: String,
    pub name: String,
    pub description: Option<String>,
    pub built_in: bool,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
