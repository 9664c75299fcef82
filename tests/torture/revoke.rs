//! G-15, G-16: something is revoked while 32 clients exchange. After the revoke there is no token in the log, nor is one given
//! out; tokens given out before are refused, at once by the node that was asked and within two seconds by the other.
//!
//! Each round takes a key away (disables it), or a scope from a role, or deactivates an owner, looks, and gives it back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::ledger::Log;
use crate::load::{Client, claims, exchange, get};
use crate::server::{Installation, Key, Server, make_key};
use crate::{Report, Scale};

const ROUNDS: usize = 5_000;
const SUBJECTS: usize = 8;
const EXCHANGERS: usize = 32;
/// The scope that the role loses; the other one keeps its keys alive.
const LOST: &str = "keys:read";
const KEPT: &str = "roles:read";
const NEIGHBOUR_WITHIN: Duration = Duration::from_secs(2);
/// Of so many rounds, one waits for the neighbour before it gives back what it took.
const SAMPLE: usize = 50;

const MUTATIONS: [(&str, &str); 5] = [
    ("disableApiKeys", "ApiKeySelectionInput"),
    ("enableApiKeys", "ApiKeySelectionInput"),
    ("updateRole", "UpdateRoleInput"),
    ("deactivateUser", "UserIdInput"),
    ("reactivateUser", "UserIdInput"),
];

/// What is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Key,
    Role,
    Owner,
}

/// Something that can be taken away, and a key that lives by it.
struct Subject {
    what: What,
    /// Of the key, the role or the owner.
    id: String,
    key: Key,
    request: Arc<[u8]>,
    /// Rises with each revoke's answer, and with each giving back's request.
    phase: AtomicU64,
    /// The last token that was given out.
    last: Mutex<Option<String>>,
}

#[derive(Default)]
struct Found {
    over: AtomicBool,
    tokens: AtomicUsize,
    /// Tokens for requests made after a revoke was answered.
    late: AtomicUsize,
    /// Old tokens that were accepted by the node that was told.
    accepted: AtomicUsize,
    /// The same by the other node, two seconds later.
    accepted_late: AtomicUsize,
    other: Mutex<Option<String>>,
}

impl Found {
    fn wrong(&self, what: String) {
        self.other.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }
}

pub async fn sqlite(what: What, scale: Scale) -> anyhow::Result<Report> {
    let installation = Installation::new(None)?;
    let nodes = vec![installation.start().await?];
    race(&installation, nodes, what, scale.of(ROUNDS, 20)).await
}

pub async fn two_nodes(what: What, scale: Scale) -> anyhow::Result<Report> {
    let cluster = Cluster::start()?;
    let installation = Installation::new(Some(&cluster.database().await?))?;
    let neighbour = installation.neighbour()?;
    let nodes = vec![installation.start().await?, neighbour.start().await?];
    race(&installation, nodes, what, scale.of(2 * ROUNDS, 20)).await
}

async fn race(
    installation: &Installation,
    nodes: Vec<Server>,
    what: What,
    rounds: usize,
) -> anyhow::Result<Report> {
    let boss = installation.create_key("boss of the race", "admin")?;
    let token = installation.administrator(&nodes[0]).await?;
    let mut client = Client::new(nodes[0].address);
    let mut subjects = Vec::new();
    for n in 0..SUBJECTS {
        subjects.push(Arc::new(subject(&mut client, &token, what, n).await?));
    }
    drop(boss);
    let found = Arc::new(Found::default());
    let mut clients = JoinSet::new();
    for n in 0..EXCHANGERS {
        let (subject, found) = (Arc::clone(&subjects[n % SUBJECTS]), Arc::clone(&found));
        clients.spawn(ask(Client::new(nodes[n / SUBJECTS % nodes.len()].address), subject, found));
    }
    let mut revokers = JoinSet::new();
    let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.address).collect();
    for n in 0..nodes.len() {
        // Each node's revoker has subjects of its own.
        let own = subjects.iter().skip(n).step_by(nodes.len()).map(Arc::clone).collect();
        let mut addresses = addresses.clone();
        addresses.rotate_left(n);
        revokers.spawn(revoke(addresses, own, token.clone(), rounds / nodes.len(), Arc::clone(&found)));
    }
    for result in revokers.join_all().await {
        result?;
    }
    found.over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    let two = nodes.len() > 1;
    for node in nodes {
        node.stop().await?;
    }
    let log = Log::open(&installation.database_url()).await?;
    let by_id = after_revoke(&log, what, "id").await?;
    let by_commit = if two { Some(after_revoke(&log, what, "commit").await?) } else { None };
    log.close().await?;
    Ok(report(&found, rounds, by_id, by_commit))
}

fn report(found: &Found, rounds: usize, by_id: usize, by_commit: Option<usize>) -> Report {
    let read = |number: &AtomicUsize| number.load(Ordering::SeqCst);
    let (late, accepted, accepted_late) =
        (read(&found.late), read(&found.accepted), read(&found.accepted_late));
    let other = found.other.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let after = by_commit.unwrap_or(by_id);
    let figure = format!(
        "{} tokens; after the revoke: {after} in the log{}, {late} asked for; old ones accepted: {accepted} at once{}{}",
        read(&found.tokens),
        by_commit.map(|_| format!(" by commit ({by_id} by id)")).unwrap_or_default(),
        by_commit.map(|_| format!(", {accepted_late} by the other node after 2 s")).unwrap_or_default(),
        other.as_ref().map(|other| format!("; wrong: {other}")).unwrap_or_default(),
    );
    let violations = after + late + accepted + accepted_late + usize::from(other.is_some());
    Report { iterations: rounds, violations, figure }
}

async fn subject(client: &mut Client, token: &str, what: What, n: usize) -> anyhow::Result<Subject> {
    let id = |object: &Value| object["id"].as_str().map(str::to_owned).context("an id");
    let role = "mutation ($input: CreateRoleInput!) { change: createRole(input: $input) {
        role { id } userErrors { code message } } }";
    let user = "mutation ($input: CreateUserInput!) { change: createUser(input: $input) {
        user { id } userErrors { code message } } }";
    let mut subject = String::new();
    let mut key = json!({ "name": format!("key {n}"), "scopes": [LOST, KEPT] });
    match what {
        What::Key => {}
        What::Role => {
            let made = json!({ "name": format!("role {n}"), "scopes": [LOST, KEPT] });
            subject = id(&client.change(token, role, &made).await?["role"])?;
            key = json!({ "name": format!("key {n}"), "roleIds": [subject] });
        }
        What::Owner => {
            let made = json!({ "email": format!("owner{n}@example.com"), "displayName": "Owner" });
            subject = id(&client.change(token, user, &made).await?["user"])?;
            key["ownerId"] = json!(subject);
            key["scopes"] = json!([LOST]);
        }
    }
    let key = make_key(client, token, key).await?;
    if what == What::Key {
        subject.clone_from(&key.id);
    }
    let request = exchange(&key);
    Ok(Subject { what, id: subject, key, request, phase: AtomicU64::new(0), last: Mutex::default() })
}

impl Subject {
    /// Takes it away, or gives it back.
    async fn turn(&self, client: &mut Client, token: &str, away: bool) -> anyhow::Result<()> {
        let keys = json!({ "selection": { "ids": [self.key.id] } });
        let role = |scopes: &[&str]| json!({ "id": self.id, "scopes": scopes });
        let (name, input) = match (self.what, away) {
            (What::Key, true) => ("disableApiKeys", keys),
            (What::Key, false) => ("enableApiKeys", keys),
            (What::Role, true) => ("updateRole", role(&[KEPT])),
            (What::Role, false) => ("updateRole", role(&[LOST, KEPT])),
            (What::Owner, true) => ("deactivateUser", json!({ "id": self.id })),
            (What::Owner, false) => ("reactivateUser", json!({ "id": self.id })),
        };
        let kind =
            MUTATIONS.iter().find(|(mutation, _)| *mutation == name).map(|(_, kind)| kind).context(name)?;
        let mutation = format!(
            "mutation ($input: {kind}!) {{ change: {name}(input: $input) {{ userErrors {{ code message }} }} }}"
        );
        client.change(token, &mutation, &input).await.map(drop)
    }

    /// Whether this token still gives what was taken away.
    async fn gives(&self, client: &mut Client, token: &str) -> anyhow::Result<bool> {
        let answer = client.ask(&get("/whoami", Some(token))).await?;
        Ok(answer.status == 200
            && (self.what != What::Role || String::from_utf8_lossy(&answer.body).contains(LOST)))
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges until it is over. The phase is odd while the subject is taken away for sure.
async fn ask(mut client: Client, subject: Arc<Subject>, found: Arc<Found>) {
    while !found.over.load(Ordering::SeqCst) {
        let phase = subject.phase.load(Ordering::SeqCst);
        let answer = match client.ask(&subject.request).await {
            Ok(answer) => answer,
            Err(error) => {
                found.wrong(format!("{error:#}"));
                continue;
            }
        };
        let Some((token, _)) = answer.token() else {
            if !answer.is_busy() && !matches!(answer.status, 400 | 401) {
                found.wrong(answer.shown());
            }
            continue;
        };
        found.tokens.fetch_add(1, Ordering::SeqCst);
        let scope = claims(&token).map(|claims| claims["scope"].to_string()).unwrap_or_default();
        if scope.contains(LOST) {
            // Asked for when it was gone, and answered before it came back.
            if phase % 2 == 1 && subject.phase.load(Ordering::SeqCst) == phase {
                found.late.fetch_add(1, Ordering::SeqCst);
            }
            *subject.last() = Some(token);
        }
    }
}

/// Takes away and gives back by the first of these nodes, so often.
async fn revoke(
    nodes: Vec<SocketAddr>,
    subjects: Vec<Arc<Subject>>,
    token: String,
    rounds: usize,
    found: Arc<Found>,
) -> anyhow::Result<()> {
    let mut clients: Vec<Client> = nodes.into_iter().map(Client::new).collect();
    for round in 0..rounds {
        let subject = &subjects[round % subjects.len()];
        let old = wait_for_token(subject).await.context("nobody gets a token")?;
        subject.turn(&mut clients[0], &token, true).await?;
        let revoked = Instant::now();
        subject.phase.fetch_add(1, Ordering::SeqCst);
        if subject.gives(&mut clients[0], &old).await? {
            found.accepted.fetch_add(1, Ordering::SeqCst);
        }
        if clients.len() > 1 && round % SAMPLE == 0 {
            tokio::time::sleep_until((revoked + NEIGHBOUR_WITHIN).into()).await;
            if subject.gives(&mut clients[1], &old).await? {
                found.accepted_late.fetch_add(1, Ordering::SeqCst);
            }
        }
        *subject.last() = None;
        subject.phase.fetch_add(1, Ordering::SeqCst);
        subject.turn(&mut clients[0], &token, false).await?;
    }
    Ok(())
}

async fn wait_for_token(subject: &Subject) -> Option<String> {
    for _ in 0..5_000 {
        if let Some(token) = subject.last().clone() {
            return Some(token);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

/// How many tokens stand in the log, in this order, between a revoke and what gave it back.
async fn after_revoke(log: &Log, what: What, order: &str) -> anyhow::Result<usize> {
    // The order of ids is that of the log; that of commits is PostgreSQL's own.
    let order = if order == "id" { "id" } else { "pg_xact_commit_timestamp(xmin), id" };
    let sql = format!(
        "SELECT kind, key_id, owner_id, target_id, detail FROM activity
         WHERE kind IN (103, 104, 123, 124, 152, 201) ORDER BY {order}"
    );
    let rows = log.rows(&sql).await?;
    let roles = if what == What::Role { roles_of_keys(log).await? } else { HashMap::new() };
    let (mut gone, mut after) = (HashMap::<uuid::Uuid, bool>::new(), 0);
    for row in rows {
        let kind: i16 = row.try_get("", "kind")?;
        let uuid = |column| row.try_get::<Option<uuid::Uuid>>("", column);
        let detail: Option<String> = row.try_get("", "detail")?;
        let detail = detail.unwrap_or_default();
        match (what, kind) {
            (What::Key, 103 | 104) => {
                gone.insert(uuid("key_id")?.context("a key")?, kind == 104);
            }
            (What::Owner, 123 | 124) => {
                gone.insert(uuid("target_id")?.context("a user")?, kind == 123);
            }
            (What::Role, 152) => {
                let detail: Value = serde_json::from_str(&detail)?;
                let holds = detail["after"]["scopes"].to_string().contains(LOST);
                gone.insert(uuid("target_id")?.context("a role")?, !holds);
            }
            (_, 201) if detail.contains(LOST) => {
                let subject = match what {
                    What::Key => uuid("key_id")?,
                    What::Owner => uuid("owner_id")?,
                    What::Role => uuid("key_id")?.and_then(|key| roles.get(&key).copied()),
                };
                after += usize::from(subject.is_some_and(|subject| gone.get(&subject) == Some(&true)));
            }
            _ => {}
        }
    }
    Ok(after)
}

async fn roles_of_keys(log: &Log) -> anyhow::Result<HashMap<uuid::Uuid, uuid::Uuid>> {
    let rows = log.rows("SELECT key_id, role_id FROM key_roles").await?;
    let pair = |row: &sea_orm::QueryResult| Ok((row.try_get("", "key_id")?, row.try_get("", "role_id")?));
    rows.iter().map(pair).collect()
}
