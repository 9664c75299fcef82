//! The connection that writes the log. It belongs to no pool, which would ask it after every statement whether it is
//! still there: a journey more for each batch.

use std::sync::Arc;

use sea_orm::sea_query::Values;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{AssertSqlSafe, Connection as _, query_scalar_with, query_with};
use sea_orm::{ConnectOptions, DbBackend, DbErr, RuntimeErr, SqlxError, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

use super::failures::Disk;
use crate::error::Result;

#[derive(Debug)]
pub(super) struct Recorder {
    options: ConnectOptions,
    disk: Arc<Disk>,
    /// None while it is in use, and after it has failed.
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug)]
enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Recorder {
    pub(super) async fn open(options: ConnectOptions, disk: &Arc<Disk>) -> Result<Self, DbErr> {
        let connection = Mutex::new(Some(Connection::open(&options).await?));
        Ok(Self { options, disk: Arc::clone(disk), connection })
    }

    /// Executes a statement as a transaction of its own and says how many rows it wrote; on PostgreSQL the statement
    /// answers that. A connection that did not do what it should is not used again.
    pub(super) async fn execute(&self, statement: Statement) -> Result<u64> {
        let mut place = self.connection.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => {
                tracing::warn!("replacing the write connection of the log, because it failed");
                Connection::open(&self.options).await?
            }
        };
        let result = connection.execute(statement).await.map_err(execution);
        self.disk.ended(&result);
        let count = result?;
        *place = Some(connection);
        Ok(count)
    }

    pub(super) async fn close(&self) -> Result<(), DbErr> {
        let connection = self.connection.lock().await.take();
        match connection {
            Some(Connection::Sqlite(connection)) => connection.close().await.map_err(execution),
            Some(Connection::Postgres(connection)) => connection.close().await.map_err(execution),
            None => Ok(()),
        }
    }
}

impl Connection {
    async fn open(options: &ConnectOptions) -> Result<Self, DbErr> {
        let pool = sea_orm::Database::connect(options.clone()).await?;
        let acquired = if pool.get_database_backend() == DbBackend::Sqlite {
            let connection = pool.get_sqlite_connection_pool().acquire().await;
            connection.map(|connection| Self::Sqlite(connection.detach()))
        } else {
            let connection = pool.get_postgres_connection_pool().acquire().await;
            connection.map(|connection| Self::Postgres(connection.detach()))
        };
        acquired.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, SqlxError> {
        let Statement { sql, values, .. } = statement;
        // The statement is one of this program's own, see `log.rs`; what callers send is among its values.
        let (sql, values) = (AssertSqlSafe(sql), SqlxValues(values.unwrap_or_else(|| Values(Vec::new()))));
        match self {
            Self::Sqlite(connection) => {
                Ok(query_with(sql, values).execute(connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                let count: i64 = query_scalar_with(sql, values).fetch_one(connection).await?;
                Ok(count.unsigned_abs())
            }
        }
    }
}

fn execution(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}
