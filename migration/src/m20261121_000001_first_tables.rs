//! Accounts, permissions, keys, the activity log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLES: &str = include_str!("m20261121_000001_first_tables.sql");
/// Each database has its own kind of index for parts of texts.
const SEARCH_SQLITE: &str = include_str!("m20261121_000001_search_sqlite.sql");
const SEARCH_POSTGRES: &str = include_str!("m20261121_000001_search_postgres.sql");
/// SQLite's statement that writes the log is made where it is used.
const LOG_POSTGRES: &str = include_str!("m20261121_000001_log_postgres.sql");

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            DbBackend::Sqlite => [TABLES, SEARCH_SQLITE].concat(),
            // SQLite keeps such a table in the order of its primary key; PostgreSQL has no like of it.
            _ => [&TABLES.replace(" WITHOUT ROWID", ""), SEARCH_POSTGRES, LOG_POSTGRES].concat(),
        };
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }
}
