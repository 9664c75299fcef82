//! The subject: the real server as people run it, with keys whose exchanges are not limited. Only the limits differ from the
//! defaults.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
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
    keys: usize,
) -> anyhow::Result<Target> {
    let address = free_address()?;
    let installation = Installation::new(address, database)?;
    let output = installation.directory.path().join("output");
    let log = File::create(&output)?;
    let mut command = server_command(OsStr::new(PROGRAM), pinned);
    installation.set(&mut command);
    let child = command.arg("serve").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let mut server = Server(child);
    let prepared = prepare(&mut server, address, (&installation, keys)).await;
    let requests = prepared.with_context(|| format!("{name}; the server wrote:\n{}", end_of(&output)))?;
    Ok(Target { name, server, address, requests, _directory: Some(installation.directory) })
}

async fn prepare(
    server: &mut Server,
    address: SocketAddr,
    (installation, keys): (&Installation, usize),
) -> anyhow::Result<Vec<Arc<[u8]>>> {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
    await_ready(&client, server, address).await?;
    let administrator = installation.create_key("administrator", "admin")?;
    create_keys(&client, address, &administrator, keys).await
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

/// Makes keys whose exchanges are not limited, as an administrator would, who must not be limited either.
async fn create_keys(
    client: &reqwest::Client,
    address: SocketAddr,
    administrator: &Key,
    count: usize,
) -> anyhow::Result<Vec<Arc<[u8]>>> {
    const LIFT: &str = "mutation ($input: UpdateApiKeyInput!) {
        updateApiKey(input: $input) { apiKey { id } userErrors { code message } }
    }";
    const ROLE: &str = "{ roles(filter: { search: \"member\" }) { nodes { id name } } }";
    const CREATE: &str = "mutation ($input: CreateApiKeyInput!) {
        createApiKey(input: $input) { apiKey { clientId } clientSecret userErrors { code message } }
    }";
    let quota = json!({ "requests": NO_LIMIT, "perSeconds": 1 });
    let api = Api { client, address, token: exchange(client, address, administrator).await? };
    let input = json!({ "id": administrator.id, "callRateLimit": quota });
    let lifted = api.call(LIFT, &json!({ "input": input })).await?;
    ensure!(lifted.pointer("/data/updateApiKey/apiKey/id").is_some(), "updateApiKey: {lifted}");
    let roles = api.call(ROLE, &json!({})).await?;
    let role = roles.pointer("/data/roles/nodes/0/id").context("the role member")?;

    let mut requests = Vec::new();
    for number in 0..count {
        let input =
            json!({ "name": format!("measured {number}"), "roleIds": [role], "tokenRateLimit": quota });
        let created = api.call(CREATE, &json!({ "input": input })).await?;
        let text = |path| created.pointer(path).and_then(Value::as_str).context("createApiKey refused");
        let client_id = text("/data/createApiKey/apiKey/clientId")?;
        requests.push(token_request(address, client_id, text("/data/createApiKey/clientSecret")?));
    }
    Ok(requests)
}

/// A token of the key.
async fn exchange(client: &reqwest::Client, address: SocketAddr, key: &Key) -> anyhow::Result<String> {
    let credentials = json!({
        "grant_type": "client_credentials",
        "client_id": key.client_id,
        "client_secret": key.client_secret,
    });
    let answer = client.post(format!("http://{address}/oauth/token")).json(&credentials).send().await?;
    ensure!(answer.status().is_success(), "the administrator's exchange: {}", answer.status());
    let answer: Value = answer.json().await?;
    let token = answer.get("access_token").and_then(Value::as_str).context("no access_token")?;
    Ok(token.to_owned())
}

struct Api<'a> {
    client: &'a reqwest::Client,
    address: SocketAddr,
    token: String,
}

impl Api<'_> {
    async fn call(&self, query: &str, variables: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(format!("http://{}/graphql", self.address)).bearer_auth(&self.token);
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await?;
        Ok(answer.json().await?)
    }
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
