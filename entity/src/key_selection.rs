//! A portion of a change of many keys that is still to come.

use sea_orm::entity::prelude::*;

use crate::activity::ActivityKind;
use crate::{ObjectKind, SelectionId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_selections")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SelectionId,
    /// The portion after this one.
    pub next_id: Option<SelectionId>,
    /// The keys of this portion and of those after it.
    pub remaining: i64,
    /// What is done to the keys.
    pub verb: ActivityKind,
    /// Who does it.
    pub actor_kind: ObjectKind,
    pub actor_id: Uuid,
    /// The ids of the keys, 16 bytes each.
    pub key_ids: Vec<u8>,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
