//! A database for one test: an SQLite file in a directory that goes away, or a PostgreSQL database of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use latchkey::config::Config;
use latchkey::timeouts::Timeouts;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbErr, Statement};
use tempfile::TempDir;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Where a server under test keeps its data.
pub struct Place {
    directory: TempDir,
    postgres: Option<String>,
}

impl Place {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let postgres = match test_postgres() {
            Some(server) => Some(create_database(&server).await.unwrap()),
            None => None,
        };
        Self { directory, postgres }
    }

    /// As `latchkey.toml` writes them.
    fn settings(&self) -> String {
        let directory = self.directory.path().display();
        let database =
            self.postgres.as_ref().map(|url| format!("database_url = '{url}'\n")).unwrap_or_default();
        format!("listen = '127.0.0.1:0'\ndata_dir = '{directory}'\n{database}{}\n", self.master_key_setting())
    }

    /// The settings of a server here that waits as long as it takes, and these.
    pub fn config(&self, settings: &str) -> Config {
        let config = Config::from_toml(&format!("{}\n{settings}", self.settings())).unwrap();
        Config { timeouts: Timeouts::never(), ..config }
    }

    /// The same for a process of its own.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("LATCHKEY_LISTEN", "127.0.0.1:0".to_owned()),
            ("LATCHKEY_DATA_DIR", self.directory.path().display().to_string()),
        ];
        if let Some(url) = &self.postgres {
            all.push(("LATCHKEY_DATABASE_URL", url.clone()));
            all.push(("LATCHKEY_MASTER_KEY", MASTER_KEY.to_owned()));
        }
        all
    }

    pub fn path(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// Everything that is kept here, as bytes: the files of the directory, and on PostgreSQL all tables as text. The
    /// master key's own file is left out.
    pub async fn stored(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() && entry.file_name() != "master.key" {
                all.extend(std::fs::read(entry.path()).unwrap());
            }
        }
        if let Some(url) = &self.postgres {
            let db = Database::connect(url).await.unwrap();
            let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
            for table in texts(&db, tables).await {
                all.extend(
                    texts(&db, &format!("SELECT row_to_json(t)::text FROM {table} t")).await.concat().bytes(),
                );
            }
            db.close().await.unwrap();
        }
        all
    }

    /// The master key, as its file or setting writes it.
    pub fn master_key(&self) -> String {
        match self.postgres {
            Some(_) => MASTER_KEY.to_owned(),
            None => std::fs::read_to_string(self.path().join("master.key")).unwrap(),
        }
    }

    fn master_key_setting(&self) -> String {
        self.postgres.as_ref().map(|_| format!("master_key = '{MASTER_KEY}'")).unwrap_or_default()
    }
}

/// For the tests of a module `sqlite_only`: the others skip it by its name, so that what did not run is counted as not run.
pub fn sqlite_only() {
    assert!(
        test_postgres().is_none(),
        "this is no test for PostgreSQL: leave it out by `--skip sqlite_only::`"
    );
}

/// For the tests of a module `postgres_only`.
pub fn postgres_only() {
    assert!(
        test_postgres().is_some(),
        "this is no test for SQLite: leave it out by `--skip postgres_only::`"
    );
}

/// On PostgreSQL the operator makes the master key. This one protects nothing.
const MASTER_KEY: &str = "bm90IGEgc2VjcmV0OiB0aGUgbWFzdGVyIGtleSBvZiA=";

#[expect(clippy::disallowed_methods, reason = "the tests are told by the environment which database to use")]
fn test_postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok()
}

/// The first column of every row.
async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn create_database(server: &str) -> Result<String, DbErr> {
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let maintenance = Database::connect(server).await?;
    maintenance.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    maintenance.close().await?;
    let (address, _) = server.rsplit_once('/').unwrap();
    Ok(format!("{address}/{name}"))
}
