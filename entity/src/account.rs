//! What a user and a service account have in common: they own keys, and stop all of them when they are deactivated.

use sea_orm::entity::prelude::*;

use crate::{AccountId, ObjectKind, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum AccountKind {
    #[sea_orm(string_value = "USER")]
    User,
    #[sea_orm(string_value = "SERVICE_ACCOUNT")]
    ServiceAccount,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    pub kind: AccountKind,
    pub active: bool,
    /// Raised by whatever must kill tokens already issued to any key of this account.
    pub generation: i64,
    pub version: i32,
    pub created_by_kind: ObjectKind,
    pub created_by_id: Option<Uuid>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
