//! Accounts, permissions, keys, the activity log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLES: &str = include_str!("m20261121_000001_first_tables.sql");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            DbBackend::Sqlite => TABLES.to_owned(),
            // SQLite keeps such a table in the order of its primary key; PostgreSQL has no like of it.
            _ => TABLES.replace(" WITHOUT ROWID", ""),
        };
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }
}
