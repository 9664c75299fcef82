//! Logged before answered: what a client was told is in the log, whenever the server is killed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchkey::entropy::{SeededEntropy, bytes};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::command::{Command, Process, latchkey, make_key};
use crate::harness::keys::{CREATE, UPDATE};
use crate::harness::{Answer, Caller, Key, Place};

const ROUNDS: usize = 20;
const EXCHANGING: usize = 16;
const CHANGING: usize = 2;
const TOKENS: usize = 0;
const CHANGES: usize = 1;

/// A change as its answer tells of it: the key with its version then, and the request that made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Change {
    kind: String,
    key: String,
    version: i64,
    request: String,
}

/// What clients were told.
#[derive(Default)]
struct Ledger {
    tokens: Vec<String>,
    changes: Vec<Change>,
}

/// One life of the server.
struct Round {
    url: String,
    number: usize,
    server: Mutex<Process>,
    killed: AtomicBool,
    /// How many tokens and changes were answered.
    answers: [AtomicUsize; 2],
    /// So many tokens, and as many changes as are made at once.
    kill_after: usize,
    ledger: Arc<Mutex<Ledger>>,
}

impl Round {
    /// Writes an answer down, and kills the server if it is the last one of the round.
    fn told(&self, what: usize, write: impl FnOnce(&mut Ledger)) {
        write(&mut self.ledger.lock().unwrap());
        self.answers[what].fetch_add(1, Ordering::SeqCst);
        let [tokens, changes] = [TOKENS, CHANGES].map(|what| self.answers[what].load(Ordering::SeqCst));
        let is_over = tokens >= self.kill_after && changes >= CHANGING;
        if is_over && !self.killed.swap(true, Ordering::SeqCst) {
            self.server.lock().unwrap().kill();
        }
    }

    /// An answer, unless the server is gone or (as it may be, busy as it is) sends the client away.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        loop {
            let response = request.try_clone().unwrap().send().await.ok()?;
            let (status, headers) = (response.status(), response.headers().clone());
            let answer = Answer { status, headers, text: response.text().await.ok()? };
            match status.as_u16() {
                200 => return Some(answer),
                503 => {}
                _ => {
                    assert!(self.killed.load(Ordering::SeqCst), "{status}: {}", answer.text);
                    return None;
                }
            }
        }
    }
}

/// Exchanges a key for tokens until the server is gone.
async fn exchange(round: Arc<Round>, key: Key) {
    let client = Caller::guest_of(&round.url);
    let body = json!({ "client_id": key.client_id, "client_secret": key.secret });
    while let Some(answer) = round.answer(client.post("/api/v2/authenticate").json(&body)).await {
        let token = answer.json();
        let claims = token.as_str().unwrap().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        let jti = claims["jti"].as_str().unwrap().to_owned();
        round.told(TOKENS, |ledger| ledger.tokens.push(jti));
    }
}

/// Makes keys and changes each of them twice, until the server is gone.
async fn change(round: Arc<Round>, token: String, task: usize) {
    let client = Caller::guest_of(&round.url);
    for turn in 0.. {
        let name = format!("{}.{task}.{turn}", round.number);
        let mut requests = vec![(CREATE, "KEY_CREATED", json!({ "name": name, "scopes": ["keys:read"] }))];
        while let Some((mutation, kind, input)) = requests.pop() {
            let body = json!({ "query": mutation, "variables": { "input": input } });
            let request = client.post("/graphql").bearer_auth(&token).json(&body);
            let Some(answer) = round.answer(request).await else { return };
            let Some(key) = changed(&answer, &round) else { return };
            let told = Change {
                kind: kind.to_owned(),
                key: key["id"].as_str().unwrap().to_owned(),
                version: key["version"].as_i64().unwrap(),
                request: answer.header("x-request-id").to_owned(),
            };
            if told.version < 3 {
                let input = json!({ "id": told.key, "description": format!("after {}", told.version) });
                requests.push((UPDATE, "KEY_UPDATED", input));
            }
            round.told(CHANGES, |ledger| ledger.changes.push(told));
        }
    }
}

/// The key of an answer that says it was changed. A server that cannot write in time says so, and not that it did.
fn changed(answer: &Answer, round: &Round) -> Option<Value> {
    let body = answer.json();
    let key = body["data"]["change"]["apiKey"].clone();
    let busy = body["errors"][0]["extensions"]["code"] == "UNAVAILABLE";
    assert!(key.is_object() || busy || round.killed.load(Ordering::SeqCst), "{body:#}");
    key.is_object().then_some(key)
}

/// A server whose tokens are good for the next one too.
fn server(place: &Place) -> Command {
    latchkey(place, &[]).set("LATCHKEY_PUBLIC_URL", "https://keys.example.com").set("LATCHKEY_LOG", "warn")
}

/// An administrator's caller without limits in the way, and a key to exchange.
async fn arrange(place: &Place) -> (Caller, Key) {
    let boss = make_key(place, "boss", "admin").await;
    let server = server(place).serve().await;
    let caller = server.guest().sign_in(&boss).await;
    let most = json!({ "requests": 10_000_000, "perSeconds": 1 });
    let lifted = json!({ "id": boss.id, "tokenRateLimit": most, "callRateLimit": most });
    assert_eq!(caller.mistakes(UPDATE, lifted).await, [""; 0]);
    let input = json!({ "name": "client", "scopes": ["keys:read"], "tokenRateLimit": most });
    let payload = caller.change(CREATE, input).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let key = Key {
        id: text(&payload["apiKey"]["id"]),
        client_id: text(&payload["apiKey"]["clientId"]),
        secret: text(&payload["clientSecret"]),
    };
    server.stop().await;
    (caller, key)
}

/// Lets the server live until so many answers were received, and gives the ledger what they said.
async fn live(round: Round, token: &str, key: &Key) {
    let round = Arc::new(round);
    let mut clients = JoinSet::new();
    for _ in 0..EXCHANGING {
        clients.spawn(exchange(Arc::clone(&round), key.clone()));
    }
    for task in 0..CHANGING {
        clients.spawn(change(Arc::clone(&round), token.to_owned(), task));
    }
    clients.join_all().await;
    assert!(round.killed.load(Ordering::SeqCst));
}

/// Every row of a list, page by page.
async fn all(caller: &Caller, list: &str, arguments: &str, fields: &str) -> Vec<Value> {
    let query = format!(
        "query ($after: String) {{ list: {list}(first: 100, after: $after, {arguments}) {{
            nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let (mut rows, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut page = caller.graphql_with(&query, json!({ "after": after })).await.data()["list"].take();
        rows.append(page["nodes"].as_array_mut().unwrap());
        if page["pageInfo"]["hasNextPage"] == false {
            return rows;
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_answered_before_a_kill_is_in_the_log() {
    let place = Place::new().await;
    let (caller, key) = arrange(&place).await;
    let token = caller.token.unwrap();
    let chance = SeededEntropy::shared(20);
    let ledger = Arc::<Mutex<Ledger>>::default();
    for number in 0..ROUNDS {
        let process = server(&place).serve().await;
        let round = Round {
            url: process.url.clone(),
            number,
            server: Mutex::new(process),
            killed: AtomicBool::new(false),
            answers: Default::default(),
            kill_after: 20 + usize::from(u16::from_le_bytes(bytes(&*chance))) % 181,
            ledger: Arc::clone(&ledger),
        };
        live(round, &token, &key).await;
    }
    let Ledger { tokens, changes } = std::mem::take(&mut *ledger.lock().unwrap());
    let told = format!("{ROUNDS} kills, {} tokens and {} changes answered", tokens.len(), changes.len());
    assert!(tokens.len() > 500 && changes.len() > ROUNDS, "too few to prove anything: {told}");

    let server = server(&place).serve().await;
    let mut caller = server.guest();
    caller.token = Some(token);
    compare_tokens(&caller, &tokens, &told).await;
    compare_changes(&caller, &changes, &told).await;
    server.stop().await;
}

async fn compare_tokens(caller: &Caller, tokens: &[String], told: &str) {
    let rows = all(caller, "activity", "filter: { kinds: [TOKEN_ISSUED] }", "tokenId").await;
    let logged: HashSet<&str> = rows.iter().map(|row| row["tokenId"].as_str().unwrap()).collect();
    assert_eq!(logged.len(), rows.len(), "tokens are in the log twice; {told}");
    let lost = tokens.iter().filter(|jti| !logged.contains(jti.as_str())).count();
    assert_eq!(lost, 0, "tokens are lost; {told}, {} tokens in the log", logged.len());
}

async fn compare_changes(caller: &Caller, changes: &[Change], told: &str) {
    let fields = "kind requestId target { id }";
    let rows = all(caller, "activity", "filter: { kinds: [KEY_CREATED, KEY_UPDATED] }", fields).await;
    // The versions of a key count its rows in the log, from the oldest.
    let (mut versions, mut logged) = (HashMap::<String, i64>::new(), HashSet::new());
    for row in rows.iter().rev() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = text(&row["target"]["id"]);
        let version = *versions.entry(key.clone()).and_modify(|version| *version += 1).or_insert(1);
        logged.insert(Change { kind: text(&row["kind"]), key, version, request: text(&row["requestId"]) });
    }
    let lost: Vec<_> = changes.iter().filter(|change| !logged.contains(change)).collect();
    assert_eq!(lost, [&changes[0]; 0], "changes are lost; {told}, {} changes in the log", logged.len());
    // Nothing was changed without a row, nor a row written without its change, answered or not.
    let keys = all(caller, "apiKeys", "orderBy: { field: NAME, direction: ASC }", "id version").await;
    let kept =
        keys.iter().map(|key| (key["id"].as_str().unwrap().to_owned(), key["version"].as_i64().unwrap()));
    assert_eq!(kept.collect::<HashMap<_, _>>(), versions, "keys and their changes differ; {told}");
}
