//! What an administrator sets while the server runs: one row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "settings")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub max_keys_per_owner: Option<i32>,
    pub password_api_access: bool,
    pub key_approval_required: bool,
    pub expiry_required: bool,
    pub max_key_lifetime_days: Option<i32>,
    pub default_key_lifetime_days: Option<i32>,
    pub default_token_lifetime_seconds: i32,
    pub max_token_lifetime_seconds: i32,
    pub default_token_limit_requests: i32,
    pub default_token_limit_seconds: i32,
    pub default_call_limit_requests: i32,
    pub default_call_limit_seconds: i32,
    pub default_grace_period_seconds: i32,
    pub activity_retention_days: i32,
    pub support_url: Option<String>,
    pub version: i32,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
