//! The history of the schema, one file a step. Written by hand and without the entities, because entities move on
//! and history does not.

use sea_orm_migration::prelude::*;

mod m20261121_000001_first_tables;

pub use sea_orm_migration::MigratorTrait;

#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261121_000001_first_tables::Migration)]
    }
}
