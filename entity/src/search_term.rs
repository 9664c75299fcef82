//! What keys and accounts are found by: one row a text, folded so that both cases of a letter are one.

use sea_orm::entity::prelude::*;

use crate::ObjectKind;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_terms")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub object_kind: ObjectKind,
    pub object_id: Uuid,
    pub text: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
