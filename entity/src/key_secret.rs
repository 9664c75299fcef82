//! A secret of a key: at most the current one, and the previous one until its end.

use sea_orm::entity::prelude::*;

use crate::{KeyId, SecretHash, SecretId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SecretId,
    pub key_id: KeyId,
    pub hash: SecretHash,
    /// The last four characters, to tell secrets apart.
    pub hint: String,
    pub created_at: Timestamp,
    /// Null for the current secret; the end of the previous one.
    pub valid_until: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
