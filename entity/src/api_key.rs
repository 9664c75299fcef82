//! An API key: an OAuth confidential client with an owner, roles, scopes, limits and an end.

use sea_orm::entity::prelude::*;

use crate::{AccountId, KeyId, ObjectKind, Timestamp};

/// What was decided about a key. What it is at a moment depends on its end and its owner too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum KeyState {
    #[sea_orm(string_value = "PENDING")]
    Pending,
    #[sea_orm(string_value = "ENABLED")]
    Enabled,
    #[sea_orm(string_value = "DISABLED")]
    Disabled,
    #[sea_orm(string_value = "DELETED")]
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    /// 32 upper-case hex characters; never used again, not even after a delete.
    pub client_id: String,
    pub owner_id: AccountId,
    pub name: String,
    pub description: Option<String>,
    pub state: KeyState,
    pub read_only: bool,
    /// Made without roles and scopes: acts with all that its owner holds at the moment.
    pub inherits_owner: bool,
    /// JSON array of CIDR texts; null is everywhere.
    pub allowed_networks: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub token_lifetime_seconds: Option<i32>,
    pub token_limit_requests: Option<i32>,
    pub token_limit_seconds: Option<i32>,
    pub call_limit_requests: Option<i32>,
    pub call_limit_seconds: Option<i32>,
    /// Raised by whatever must kill tokens already issued to this key.
    pub generation: i64,
    pub version: i32,
    pub created_by_kind: ObjectKind,
    pub created_by_id: Option<Uuid>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_used_ip: Option<String>,
    pub last_used_user_agent: Option<String>,
    pub last_used_operation: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
