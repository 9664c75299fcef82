//! An access token that was revoked by itself. The row may go when the token would have ended.

use sea_orm::entity::prelude::*;

use crate::{KeyId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revoked_tokens")]
pub struct Model {
    /// The `jti` of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub jti: String,
    pub key_id: KeyId,
    /// Its `exp`.
    pub ends_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
