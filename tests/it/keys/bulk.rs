//! Changes of many keys at once: by a filter, in portions of a selection that does not change meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use entity::activity::{ActivityKind, Outcome};
use latchkey::actions::tokens::{ExchangeError, ExchangeRequest, exchange};
use latchkey::app::App;
use latchkey::app::context::Origin;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::keys::{Person, mistakes, selection};
use crate::harness::{Account, Caller, Grants, Key, Server};

const REGENERATE: &str =
    "mutation ($input: RegenerateSecretsInput!) { change: regenerateSecrets(input: $input) {
    issued { apiKey { id } clientSecret } remaining next userErrors { code field targetId } } }";
const DELETE: &str = "mutation ($input: ApiKeySelectionInput!) { change: deleteApiKeys(input: $input) {
    deletedIds remaining next userErrors { code field targetId } } }";
const DISABLE: &str = "mutation ($input: ApiKeySelectionInput!) { change: disableApiKeys(input: $input) {
    apiKeys { id } remaining next userErrors { code field targetId } } }";
const ENABLE: &str = "mutation ($input: ApiKeySelectionInput!) { change: enableApiKeys(input: $input) {
    apiKeys { id } remaining next userErrors { code field targetId } } }";

/// The input that selects all keys of an owner that have this status.
fn all_of(owner: &Account, status: &str, expected: usize) -> Value {
    let filter = json!({ "ownerIds": [owner.public_id], "status": [status] });
    json!({ "selection": { "matching": { "filter": filter, "expectedCount": expected } } })
}

/// The input that goes on where this payload has ended.
fn rest(payload: &Value) -> Value {
    json!({ "selection": { "continuation": payload["next"] } })
}

/// The ids of the keys that a payload says were changed.
fn done(payload: &Value) -> Vec<String> {
    let of = |list: &str| payload[list].as_array().cloned().unwrap_or_default();
    let id = |one: &Value| {
        let id = one.as_str().or(one["id"].as_str()).or(one["apiKey"]["id"].as_str());
        id.unwrap().to_owned()
    };
    ["issued", "apiKeys", "deletedIds"].into_iter().flat_map(of).map(|one| id(&one)).collect()
}

/// A server, its administrator, and somebody with so many keys.
async fn with_keys(count: usize) -> (Server, Person, Account, Vec<Key>) {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let first = server.key(&ada, "ci", Grants::Inherit).await;
    let copies = server.copies(&first, count - 1).await;
    let keys: Vec<Key> = [first].into_iter().chain(copies).collect();
    (server, boss, ada, keys)
}

/// Works through a selection to its end. Gives the payloads.
async fn all_portions(caller: &Caller, mutation: &str, first: Value) -> Vec<Value> {
    let mut payloads = vec![caller.change(mutation, first).await];
    while payloads[payloads.len() - 1]["next"].is_string() {
        let input = rest(&payloads[payloads.len() - 1]);
        payloads.push(caller.change(mutation, input).await);
    }
    payloads
}

/// How many keys each payload has changed, and how many it says remain.
fn portions(payloads: &[Value]) -> Vec<(usize, i64)> {
    payloads.iter().map(|payload| (done(payload).len(), payload["remaining"].as_i64().unwrap())).collect()
}

/// How many of these secrets work. Some are exchanged at once, so that the log is written in batches; and not over HTTP,
/// because there are thousands.
async fn working(server: &Server, keys: &[Key]) -> usize {
    let mut working = 0;
    for some in keys.chunks(100) {
        let mut all = JoinSet::new();
        for key in some.iter().cloned() {
            let app = Arc::clone(&server.app);
            all.spawn(async move { works(&app, key).await });
        }
        working += all.join_all().await.into_iter().filter(|works| *works).count();
    }
    working
}

async fn works(app: &App, Key { client_id, secret, .. }: Key) -> bool {
    let request =
        ExchangeRequest { client_id, client_secret: secret.into(), scope: None, resources: Vec::new() };
    match exchange(app, &Origin::default(), &request).await {
        Ok(_) => true,
        Err(ExchangeError::Refused(refusal)) => {
            let foreseen = [Outcome::BadSecret, Outcome::Deleted, Outcome::Disabled];
            assert!(foreseen.contains(&refusal.outcome), "{:?}", refusal.outcome);
            false
        }
        Err(ExchangeError::Failed(error)) => panic!("{error}"),
    }
}

/// Every so manieth of these.
fn every(step: usize, keys: &[Key]) -> Vec<Key> {
    keys.iter().step_by(step).cloned().collect()
}

/// How many rows of this kind the log has for each key.
async fn rows(server: &Server, kind: ActivityKind) -> HashMap<String, usize> {
    let mut rows = HashMap::new();
    for row in server.log().await.into_iter().filter(|row| row.kind == kind) {
        *rows.entry(row.key_id.unwrap().to_string()).or_default() += 1;
    }
    rows
}

/// Proves
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_secrets_for_all_that_match_and_still_match_afterwards_are_made_once_for_each() {
    let (server, boss, ada, keys) = with_keys(2_500).await;
    let payloads = all_portions(&boss.caller, REGENERATE, all_of(&ada, "ACTIVE", 2_500)).await;
    assert_eq!(portions(&payloads), [(1_000, 1_500), (1_000, 500), (500, 0)]);

    let mut secrets: HashMap<&str, &str> = HashMap::new();
    for payload in &payloads {
        assert_eq!(payload["userErrors"], json!([]));
        for issued in payload["issued"].as_array().unwrap() {
            let (id, secret) = (issued["apiKey"]["id"].as_str(), issued["clientSecret"].as_str());
            let before = secrets.insert(id.unwrap(), secret.unwrap());
            assert!(before.is_none(), "a key got two secrets");
        }
    }
    let different: HashSet<&str> = secrets.values().copied().collect();
    assert_eq!(different.len(), 2_500);
    let new = keys.iter().map(|key| Key { secret: secrets[&*key.id].to_owned(), ..key.clone() });
    assert_eq!(working(&server, &new.collect::<Vec<_>>()).await, 2_500);
    assert_eq!(working(&server, &every(50, &keys)).await, 0);
    let rows = rows(&server, ActivityKind::SecretRegenerated).await;
    assert!(keys.iter().all(|key| rows[&key.id] == 1) && rows.len() == 2_500);
    assert_eq!(server.secret_rows().await.len(), 2_501);
    server.stop().await;
}

/// Proves
#[tokio::test]
async fn deleting_all_that_match_deletes_what_matched_when_it_began() {
    let (server, boss, ada, keys) = with_keys(1_200).await;
    let first = boss.caller.change(DELETE, all_of(&ada, "ACTIVE", 1_200)).await;
    assert_eq!(portions(std::slice::from_ref(&first)), [(1_000, 200)]);
    // Keys that come to match meanwhile are not part of it, and one that matches no more still is.
    let late = server.key(&ada, "late", Grants::Inherit).await;
    let gone: HashSet<String> = done(&first).into_iter().collect();
    let left: Vec<&Key> = keys.iter().filter(|key| !gone.contains(&key.id)).collect();
    boss.caller.change(DISABLE, selection([&*left[0].id])).await;
    // One that is deleted meanwhile is named.
    boss.caller.change(DELETE, selection([&*left[1].id])).await;

    let last = boss.caller.change(DELETE, rest(&first)).await;
    assert_eq!(portions(std::slice::from_ref(&last)), [(199, 0)]);
    assert_eq!(mistakes(&last), [format!("NOT_FOUND input.selection {}", left[1].id)]);
    assert!(done(&last).contains(&left[0].id) && !done(&last).contains(&left[1].id));
    let rows = rows(&server, ActivityKind::KeyDeleted).await;
    assert!(keys.iter().all(|key| rows[&key.id] == 1) && rows.len() == 1_200);
    assert_eq!(working(&server, &[late]).await, 1);
    assert_eq!(working(&server, &every(25, &keys)).await, 0);
    server.stop().await;
}

/// Proves: X-25
#[tokio::test]
async fn another_number_of_keys_than_was_seen_changes_nothing() {
    let (server, boss, ada, keys) = with_keys(5).await;
    let robot = server.service_account("robot").await;
    let foreign = server.key(&robot, "foreign", Grants::Scopes(&["keys:read"])).await;
    let own = server.generous_key(&ada, "narrow", Grants::Scopes(&["keys:read", "keys:write"])).await;
    let narrow = server.sign_in(&own).await;
    let before = server.state().await;
    for (mutation, expected) in [(REGENERATE, 5), (REGENERATE, 7), (DELETE, 0), (DISABLE, 1_000), (ENABLE, 5)]
    {
        let payload = boss.caller.change(mutation, all_of(&ada, "ACTIVE", expected)).await;
        assert_eq!(mistakes(&payload), ["COUNT_CHANGED input.selection"]);
        assert_eq!(
            (done(&payload).len(), &payload["remaining"], &payload["next"]),
            (0, &json!(0), &Value::Null)
        );
    }
    for expected in [-1, i32::MIN] {
        let matching = json!({ "filter": {}, "expectedCount": expected });
        let payload = boss.caller.change(DELETE, json!({ "selection": { "matching": matching } })).await;
        assert_eq!(mistakes(&payload), ["INVALID input.selection"]);
    }
    // What the caller cannot change does not count: here the keys that inherit more than this one holds.
    let payload = narrow.change(DISABLE, all_of(&ada, "ACTIVE", 6)).await;
    assert_eq!(mistakes(&payload), ["COUNT_CHANGED input.selection"]);
    assert!(server.state().await == before, "something was changed");
    let payload = narrow.change(DISABLE, all_of(&ada, "ACTIVE", 1)).await;
    assert_eq!(done(&payload), [own.id]);

    let payload = boss.caller.change(DISABLE, all_of(&ada, "ACTIVE", 5)).await;
    assert_eq!((mistakes(&payload).len(), done(&payload).len()), (0, 5));
    let payload = boss.caller.change(DISABLE, all_of(&ada, "ACTIVE", 0)).await;
    assert_eq!((mistakes(&payload).len(), done(&payload).len()), (0, 0));
    assert_eq!(working(&server, &keys).await, 0);
    assert_eq!(working(&server, &[foreign]).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_continuation_is_for_one_caller_one_verb_one_use_and_one_day() {
    let (server, boss, ada, _) = with_keys(1_003).await;
    let other = server.person("other@example.com", &["admin"]).await;
    let second_key = server.generous_key(&boss.account, "second", Grants::Inherit).await;
    let second_key = server.sign_in(&second_key).await;
    let active = || all_of(&ada, "ACTIVE", 1_003);
    let first = boss.caller.change(DISABLE, active()).await;
    assert_eq!(portions(std::slice::from_ref(&first)), [(1_000, 3)]);

    let before = server.state().await;
    let refused = ["NOT_FOUND input.selection"];
    for (caller, mutation) in [
        (&boss.caller, ENABLE),
        (&boss.caller, DELETE),
        (&boss.caller, REGENERATE),
        (&other.caller, DISABLE),
        (&second_key, DISABLE),
    ] {
        assert_eq!(caller.mistakes(mutation, rest(&first)).await, refused);
    }
    let next = first["next"].as_str().unwrap();
    for (garbage, code) in [
        ("", "INVALID"),
        ("next", "INVALID"),
        (&next[1..], "INVALID"),
        ("00000000000000000000000000000000", "NOT_FOUND"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", "NOT_FOUND"),
    ] {
        let input = json!({ "selection": { "continuation": garbage } });
        assert_eq!(
            boss.caller.mistakes(DISABLE, input).await,
            [format!("{code} input.selection")],
            "{garbage}"
        );
    }
    assert!(server.state().await == before, "something was changed");

    let second = boss.caller.change(DISABLE, rest(&first)).await;
    assert_eq!(portions(std::slice::from_ref(&second)), [(3, 0)]);
    assert_eq!(boss.caller.mistakes(DISABLE, rest(&first)).await, refused);

    // Within a day, to the millisecond.
    for (millis, expected) in [(86_400_000, vec![]), (86_400_001, refused.to_vec())] {
        let caller = server.sign_in(&boss.key).await;
        let first = caller.change(REGENERATE, all_of(&ada, "DISABLED", 1_003)).await;
        server.advance(Duration::from_millis(millis));
        let caller = server.sign_in(&boss.key).await;
        assert_eq!(caller.mistakes(REGENERATE, rest(&first)).await, expected, "after {millis} ms");
    }
    server.stop().await;
}

#[tokio::test]
async fn more_than_a_thousand_named_keys_are_too_many_and_each_counts_once() {
    let (server, boss, _, keys) = with_keys(1_001).await;
    let ids = |keys: &[Key]| selection(keys.iter().map(|key| &*key.id));
    let before = server.state().await;
    for mutation in [REGENERATE, DISABLE, DELETE] {
        let refused = boss.caller.mistakes(mutation, ids(&keys)).await;
        assert_eq!(refused, ["SELECTION_TOO_LARGE input.selection"]);
    }
    assert!(server.state().await == before, "something was changed");
    let mut twice = keys[..1_000].to_vec();
    twice.extend_from_slice(&keys[..500]);
    let payload = boss.caller.change(DISABLE, ids(&twice)).await;
    assert_eq!((mistakes(&payload).len(), done(&payload).len()), (0, 1_000));
    assert_eq!(rows(&server, ActivityKind::KeyDisabled).await.values().max(), Some(&1));
    server.stop().await;
}
