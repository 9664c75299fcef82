//! Everything that is built once, at the start: the same for the command, the server and the tests.

mod bootstrap;
pub mod context;
pub mod documents;
pub(crate) mod edits;
pub(crate) mod gate;
pub(crate) mod giving;
pub mod journal;
pub mod limits;
pub mod passwords;
pub mod refusals;
pub mod registry;
pub mod retention;
pub mod space;
pub mod usage;

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use ipnet::IpNet;
use tokio::task::JoinHandle;

use self::bootstrap::ServerKeys;
use self::documents::Documents;
use self::journal::Journal;
use self::limits::Limits;
use self::passwords::Passwords;
use self::refusals::Refusals;
use self::registry::Registry;
use self::space::Space;
use self::usage::Usage;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl, GraphqlDocuments};
use crate::entropy::{Entropy, Sequence};
use crate::error::{Error, Result};
use crate::store::Database;

/// What every request shares.
#[derive(Debug)]
pub struct App {
    /// The address that clients use: the issuer of tokens, and the audience of those for Latchkey itself.
    pub issuer: String,
    pub trusted_proxies: Vec<IpNet>,
    /// The web pages that may call the API.
    pub cors_origins: Vec<String>,
    pub documents: Documents,
    pub db: Arc<Database>,
    pub clock: Clock,
    pub entropy: Entropy,
    /// The order of the activity log.
    pub activity_ids: Arc<Sequence>,
    pub journal: Journal,
    pub registry: Arc<Registry>,
    pub limits: Limits,
    pub usage: Arc<Usage>,
    pub refusals: Arc<Refusals>,
    pub space: Space,
    pub keys: ServerKeys,
    pub passwords: Passwords,
}

/// The tasks that must end before the process does.
#[derive(Debug)]
pub struct Writer {
    db: Arc<Database>,
    usage: Arc<Usage>,
    refusals: Arc<Refusals>,
    activity_ids: Arc<Sequence>,
    journal: JoinHandle<()>,
}

impl App {
    /// Opens the database, brings it up to date and starts the writer of the log.
    pub async fn open(
        config: &Config,
        issuer: String,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<(Arc<Self>, Writer)> {
        let only_known = config.graphql_documents == GraphqlDocuments::Known;
        let timeouts = &config.timeouts;
        let documents = Documents::load(&config.graphql_documents_files, only_known)?;
        if let DatabaseUrl::Sqlite(path) = &config.database
            && let Some(directory) = path.parent()
        {
            make_private(path, directory).with_context(|| {
                format!("cannot create the database {} (settings `data_dir`, `database_url`)", path.display())
            })?;
        }
        let db = Database::connect(&config.database, timeouts).await.with_context(|| {
            format!("cannot open the database, {} (setting `database_url`)", config.database)
        })?;
        let db = Arc::new(db);
        let (keys, hasher) = bootstrap::prepare(config, &db, &*entropy, clock.now()).await?;
        let passwords = Passwords::new(hasher, Arc::clone(&entropy), timeouts.password);
        let activity_ids = Arc::new(Sequence::new(Arc::clone(&entropy)));
        let (journal, task) = Journal::start(Arc::clone(&db), Arc::clone(&activity_ids), timeouts.log);
        let usage = Arc::new(Usage::default());
        let registry = Registry::new(Arc::clone(&db), Arc::clone(&clock), issuer.clone(), timeouts.key);
        let registry = Arc::new(registry);
        registry.poll_changes().await?;
        let refusals = Arc::new(Refusals::default());
        let app = Self {
            issuer,
            trusted_proxies: config.trusted_proxies.clone(),
            cors_origins: config.cors_origins.clone(),
            documents,
            registry,
            db: Arc::clone(&db),
            limits: Limits::new(Arc::clone(&clock)),
            usage: Arc::clone(&usage),
            refusals: Arc::clone(&refusals),
            space: Space::new(directory_of(&config.database), config.low_disk_space_bytes),
            clock,
            entropy,
            activity_ids: Arc::clone(&activity_ids),
            journal,
            keys,
            passwords,
        };
        app.measure_space().await;
        Ok((Arc::new(app), Writer { db, usage, refusals, activity_ids, journal: task }))
    }
}

impl App {
    /// Looks how much room there is for the data. SQLite uses again what was removed, and does not give it back to the disk:
    /// that is room too.
    pub async fn measure_space(&self) {
        let Some(mut room) = self.space.measure().await else { return };
        if self.space.is_little(room) {
            room.free += self.db.unused_bytes().await;
        }
        self.space.judge(room);
    }

    /// For whatever makes the data grow: an error while there is little room for them.
    pub fn check_space(&self) -> Result<()> {
        if self.space.is_low() { Err(Error::Unavailable) } else { Ok(()) }
    }
}

/// Where the data are, if they are on a disk of ours.
fn directory_of(database: &DatabaseUrl) -> Option<PathBuf> {
    match database {
        DatabaseUrl::Sqlite(path) => {
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            Some(parent.unwrap_or(Path::new(".")).to_owned())
        }
        DatabaseUrl::Postgres(_) => None,
    }
}

/// The database is for the server's user alone; SQLite gives its other files the same mode.
fn make_private(path: &Path, directory: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(|_| ())
}

impl Writer {
    /// Waits until the log has everything it was given, and closes the database. All that holds the [`App`] must be gone.
    pub async fn finish(self) {
        if let Err(error) = self.journal.await {
            tracing::error!(%error, "the log writer stopped early");
        }
        if let Err(error) = self.usage.finish(&self.db).await {
            tracing::warn!(%error, "the last use of API keys could not be saved");
        }
        if let Err(error) = self.refusals.finish(&self.db, &self.activity_ids).await {
            tracing::warn!(%error, "the counts of refused exchanges of the last minute could not be saved");
        }
        self.db.close().await;
    }
}
