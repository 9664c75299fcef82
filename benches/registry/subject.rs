//! A server on one store, as people run it, and the keys that are exchanged there.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use latchkey::app::App;
use latchkey::clock::SystemClock;
use latchkey::config::{Config, DatabaseUrl};
use latchkey::crypto::secret::ClientSecret;
use latchkey::entropy::SystemEntropy;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement, TransactionTrait as _};

use crate::client::Connection;
use crate::generator::Store;
use crate::shared::processor_time;
use crate::{host, process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_latchkey");
pub(crate) const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
const READY_WITHIN: Duration = Duration::from_secs(60);
const WARM_WITHIN: Duration = Duration::from_secs(1_200);
/// What the server writes when it has read all keys.
const WARM: &str = "every enabled API key is in memory";
const NO_LIMIT: i32 = 1_000_000_000;

/// A client id and its secret.
pub(crate) type Client = (String, String);

/// The directory of the store, in which so many keys, chosen as if by chance, have secrets that are known here; they can be
/// exchanged as often as one likes.
pub(crate) async fn with_secrets(store: &Store, count: u32) -> anyhow::Result<(PathBuf, Vec<Client>)> {
    let config = Config::from_toml(&store.settings)?;
    let DatabaseUrl::Sqlite(file) = &config.database else { bail!("a store in a file") };
    let db = Database::connect(format!("sqlite://{}", file.display())).await?;
    // The client ids of these stores are scattered over the keys.
    let some = format!("SELECT client_id FROM api_keys ORDER BY substr(client_id, 9, 8) LIMIT {count}");
    let some = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, some)).await?;
    let (clock, entropy) = (SystemClock::shared(), SystemEntropy::shared());
    let (app, writer) =
        App::open(&config, "http://127.0.0.1".to_owned(), clock, Arc::clone(&entropy)).await?;
    let (mut clients, mut statements) = (Vec::new(), Vec::new());
    for row in some {
        let client_id: String = row.try_get_by_index(0)?;
        let secret = ClientSecret::generate(&*entropy);
        let hash = app.keys.secrets.hash(&client_id, &secret).context("a data key")?.0;
        let key = format!("(SELECT id FROM api_keys WHERE client_id = '{client_id}')");
        statements.push(format!("UPDATE key_secrets SET hash = '{hash}' WHERE key_id = {key}"));
        statements.push(format!(
            "UPDATE api_keys SET state = 'ENABLED', deleted_at = NULL, inherits_owner = TRUE, read_only = FALSE,
             expires_at = NULL WHERE client_id = '{client_id}'"
        ));
        let owner = format!("(SELECT owner_id FROM api_keys WHERE client_id = '{client_id}')");
        statements.push(format!("UPDATE accounts SET active = TRUE WHERE id = {owner}"));
        clients.push((client_id, secret.reveal()));
    }
    drop(app);
    writer.finish().await;
    statements.push(format!(
        "UPDATE settings SET default_token_limit_requests = {NO_LIMIT}, default_token_limit_seconds = 1"
    ));
    let tx = db.begin().await?;
    for statement in statements {
        tx.execute_unprepared(&statement).await?;
    }
    tx.commit().await?;
    db.execute_unprepared("PRAGMA wal_checkpoint (TRUNCATE)").await?;
    db.close().await?;
    let data = file.parent().context("a directory")?.to_owned();
    Ok((data, clients))
}

pub(crate) struct Subject {
    server: process::Server,
    begun: Instant,
    output: PathBuf,
    pub(crate) address: SocketAddr,
    /// One for each key.
    pub(crate) requests: Vec<Arc<[u8]>>,
    /// Until the first of them was answered.
    pub(crate) first_token: Duration,
}

impl Subject {
    /// Starts the server, and has it answer one request.
    pub(crate) async fn start(data: &Path, clients: &[Client], pinned: bool) -> anyhow::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let output = data.join("output");
        let log = File::create(&output)?;
        let mut command = process::server_command(OsStr::new(PROGRAM), pinned);
        for name in host::inherited_settings() {
            command.env_remove(name);
        }
        command
            .current_dir(data)
            .env("LATCHKEY_LISTEN", address.to_string())
            .env("LATCHKEY_DATA_DIR", data)
            .env("LATCHKEY_LOG", "warn,latchkey::app::registry=info")
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let begun = host::now();
        let server = process::Server(command.spawn()?);
        let request = |(id, secret): &Client| process::token_request(address, id, secret);
        let requests = clients.iter().map(request).collect();
        let first_token = Duration::ZERO;
        let mut subject = Self { server, begun, output, address, requests, first_token };
        subject.first_token = subject.first_answer().await?;
        Ok(subject)
    }

    async fn first_answer(&mut self) -> anyhow::Result<Duration> {
        let mut connection = loop {
            if let Ok(connection) = Connection::open(self.address).await {
                break connection;
            }
            if let Some(status) = self.server.ended()? {
                bail!("the server ended at its start: {status}; {}", std::fs::read_to_string(&self.output)?);
            }
            ensure!(self.begun.elapsed() < READY_WITHIN, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        if let Some(request) = self.requests.first() {
            connection.exchange(request).await?;
        }
        Ok(self.begun.elapsed())
    }

    /// Waits until all keys are in the server's memory; how long after its start that was.
    pub(crate) async fn warmed(&self) -> anyhow::Result<Duration> {
        while !std::fs::read_to_string(&self.output)?.contains(WARM) {
            ensure!(self.begun.elapsed() < WARM_WITHIN, "the keys are not in memory yet");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(self.begun.elapsed())
    }

    /// The resident memory of the process, in millions of bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0 / 1e6)
    }

    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.server.0.id())
    }
}
