//! Connections: many that read, one that changes, one for the journal, one for checkpoints; and whose turn it is to write.

use std::future::Future;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, OwnedMutexGuard, RwLock};

use super::checkpoints::Checkpoints;
use super::failures::Disk;
use super::options::{CACHE_KIB, JOURNAL_CACHE_KIB, postgres, sqlite};
use super::recorder::Recorder;
use crate::config::DatabaseUrl;
use crate::error::{Error, Result};
use crate::timeouts::Timeouts;

const READERS: u32 = 4;
const POSTGRES_READERS: u32 = 8;
const POSTGRES_WRITERS: u32 = 8;
/// Any number that other users of a PostgreSQL server are unlikely to lock.
const SCHEMA_LOCK: i64 = 0x6c61_7463_686b_6579;
const DIRECTORY_LOCK: i64 = SCHEMA_LOCK + 1;

/// The open database.
#[derive(Debug)]
pub struct Database {
    readers: DatabaseConnection,
    /// The same connections; what is read through this is not counted.
    uncounted: DatabaseConnection,
    writer: Arc<Line>,
    journal: Recorder,
    /// On SQLite.
    checkpoints: Option<Checkpoints>,
    /// SQLite lets one connection write at a time: the journal and changes take turns here, in the order they came,
    /// instead of meeting the database's own lock, which is not fair.
    turns: Option<Arc<Mutex<()>>>,
    reads: Arc<AtomicU64>,
    disk: Arc<Disk>,
    /// For the turn to write.
    timeout: Duration,
}

impl Database {
    /// The cause of a failure is kept: it is the operator who reads it.
    pub async fn connect(url: &DatabaseUrl, timeouts: &Timeouts) -> Result<Self, DbErr> {
        let reads = Arc::new(AtomicU64::new(0));
        let disk = Arc::new(Disk::default());
        let (timeouts, timeout) = (*timeouts, timeouts.write);
        let open = async |options| Line::open(options, &disk).await;
        match url {
            DatabaseUrl::Sqlite(path) => {
                // The writer comes first: it makes the file, and readers cannot.
                let writer = open(sqlite(path, timeouts, 1, false, CACHE_KIB)).await?;
                let readers =
                    sea_orm::Database::connect(sqlite(path, timeouts, READERS, true, CACHE_KIB)).await?;
                Ok(Self {
                    journal: Recorder::open(sqlite(path, timeouts, 1, false, JOURNAL_CACHE_KIB), &disk)
                        .await?,
                    checkpoints: Some(
                        Checkpoints::open(sqlite(path, timeouts, 1, false, CACHE_KIB), &disk).await?,
                    ),
                    uncounted: readers.clone(),
                    readers: counted(readers, &reads),
                    writer,
                    turns: Some(Arc::default()),
                    reads,
                    disk: Arc::clone(&disk),
                    timeout,
                })
            }
            DatabaseUrl::Postgres(address) => {
                // Whoever reads what it has just changed must not wait for others that wait to change something.
                let readers =
                    sea_orm::Database::connect(postgres(address, timeouts, POSTGRES_READERS)).await?;
                Ok(Self {
                    journal: Recorder::open(postgres(address, timeouts, 1), &disk).await?,
                    checkpoints: None,
                    uncounted: readers.clone(),
                    readers: counted(readers, &reads),
                    writer: open(postgres(address, timeouts, POSTGRES_WRITERS)).await?,
                    turns: None,
                    reads,
                    disk: Arc::clone(&disk),
                    timeout,
                })
            }
        }
    }

    /// For reading outside a transaction.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.readers
    }

    /// For reading that no request asks for.
    pub fn background(&self) -> &DatabaseConnection {
        &self.uncounted
    }

    /// Opens a transaction that changes something.
    pub async fn begin(&self) -> Result<Tx> {
        let turn = self.turn().await?;
        Ok(Tx {
            inner: Some(self.writer.begin().await?),
            line: Arc::clone(&self.writer),
            turn,
            then: std::sync::Mutex::default(),
        })
    }

    /// Executes a statement of the journal, which has a connection of its own, as a transaction of its own. Says how many
    /// rows it wrote; on PostgreSQL the statement answers that.
    pub async fn journal(&self, statement: Statement) -> Result<u64> {
        let _turn = self.turn().await?;
        self.journal.execute(statement).await
    }

    /// Executes a statement that no request waits for, as a transaction of its own. On SQLite that is done by the journal's
    /// connection: a commit of another one would make it forget all the pages that it has read. On PostgreSQL it is not,
    /// because the statement may have to wait for rows that others change.
    pub async fn execute_in_background(&self, statement: Statement) -> Result<()> {
        if self.turns.is_some() {
            return self.journal(statement).await.map(drop);
        }
        let tx = self.begin().await?;
        tx.execute_raw(statement).await?;
        tx.commit().await
    }

    /// Opens a transaction that no other process has open at the same time: for the schema and what it starts with.
    pub async fn begin_exclusive(&self) -> Result<Tx> {
        let tx = self.begin().await?;
        if self.turns.is_none() {
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")).await?;
        }
        Ok(tx)
    }

    /// Opens a transaction that changes users, groups, roles, scopes or settings: one at a time, on all nodes.
    pub async fn begin_directory(&self) -> Result<Tx> {
        let tx = self.begin().await?;
        if self.turns.is_none() {
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({DIRECTORY_LOCK})")).await?;
        }
        Ok(tx)
    }

    /// The turn to write, where writers take turns.
    async fn turn(&self) -> Result<Option<OwnedMutexGuard<()>>> {
        let turn = match &self.turns {
            Some(turns) => {
                let turn = tokio::time::timeout(self.timeout, Arc::clone(turns).lock_owned());
                Some(turn.await.map_err(|_| Error::Unavailable)?)
            }
            None => None,
        };
        // After the turn has come: whoever had it before has noted by then how the disk was.
        self.disk.check()?;
        Ok(turn)
    }

    /// Waits until the disk fails to take a commit: perhaps for ever. From then on no transaction begins, and the process
    /// has to end.
    pub fn disk_failed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.disk.failed()
    }

    /// Carries SQLite's write-ahead log over into the file: from time to time, because nobody else does before the log is
    /// very long.
    pub async fn checkpoint(&self) -> Result<()> {
        match &self.checkpoints {
            Some(checkpoints) => checkpoints.run(self.turn()).await,
            None => Ok(()),
        }
    }

    /// How many statements were sent outside transactions so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many bytes of SQLite's file are free for new rows: those of rows that were removed. 0 if that cannot be read.
    pub async fn unused_bytes(&self) -> u64 {
        const UNUSED: &str = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size";
        if self.turns.is_none() {
            return 0;
        }
        let row = self.uncounted.query_one_raw(Statement::from_string(DbBackend::Sqlite, UNUSED)).await;
        let bytes = row.ok().flatten().and_then(|row| row.try_get_by_index::<i64>(0).ok());
        bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
    }

    /// Closes all connections after what they are doing.
    pub async fn close(&self) {
        let writer = self.writer.connection.read().await;
        let (readers, journal) = (self.readers.close_by_ref().await, self.journal.close().await);
        let checkpoints = match &self.checkpoints {
            Some(checkpoints) => checkpoints.close().await,
            None => Ok(()),
        };
        for closed in [readers, journal, checkpoints, writer.close_by_ref().await] {
            if let Err(error) = closed {
                tracing::warn!(%error, "a database connection did not close cleanly");
            }
        }
    }
}

/// A connection (on PostgreSQL: a pool) for transactions, which is replaced when one did not end cleanly. The driver
/// counts open transactions itself and loses count when SQLite has rolled back on its own, as it does on a full disk:
/// every later transaction would then only seem to commit.
#[derive(Debug)]
struct Line {
    options: ConnectOptions,
    disk: Arc<Disk>,
    connection: RwLock<DatabaseConnection>,
    broken: AtomicBool,
}

impl Line {
    async fn open(options: ConnectOptions, disk: &Arc<Disk>) -> Result<Arc<Self>, DbErr> {
        let connection = sea_orm::Database::connect(options.clone()).await?;
        let (connection, broken) = (RwLock::new(connection), AtomicBool::new(false));
        Ok(Arc::new(Self { options, disk: Arc::clone(disk), connection, broken }))
    }

    async fn begin(&self) -> Result<DatabaseTransaction> {
        if self.broken.load(Ordering::Acquire) {
            self.renew().await?;
        }
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.connection.read().await.begin_with_options(options).await?)
    }

    async fn renew(&self) -> Result<()> {
        let fresh = sea_orm::Database::connect(self.options.clone()).await?;
        let old = std::mem::replace(&mut *self.connection.write().await, fresh);
        self.broken.store(false, Ordering::Release);
        tracing::warn!("replaced the write connection, because a transaction did not end cleanly");
        Ok(old.close().await?)
    }

    /// Notes how a transaction ended. A pool on PostgreSQL drops a connection that failed by itself.
    fn ended(&self, result: &Result<(), DbErr>, sqlite: bool) {
        self.disk.ended(result);
        if result.is_err() && sqlite {
            self.broken.store(true, Ordering::Release);
        }
    }
}

/// A transaction that changes something; dropped without a commit, it changes nothing.
pub struct Tx {
    /// Taken by the commit or the drop.
    inner: Option<DatabaseTransaction>,
    line: Arc<Line>,
    turn: Option<OwnedMutexGuard<()>>,
    then: std::sync::Mutex<Vec<Work>>,
}

type Work = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Tx {
    /// What to do as soon as the transaction is committed, before anybody hears of it.
    pub fn after_commit(&self, work: impl FnOnce() + Send + 'static) {
        self.then.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(work));
    }

    /// A commit that fails may have been one: what depends on it is done either way.
    pub async fn commit(mut self) -> Result<()> {
        let Some(inner) = self.inner.take() else { return Ok(()) };
        let result = inner.commit().await;
        self.line.ended(&result, self.turn.is_some());
        let then = std::mem::take(&mut *self.then.lock().unwrap_or_else(PoisonError::into_inner));
        then.into_iter().for_each(|work| work());
        Ok(result?)
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let (Some(inner), line, turn) = (self.inner.take(), Arc::clone(&self.line), self.turn.take()) else {
            return;
        };
        // The turn ends when the roll-back has, not before.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { line.ended(&inner.rollback().await, turn.is_some()) });
        }
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    #[expect(
        clippy::expect_used,
        reason = "only the commit and the drop take it, and both end the transaction"
    )]
    fn deref(&self) -> &Self::Target {
        self.inner.as_ref().expect("an open transaction")
    }
}

fn counted(mut connection: DatabaseConnection, reads: &Arc<AtomicU64>) -> DatabaseConnection {
    let reads = Arc::clone(reads);
    connection.set_metric_callback(move |_| {
        reads.fetch_add(1, Ordering::Relaxed);
    });
    connection
}

#[cfg(test)]
impl Database {
    pub(super) fn checkpoints(&self) -> Option<&Checkpoints> {
        self.checkpoints.as_ref()
    }

    /// As if SQLite had told a commit so.
    pub(crate) fn fail_disk(&self) {
        self.disk.ended::<()>(&Err(super::failures::tests::with_code("1034")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills the table until SQLite, which may use no further page, says that the disk is full. The limit goes with the
    /// connection, as a full disk does not: that it works again shows that the connection is another one.
    async fn fill(db: &Database) -> Error {
        let tx = db.begin().await.unwrap();
        tx.execute_unprepared("PRAGMA max_page_count = 8").await.unwrap();
        tx.commit().await.unwrap();
        loop {
            let tx = db.begin().await.unwrap();
            let insert = tx.execute_unprepared("INSERT INTO filled VALUES (zeroblob(2000))").await;
            let result = match insert {
                Ok(_) => tx.commit().await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = result {
                return error;
            }
        }
    }

    async fn rows(db: &Database) -> u64 {
        let count = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM filled");
        let row = db.reader().query_one_raw(count).await.unwrap().unwrap();
        u64::try_from(row.try_get_by_index::<i64>(0).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn after_a_full_disk_what_seems_committed_is_committed() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
        let db = Database::connect(&url, &Timeouts::never()).await.unwrap();
        let tx = db.begin().await.unwrap();
        tx.execute_unprepared("CREATE TABLE filled (content BLOB)").await.unwrap();
        tx.commit().await.unwrap();
        for _ in 0..3 {
            assert!(matches!(fill(&db).await, Error::Unavailable));
            let before = rows(&db).await;
            let tx = db.begin().await.unwrap();
            tx.execute_unprepared("INSERT INTO filled VALUES (zeroblob(20000))").await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(rows(&db).await, before + 1);
            let tx = db.begin().await.unwrap();
            tx.execute_unprepared("DELETE FROM filled").await.unwrap();
            tx.execute_unprepared("INSERT INTO filled VALUES (1)").await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_dropped_transaction_changes_nothing_and_the_next_one_waits_for_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
        let db = Database::connect(&url, &Timeouts::never()).await.unwrap();
        let tx = db.begin().await.unwrap();
        tx.execute_unprepared("CREATE TABLE filled (content BLOB)").await.unwrap();
        tx.commit().await.unwrap();
        for _ in 0..100 {
            let tx = db.begin().await.unwrap();
            tx.execute_unprepared("INSERT INTO filled VALUES (1)").await.unwrap();
            drop(tx);
        }
        assert_eq!(rows(&db).await, 0);
        db.close().await;
    }
}
