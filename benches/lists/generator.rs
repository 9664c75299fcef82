//! Finds the stores that are measured, or makes them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::Context as _;
use entity::KeyId;
use latchkey::app::App;
use latchkey::clock::SystemClock;
use latchkey::config::Config;
use latchkey::entropy::SystemEntropy;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, TransactionTrait as _};

use crate::rows;

const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
/// On PostgreSQL the operator makes the master key. This one protects nothing.
const MASTER_KEY: &str = "bm90IGEgc2VjcmV0OiB0aGUgbWFzdGVyIGtleSBvZiA=";
const SCHEMA: &str = include_str!("../../migration/src/m20261121_000001_first_tables.sql");

pub(crate) struct Store {
    /// The settings that lead here.
    pub(crate) settings: String,
    /// A key in the middle of every order.
    pub(crate) middle: KeyId,
}

impl Store {
    /// A store of this many keys: in a file, or in a database on this server. A file is kept for later runs.
    pub(crate) async fn prepare(keys: u32, server: Option<&str>) -> anyhow::Result<Self> {
        let name = format!("latchkey_lists_{:08x}_{keys}", version());
        let directory = Path::new(DIRECTORY).join(&name);
        std::fs::create_dir_all(&directory)?;
        let data = directory.to_str().context("a target directory in UTF-8")?;
        let mut settings = format!("data_dir = '{data}'\n");
        let (address, made) = match server {
            Some(server) => {
                let mut url: reqwest::Url = server.parse()?;
                url.set_path(&name);
                settings.push_str(&format!("database_url = '{url}'\nmaster_key = '{MASTER_KEY}'\n"));
                create_database(server, &name).await?;
                (url.to_string(), false)
            }
            None => (format!("sqlite://{data}/latchkey.db"), directory.join("made").exists()),
        };
        if !made {
            fill(&settings, &address, keys).await?;
            std::fs::write(directory.join("made"), "")?;
        }
        let middle = rows::middle(keys).context("a store with a middle")?;
        Ok(Self { settings, middle: KeyId(middle) })
    }
}

/// A store of another version is another store.
fn version() -> u32 {
    let mut hasher = DefaultHasher::new();
    (include_str!("rows.rs"), SCHEMA).hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

async fn create_database(server: &str, name: &str) -> anyhow::Result<()> {
    let db = Database::connect(server).await?;
    db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    db.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    Ok(db.close().await?)
}

/// The schema and the built-in objects come from the server itself.
async fn fill(settings: &str, address: &str, keys: u32) -> anyhow::Result<()> {
    let config = Config::from_toml(settings)?;
    let (clock, entropy) = (SystemClock::shared(), SystemEntropy::shared());
    let (app, writer) = App::open(&config, "http://127.0.0.1".to_owned(), clock, entropy).await?;
    drop(app);
    writer.finish().await;
    let db = Database::connect(address).await?;
    let sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let tx = db.begin().await?;
    for statement in rows::statements(db.get_database_backend(), keys) {
        tx.execute_unprepared(&statement).await.with_context(|| statement.clone())?;
    }
    tx.commit().await?;
    // What PostgreSQL does by itself after a while; SQLite does nothing of the kind.
    db.execute_unprepared(if sqlite { "PRAGMA wal_checkpoint (TRUNCATE)" } else { "VACUUM ANALYZE" }).await?;
    Ok(db.close().await?)
}
