//! Connections: many that read, one that changes, one for the journal; and whose turn it is to write.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::config::DatabaseUrl;
use crate::error::{Error, Result, UserError};

const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// No caller waits longer than this for a connection, or for another process that writes.
const WAIT: Duration = Duration::from_secs(2);
/// Any number that other users of a PostgreSQL server are unlikely to lock.
const SCHEMA_LOCK: i64 = 0x6c61_7463_686b_6579;

/// The open database.
#[derive(Debug)]
pub struct Database {
    readers: DatabaseConnection,
    writer: DatabaseConnection,
    journal: DatabaseConnection,
    /// SQLite lets one connection write at a time: the journal and changes take turns here, in the order they came,
    /// instead of meeting the database's own lock, which is not fair.
    turns: Option<Arc<Mutex<()>>>,
    statements: Arc<AtomicU64>,
}

impl Database {
    /// The cause of a failure is kept: it is the operator who reads it.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, DbErr> {
        let statements = Arc::new(AtomicU64::new(0));
        match url {
            DatabaseUrl::Sqlite(path) => {
                let open = |most, read_only| connect(sqlite(path, most, read_only), &statements);
                // The writer comes first: it makes the file, and readers cannot.
                let writer = open(1, false).await?;
                Ok(Self {
                    journal: open(1, false).await?,
                    readers: open(READERS, true).await?,
                    writer,
                    turns: Some(Arc::default()),
                    statements,
                })
            }
            DatabaseUrl::Postgres(address) => {
                let open = |most| connect(postgres(address, most), &statements);
                let shared = open(POSTGRES_CONNECTIONS).await?;
                Ok(Self {
                    journal: open(1).await?,
                    readers: shared.clone(),
                    writer: shared,
                    turns: None,
                    statements,
                })
            }
        }
    }

    /// For reading outside a transaction.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.readers
    }

    /// Opens a transaction that changes something.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_on(&self.writer).await
    }

    /// Opens a transaction on the connection that only the journal uses.
    pub async fn begin_journal(&self) -> Result<Tx> {
        self.begin_on(&self.journal).await
    }

    /// Opens a transaction that no other process has open at the same time: for the schema and what it starts with.
    pub async fn begin_exclusive(&self) -> Result<Tx> {
        let tx = self.begin().await?;
        if self.turns.is_none() {
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")).await?;
        }
        Ok(tx)
    }

    async fn begin_on(&self, connection: &DatabaseConnection) -> Result<Tx> {
        let turn = match &self.turns {
            Some(turns) => Some(Arc::clone(turns).lock_owned().await),
            None => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Tx { inner: connection.begin_with_options(options).await?, turn })
    }

    /// How many statements were sent so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Closes all connections after what they are doing.
    pub async fn close(&self) {
        for connection in [&self.readers, &self.journal, &self.writer] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "a database connection did not close cleanly");
            }
        }
    }
}

/// A transaction that changes something; dropped without a commit, it changes nothing.
#[derive(Debug)]
pub struct Tx {
    inner: DatabaseTransaction,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await?;
        drop(self.turn);
        Ok(())
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

async fn connect(options: ConnectOptions, statements: &Arc<AtomicU64>) -> Result<DatabaseConnection, DbErr> {
    let mut connection = sea_orm::Database::connect(options).await?;
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
    Ok(connection)
}

fn sqlite(path: &std::path::Path, most: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite:latchkey.db");
    let path = path.to_owned();
    options
        .max_connections(most)
        .min_connections(1)
        .acquire_timeout(WAIT)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .filename(&path)
                .create_if_missing(!read_only)
                .read_only(read_only)
                .busy_timeout(WAIT)
                .foreign_keys(true)
                .statement_cache_capacity(500);
            if read_only {
                return options;
            }
            // FULL: what was answered survives a power cut, not only the end of the process.
            options.pragma("journal_mode", "WAL").pragma("synchronous", "FULL")
        });
    options
}

fn postgres(address: &str, most: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(address);
    options
        .max_connections(most)
        .acquire_timeout(WAIT)
        .connect_timeout(WAIT)
        .sqlx_logging(false)
        .test_before_acquire(false);
    options
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable,
            DbErr::Exec(RuntimeErr::SqlxError(ref source))
            | DbErr::Query(RuntimeErr::SqlxError(ref source))
                if is_unavailable(source) =>
            {
                Self::Unavailable
            }
            DbErr::Exec(RuntimeErr::SqlxError(ref source))
            | DbErr::Query(RuntimeErr::SqlxError(ref source))
                if is_unstorable(source) =>
            {
                let message = "A text contains U+0000, which cannot be stored or searched for.";
                UserError { field: Vec::new(), ..UserError::invalid("", message) }.into()
            }
            error => Self::internal(error),
        }
    }
}

/// Whether a value is none that PostgreSQL can hold: 22021, character not in repertoire.
fn is_unstorable(error: &sea_orm::SqlxError) -> bool {
    matches!(error, sea_orm::SqlxError::Database(error) if error.code().as_deref() == Some("22021"))
}

/// Whether the database, rather than the statement, is what failed.
fn is_unavailable(error: &sea_orm::SqlxError) -> bool {
    match error {
        sea_orm::SqlxError::Io(_) | sea_orm::SqlxError::PoolTimedOut | sea_orm::SqlxError::PoolClosed => true,
        sea_orm::SqlxError::Database(error) => {
            // SQLite: busy, locked, full. PostgreSQL: class 57, operator intervention; 53, insufficient resources.
            error.code().is_some_and(|code| {
                matches!(&*code, "5" | "6" | "13") || code.starts_with("57") || code.starts_with("53")
            })
        }
        _ => false,
    }
}
