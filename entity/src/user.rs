//! A person: an account with an e-mail address, and with roles through itself and its groups.

use sea_orm::entity::prelude::*;

use crate::{SecretHash, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// Lower case; unique.
    pub email: String,
    pub handle: Option<String>,
    pub display_name: String,
    pub password_hash: Option<SecretHash>,
    pub last_sign_in_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
