//! Counts of activity over a quarter of an hour or a day, by everything that reports group by.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, activity::Outcome};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollups")]
pub struct Model {
    /// 900 or 86400.
    #[sea_orm(primary_key, auto_increment = false)]
    pub width_seconds: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub start: Timestamp,
    /// The server process that counted, so that several never contend for a row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub node: i32,
    /// Nil when the events had no key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
    /// Nil when the events had no owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub outcome: Outcome,
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation_type: i16,
    /// Empty when the events had no operation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation: String,
    pub count: i64,
    /// Limit points spent.
    pub cost: i64,
    /// Counts of answers by power of two of their microseconds, as a JSON array; null where nothing was timed.
    pub latency: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
