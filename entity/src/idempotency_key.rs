//! A request that made secrets and may be sent again. Only digests of what the client sent are kept.

use sea_orm::entity::prelude::*;

use crate::{ObjectKind, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Who sent it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub actor_kind: ObjectKind,
    #[sea_orm(primary_key, auto_increment = false)]
    pub actor_id: Uuid,
    /// The digest of the `Idempotency-Key`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_hash: String,
    /// The digest of the request that it came with.
    pub request_hash: String,
    /// JSON: what the answer named. Never a secret.
    pub result: String,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
