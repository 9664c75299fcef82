//! Finds the stores that are measured, or makes them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::Context as _;
use entity::{GlobalId, KeyId, UserId};
use latchkey::app::App;
use latchkey::clock::SystemClock;
use latchkey::config::Config;
use latchkey::entropy::SystemEntropy;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement, TransactionTrait as _};

use crate::rows;

const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
/// On PostgreSQL the operator makes the master key. This one protects nothing.
const MASTER_KEY: &str = "bm90IGEgc2VjcmV0OiB0aGUgbWFzdGVyIGtleSBvZiA=";
const SCHEMA: &str = include_str!("../../migration/src/m20261121_000001_first_tables.sql");

pub(crate) struct Store {
    /// The settings that lead here.
    pub(crate) settings: String,
    /// The same, for rows that do not come through the server.
    address: String,
    keys: u32,
}

impl Store {
    /// A store of this many keys, fresh: in a copy of a file or, on this server, of a database that is kept for later runs.
    pub(crate) async fn prepare(keys: u32, server: Option<&str>) -> anyhow::Result<Self> {
        let name = format!("latchkey_lists_{:08x}_{keys}", version());
        match server {
            Some(server) => {
                if !is_database(server, &name).await? {
                    let making = format!("{name}_making");
                    create_database(server, &making, None).await?;
                    Self::in_database(&making, keys, server)?.fill().await?;
                    on(server, &[format!("ALTER DATABASE {making} RENAME TO {name}")]).await?;
                }
                let copy = format!("{name}_copy");
                create_database(server, &copy, Some(&name)).await?;
                Self::in_database(&copy, keys, server)
            }
            None => {
                let made = Path::new(DIRECTORY).join(&name).join("made");
                if !made.exists() {
                    Self::in_file(&name, keys)?.fill().await?;
                    std::fs::write(made, "")?;
                }
                let copy = format!("{name}_copy");
                copy_files(&name, &copy)?;
                Self::in_file(&copy, keys)
            }
        }
    }

    fn in_file(name: &str, keys: u32) -> anyhow::Result<Self> {
        let data = directory(name)?;
        Ok(Self {
            settings: format!("data_dir = '{data}'\n"),
            address: format!("sqlite://{data}/latchkey.db"),
            keys,
        })
    }

    fn in_database(name: &str, keys: u32, server: &str) -> anyhow::Result<Self> {
        let mut url: reqwest::Url = server.parse()?;
        url.set_path(name);
        let data = directory(name)?;
        let settings = format!("data_dir = '{data}'\ndatabase_url = '{url}'\nmaster_key = '{MASTER_KEY}'\n");
        Ok(Self { settings, address: url.to_string(), keys })
    }

    /// The schema and the built-in objects come from the server itself.
    async fn fill(&self) -> anyhow::Result<()> {
        let config = Config::from_toml(&self.settings)?;
        let (clock, entropy) = (SystemClock::shared(), SystemEntropy::shared());
        let (app, writer) = App::open(&config, "http://127.0.0.1".to_owned(), clock, entropy).await?;
        drop(app);
        writer.finish().await;
        self.run(|backend| {
            let rows = rows::statements(backend, self.keys);
            let (before, after) = around(backend);
            before.into_iter().chain(rows).chain(after).collect()
        })
        .await
    }

    /// Adds keys that can all be changed, while no server is open here. Their owner has no others.
    pub(crate) async fn add_changeable(&self, more: u32) -> anyhow::Result<GlobalId> {
        self.run(|backend| rows::of_one_more(backend, self.keys, more)).await?;
        Ok(UserId(rows::one_more(self.keys)).into())
    }

    /// A key in the middle of every order.
    pub(crate) fn middle(&self) -> anyhow::Result<KeyId> {
        Ok(KeyId(rows::middle(self.keys).context("a store with a middle")?))
    }

    async fn run(&self, statements: impl FnOnce(DbBackend) -> Vec<String>) -> anyhow::Result<()> {
        let db = Database::connect(&self.address).await?;
        let backend = db.get_database_backend();
        let tx = db.begin().await?;
        for statement in statements(backend) {
            tx.execute_unprepared(&statement).await.with_context(|| statement.clone())?;
        }
        tx.commit().await?;
        // What PostgreSQL does by itself after a while; SQLite does nothing of the kind.
        let sqlite = backend == DbBackend::Sqlite;
        db.execute_unprepared(if sqlite { "PRAGMA wal_checkpoint (TRUNCATE)" } else { "VACUUM ANALYZE" })
            .await?;
        Ok(db.close().await?)
    }
}

/// What goes before the rows of a store, and after them: PostgreSQL makes this index much faster once they are there.
fn around(backend: DbBackend) -> (Option<String>, Option<String>) {
    if backend == DbBackend::Sqlite {
        return (None, None);
    }
    let before =
        "CREATE TABLE grams AS SELECT indexdef FROM pg_indexes WHERE indexname = 'search_terms_grams';
        DROP INDEX search_terms_grams";
    let after = "DO $$ BEGIN EXECUTE (SELECT indexdef FROM grams); END $$; DROP TABLE grams";
    (Some(before.to_owned()), Some(after.to_owned()))
}

fn directory(name: &str) -> anyhow::Result<String> {
    let directory = Path::new(DIRECTORY).join(name);
    std::fs::create_dir_all(&directory)?;
    Ok(directory.to_str().context("a target directory in UTF-8")?.to_owned())
}

/// What is measured changes a copy, so that the file does not grow from run to run.
fn copy_files(from: &str, to: &str) -> anyhow::Result<()> {
    let copy = directory(to)?;
    std::fs::remove_dir_all(&copy)?;
    std::fs::create_dir(&copy)?;
    for file in std::fs::read_dir(directory(from)?)? {
        let (file, to) = (file?.path(), Path::new(&copy));
        let to = to.join(file.file_name().context("a file with a name")?);
        std::fs::copy(file, &to)?;
        // Or else the first commits that are measured would wait for this.
        std::fs::File::open(to)?.sync_all()?;
    }
    Ok(())
}

/// A store of another version is another store.
fn version() -> u32 {
    let mut hasher = DefaultHasher::new();
    (include_str!("rows.rs"), SCHEMA).hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

async fn is_database(server: &str, name: &str) -> anyhow::Result<bool> {
    let db = Database::connect(server).await?;
    let named = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    let found = db.query_one_raw(Statement::from_string(DbBackend::Postgres, named)).await?;
    db.close().await?;
    Ok(found.is_some())
}

/// Makes a database anew, empty or as a copy. What is written by then is not left to the first commits that are measured.
async fn create_database(server: &str, name: &str, from: Option<&str>) -> anyhow::Result<()> {
    let from = from.map(|from| format!(" TEMPLATE {from} STRATEGY file_copy")).unwrap_or_default();
    on(
        server,
        &[
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name}{from}"),
            "CHECKPOINT".to_owned(),
        ],
    )
    .await
}

async fn on(server: &str, statements: &[String]) -> anyhow::Result<()> {
    let db = Database::connect(server).await?;
    for statement in statements {
        db.execute_unprepared(statement).await.with_context(|| statement.clone())?;
    }
    Ok(db.close().await?)
}
