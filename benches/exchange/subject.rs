//! The subject: the real server as people run it, with a key whose exchanges are not limited. Only the token limit differs from the defaults.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::host;
use crate::process::{Server, Target, server_command, token_request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_latchkey");
/// On the disk of the build rather than in the system's temporary directory, which may be memory and make commits free.
const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
const READY_WITHIN: Duration = Duration::from_secs(20);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const NO_LIMIT: i64 = 1_000_000_000;

/// How every command of one installation is started.
struct Installation {
    directory: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    client_id: String,
    client_secret: String,
}

/// Starts a fresh installation: on its own file, or on the given database.
pub(crate) async fn start(
    name: &'static str,
    pinned: bool,
    database: Option<&str>,
) -> anyhow::Result<Target> {
    let address = free_address()?;
    let installation = Installation::new(address, database)?;
    let output = installation.directory.path().join("output");
    let log = File::create(&output)?;
    let mut command = server_command(OsStr::new(PROGRAM), pinned);
    installation.set(&mut command);
    let child = command.arg("serve").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let mut server = Server(child);
    let prepared = prepare(&mut server, address, &installation).await;
    let key = prepared.with_context(|| format!("{name}; the server wrote:\n{}", end_of(&output)))?;
    let request = token_request(address, &key.client_id, &key.client_secret);
    Ok(Target { name, server, address, request, _directory: Some(installation.directory) })
}

async fn prepare(
    server: &mut Server,
    address: SocketAddr,
    installation: &Installation,
) -> anyhow::Result<Key> {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
    await_ready(&client, server, address).await?;
    let key = installation.create_key("measured", "member")?;
    let administrator = installation.create_key("administrator", "admin")?;
    lift_limit(&client, address, &administrator, &key).await?;
    Ok(key)
}

async fn await_ready(
    client: &reqwest::Client,
    server: &mut Server,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let deadline = host::now() + READY_WITHIN;
    loop {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if let Some(status) = server.ended()? {
            bail!("the server ended at its start: {status}");
        }
        ensure!(host::now() < deadline, "the server was not ready within {} s", READY_WITHIN.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Takes the token limit out of the way, as an administrator would.
async fn lift_limit(
    client: &reqwest::Client,
    address: SocketAddr,
    administrator: &Key,
    key: &Key,
) -> anyhow::Result<()> {
    const MUTATION: &str = "mutation ($input: UpdateApiKeyInput!) {
        updateApiKey(input: $input) { apiKey { tokenRateLimit { requests perSeconds } } userErrors { code message } }
    }";
    let credentials = json!({
        "grant_type": "client_credentials",
        "client_id": administrator.client_id,
        "client_secret": administrator.client_secret,
    });
    let answer = client.post(format!("http://{address}/oauth/token")).json(&credentials).send().await?;
    ensure!(answer.status().is_success(), "the administrator's exchange: {}", answer.status());
    let answer: Value = answer.json().await?;
    let token = answer.get("access_token").and_then(Value::as_str).context("no access_token")?;

    let quota = json!({ "requests": NO_LIMIT, "perSeconds": 1 });
    let call =
        json!({ "query": MUTATION, "variables": { "input": { "id": key.id, "tokenRateLimit": quota } } });
    let answer =
        client.post(format!("http://{address}/graphql")).bearer_auth(token).json(&call).send().await?;
    let answer: Value = answer.json().await?;
    let set = answer.pointer("/data/updateApiKey/apiKey/tokenRateLimit");
    ensure!(set == Some(&quota), "updateApiKey did not set the limit: {answer}");
    Ok(())
}

impl Installation {
    fn new(address: SocketAddr, database: Option<&str>) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("exchange-").tempdir_in(DIRECTORY)?;
        let data = directory.path().join("data").to_str().context("a target directory in UTF-8")?.to_owned();
        let mut settings = vec![
            ("LATCHKEY_LISTEN", address.to_string()),
            ("LATCHKEY_DATA_DIR", data),
            ("LATCHKEY_LOG", "warn".to_owned()),
        ];
        if let Some(database) = database {
            let mut master_key = [0; 32];
            aws_lc_rs::rand::fill(&mut master_key)?;
            settings.push(("LATCHKEY_DATABASE_URL", database.to_owned()));
            settings.push(("LATCHKEY_MASTER_KEY", BASE64_STANDARD.encode(master_key)));
        }
        Ok(Self { directory, settings })
    }

    /// Away from any settings of the person who runs this, in the environment and in the working directory.
    fn set(&self, command: &mut Command) {
        for name in host::inherited_settings() {
            command.env_remove(name);
        }
        command
            .current_dir(self.directory.path())
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
    }

    fn create_key(&self, name: &str, role: &str) -> anyhow::Result<Key> {
        let mut command = Command::new(PROGRAM);
        self.set(&mut command);
        let output = command.args(["keys", "create", "--name", name, "--role", role, "--json"]).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "keys create --role {role}: {}\n{errors}", output.status);
        serde_json::from_slice(&output.stdout).context("keys create --json")
    }
}

/// A port that was free a moment ago; the server must know its address before it starts, to name itself as the issuer.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn end_of(path: &Path) -> String {
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = written.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}
