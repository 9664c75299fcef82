//! Carrying SQLite's write-ahead log over into the database file. SQLite would do that within every commit that fills another
//! thousand pages of the log, and everybody who wants to write would wait for the disk; here a connection does it that
//! nobody waits for.

use std::sync::Arc;

use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::sync::OwnedMutexGuard;

use super::failures::Disk;
use crate::error::Result;

/// SQLite does it itself if the log ever has so many pages: 64 MiB.
pub(super) const LAST_RESORT: &str = "16384";
/// A log of so many pages is begun again from its start, for which writing has to pause: until then it grows while it is
/// carried over.
const LONG: i64 = 4_096;

#[derive(Debug)]
pub(super) struct Checkpoints {
    connection: DatabaseConnection,
    disk: Arc<Disk>,
}

impl Checkpoints {
    pub(super) async fn open(options: ConnectOptions, disk: &Arc<Disk>) -> Result<Self, DbErr> {
        Ok(Self { connection: sea_orm::Database::connect(options).await?, disk: Arc::clone(disk) })
    }

    /// Carries over what is there; takes a turn for the rest if the log is long.
    pub(super) async fn run(
        &self,
        turn: impl Future<Output = Result<Option<OwnedMutexGuard<()>>>>,
    ) -> Result<()> {
        if self.carry_over().await? >= LONG {
            let _turn = turn.await?;
            self.carry_over().await?;
        }
        Ok(())
    }

    /// Without waiting for anybody. Says how many pages the log has.
    async fn carry_over(&self) -> Result<i64> {
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint (PASSIVE)");
        let row = self.connection.query_one_raw(statement).await;
        self.disk.ended(&row);
        Ok(row?.map(|row| row.try_get_by_index(1)).transpose()?.unwrap_or(0))
    }

    pub(super) async fn close(&self) -> Result<(), DbErr> {
        self.connection.close_by_ref().await
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};

    use tempfile::TempDir;

    use super::super::Database;
    use super::*;
    use crate::config::DatabaseUrl;
    use crate::timeouts::Timeouts;

    async fn filled() -> (TempDir, PathBuf, Database) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let url = DatabaseUrl::Sqlite(path.clone());
        let db = Database::connect(&url, &Timeouts::never()).await.unwrap();
        let tx = db.begin().await.unwrap();
        tx.execute_unprepared("CREATE TABLE filled (content BLOB)").await.unwrap();
        tx.commit().await.unwrap();
        (directory, path, db)
    }

    async fn write(db: &Database, commits: usize) {
        for _ in 0..commits {
            let tx = db.begin().await.unwrap();
            tx.execute_unprepared("INSERT INTO filled VALUES (zeroblob(9000))").await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    fn length(database: &Path) -> u64 {
        std::fs::metadata(database.with_extension("db-wal")).unwrap().len()
    }

    #[tokio::test]
    async fn a_log_that_is_carried_over_begins_again_and_another_one_grows() {
        let (_directory, path, db) = filled().await;
        let mut file = 0;
        write(&db, 300).await;
        let log = length(&path);
        for _ in 0..3 {
            db.checkpoint().await.unwrap();
            let grown = std::fs::metadata(&path).unwrap().len();
            assert!(grown > file + 2_000_000, "the file has what was in the log");
            file = grown;
            write(&db, 300).await;
            assert_eq!(length(&path), log, "the log began again");
        }
        write(&db, 300).await;
        assert!(length(&path) > log + 2_000_000, "nobody else does it");
        db.close().await;
    }

    #[tokio::test]
    async fn writing_pauses_for_a_long_log_only() {
        let (_directory, path, db) = filled().await;
        let checkpoints = db.checkpoints().unwrap();
        for (commits, pauses) in [(10, false), (1_500, true)] {
            write(&db, commits).await;
            let paused = AtomicBool::new(false);
            let turn = async {
                paused.store(true, Ordering::Relaxed);
                Ok(None)
            };
            checkpoints.run(turn).await.unwrap();
            assert_eq!(paused.into_inner(), pauses);
        }
        assert!(std::fs::metadata(&path).unwrap().len() > 1_500 * 9_000);
        db.close().await;
    }
}
