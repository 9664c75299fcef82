//! The server as people run it: a child process with a database of its own, killed by its id.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load::{Client, exchange, get};

const PROGRAM: &str = env!("CARGO_BIN_EXE_latchkey");
/// On the disk of the build: the system's temporary directory may be memory, where nothing has to be durable.
const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
const READY_WITHIN: Duration = Duration::from_secs(30);
/// It protects nothing.
const MASTER_KEY: &str = "bm90IGEgc2VjcmV0OiB0aGUgbWFzdGVyIGtleSBvZiA=";

const UPDATE: &str = "mutation ($input: UpdateApiKeyInput!) { change: updateApiKey(input: $input) {
    apiKey { id } userErrors { code message } } }";
pub const CREATE: &str = "mutation ($input: CreateApiKeyInput!) { change: createApiKey(input: $input) {
    apiKey { id clientId } clientSecret userErrors { code message } } }";

/// A key with its secret.
#[derive(Clone, Deserialize)]
pub struct Key {
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
}

/// Where a server keeps its data, and how it is started.
pub struct Installation {
    directory: TempDir,
    settings: Vec<(String, String)>,
    pub address: SocketAddr,
    database: Option<String>,
}

/// A server that runs.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    output: PathBuf,
}

/// The limit of a key that must not be in the way.
pub fn no_limit() -> Value {
    json!({ "requests": 1_000_000_000, "perSeconds": 1 })
}

impl Installation {
    /// On an SQLite file, or on this PostgreSQL database.
    pub fn new(database: Option<&str>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("torture-").tempdir_in(DIRECTORY)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let data = directory.path().join("data");
        let mut settings = vec![
            ("LATCHKEY_LISTEN".to_owned(), address.to_string()),
            ("LATCHKEY_DATA_DIR".to_owned(), data.display().to_string()),
            ("LATCHKEY_PUBLIC_URL".to_owned(), "https://keys.example.com".to_owned()),
            ("LATCHKEY_LOG".to_owned(), "warn".to_owned()),
        ];
        if let Some(database) = database {
            settings.push(("LATCHKEY_DATABASE_URL".to_owned(), database.to_owned()));
            settings.push(("LATCHKEY_MASTER_KEY".to_owned(), MASTER_KEY.to_owned()));
        }
        Ok(Self { directory, settings, address, database: database.map(str::to_owned) })
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(other, _)| other != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Another node on the same database.
    pub fn neighbour(&self) -> anyhow::Result<Self> {
        Self::new(Some(self.database.as_deref().context("a database for several nodes")?))
    }

    /// Where the log can be read.
    pub fn database_url(&self) -> String {
        let data = self.settings.iter().find(|(name, _)| name == "LATCHKEY_DATA_DIR");
        let data = data.map(|(_, directory)| directory.as_str()).unwrap_or_default();
        self.database.clone().unwrap_or_else(|| format!("sqlite://{data}/latchkey.db?mode=ro"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        let settings = self.settings.iter().map(|(name, value)| (name, value));
        command.args(arguments).current_dir(self.path()).env_clear().envs(settings);
        command
    }

    /// A key of the built-in service account.
    pub fn create_key(&self, name: &str, role: &str) -> anyhow::Result<Key> {
        let output = self.command(&["keys", "create", "--name", name, "--role", role, "--json"]).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "keys create: {}\n{errors}", output.status);
        serde_json::from_slice(&output.stdout).context("keys create --json")
    }

    /// Starts it, and waits until it can serve.
    pub async fn start(&self) -> anyhow::Result<Server> {
        let output = self.path().join(format!("output-{}", self.address.port()));
        let log = File::options().append(true).create(true).open(&output)?;
        let mut command = self.command(&["serve"]);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut server = Server { child, address: self.address, output };
        server.ready().await?;
        Ok(server)
    }

    /// A server with an administrator without limits: its token.
    pub async fn administrator(&self, server: &Server) -> anyhow::Result<String> {
        let key = self.create_key("boss", "admin")?;
        let mut client = Client::new(server.address);
        let (token, _) = client.ask(&exchange(&key)).await?.token().context("the administrator's token")?;
        let limits = json!({ "id": key.id, "tokenRateLimit": no_limit(), "callRateLimit": no_limit(),
            "tokenLifetimeSeconds": 3600 });
        client.change(&token, UPDATE, &limits).await?;
        let answer = client.ask(&exchange(&key)).await?;
        Ok(answer.token().context("the administrator's second token")?.0)
    }
}

/// Makes a key without limits: for this owner, or for whoever the token is.
pub async fn make_key(client: &mut Client, token: &str, mut input: Value) -> anyhow::Result<Key> {
    input["tokenRateLimit"] = no_limit();
    input["callRateLimit"] = no_limit();
    let made = client.change(token, CREATE, &input).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a key and its secret");
    Ok(Key {
        id: text(&made["apiKey"]["id"])?,
        client_id: text(&made["apiKey"]["clientId"])?,
        client_secret: text(&made["clientSecret"])?,
    })
}

/// A key of the administrator's to exchange.
pub async fn client_key(server: &Server, token: &str) -> anyhow::Result<Key> {
    let input = json!({ "name": "client", "scopes": ["keys:read"] });
    make_key(&mut Client::new(server.address), token, input).await
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it gracefully.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &id]).status()?.success(), "kill -TERM");
        let status = self.end_within(Duration::from_secs(30)).await?;
        ensure!(status.success(), "the server ended with {status}\n{}", self.said());
        Ok(())
    }

    /// Waits for its end.
    pub async fn end_within(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the server did not end within {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it said last.
    pub fn said(&self) -> String {
        let written = std::fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = written.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Its memory (resident, in KiB), now.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut client = Client::new(self.address);
        loop {
            if client.ask(&get("/readyz", None)).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                bail!("the server ended at its start: {status}\n{}", self.said());
            }
            ensure!(Instant::now() < deadline, "the server is not ready\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
