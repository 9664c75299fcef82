//! What happens at the same time: of many who want the same, each is told the truth about what became of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use entity::KeyId;
use entity::activity::ActivityKind;
use entity::api_key::KeyState;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::keys::{
    CREATE, DELETE, DISABLE, ENABLE, REGENERATE, UPDATE, detail, mistakes, selection,
};
use crate::harness::{Answer, BEHIND_A_PROXY, Caller, Grants, Key, Server, setting};

const MANY: usize = 50;

/// How often a race is run.
fn rounds() -> usize {
    setting("RACE_ROUNDS").map_or(3, |rounds| usize::try_from(rounds).unwrap())
}

/// The payloads of many who send the same mutation at once.
async fn many(
    caller: &Caller,
    mutation: &'static str,
    inputs: impl IntoIterator<Item = Value>,
) -> Vec<Value> {
    let mut all = JoinSet::new();
    for input in inputs {
        let caller = caller.clone();
        all.spawn(async move { caller.change_among_many(mutation, input).await });
    }
    all.join_all().await
}

/// An address in a network that nobody came from before: each may present so many wrong credentials a minute.
fn network() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0000);
    Ipv4Addr::from_bits(NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

/// Which of these secrets work.
async fn working(server: &Server, secrets: &[Key]) -> Vec<usize> {
    let mut found = Vec::new();
    for (n, key) in secrets.iter().enumerate() {
        let answer = server.exchange_from(&network(), key).await;
        match answer.status {
            StatusCode::OK => found.push(n),
            _ => assert_eq!(answer.json()["error"], "invalid_client", "{}", answer.text),
        }
    }
    found
}

/// The new secrets that these payloads hold for a key.
fn issued(payloads: &[Value], key: &Key) -> Vec<Key> {
    let secret = |payload: &Value| {
        assert_eq!(payload["userErrors"], json!([]));
        Key { secret: payload["issued"][0]["clientSecret"].as_str().unwrap().to_owned(), ..key.clone() }
    };
    payloads.iter().map(secret).collect()
}

/// Proves: X-22
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_regenerations_at_once_exactly_one_secret_works_afterwards_and_no_earlier_token() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let mut key = server.generous_key(&ada.account, "ci", Grants::Inherit).await;
    for _ in 0..rounds() {
        // Whoever exchanges the old secret meanwhile has a token or none; afterwards it is dead either way.
        let mut meanwhile = JoinSet::new();
        for _ in 0..8 {
            let (guest, key) = (server.guest(), key.clone());
            meanwhile.spawn(async move {
                let exchange = json!({ "client_id": key.client_id, "client_secret": key.secret });
                let request = guest.post("/api/v2/authenticate").header("x-forwarded-for", network());
                Answer::of(request.json(&exchange)).await
            });
        }
        let payloads = many(&ada.caller, REGENERATE, vec![selection([&*key.id]); MANY]).await;
        for answer in meanwhile.join_all().await {
            if answer.status == StatusCode::OK {
                let caller = server.bearer(answer.json().as_str().unwrap());
                assert_eq!(caller.graphql("{ viewer { scopes } }").await.status, StatusCode::UNAUTHORIZED);
            }
        }
        let mut secrets = issued(&payloads, &key);
        secrets.push(key);
        let [one] = working(&server, &secrets).await[..] else { panic!("not one of the secrets works") };
        assert!(one < MANY, "the old secret works");
        key = secrets.swap_remove(one);
    }
    assert_eq!(server.changes_of(&key.id).await.len(), 1 + MANY * rounds());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_regenerations_with_grace_the_last_two_secrets_work_afterwards() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.generous_key(&ada.account, "ci", Grants::Inherit).await;
    let mut secrets = vec![key.clone()];
    for _ in 0..rounds() {
        let mut input = selection([&*key.id]);
        input["gracePeriodSeconds"] = json!(86_400);
        secrets.extend(issued(&many(&ada.caller, REGENERATE, vec![input; MANY]).await, &key));
        let two = working(&server, &secrets).await;
        assert_eq!(two.len(), 2);
        assert!(two[0] > 0, "the first secret works");
        // The hints are those of the secrets that work.
        let mut hints: Vec<String> = server.secret_rows().await.into_iter().map(|row| row.hint).collect();
        hints.retain(|hint| two.iter().any(|n| secrets[*n].secret.ends_with(hint)));
        assert_eq!(hints.len(), 2);
        secrets = two.into_iter().map(|n| secrets[n].clone()).collect();
        secrets.insert(0, key.clone());
    }
    server.stop().await;
}

/// A mutation under an `Idempotency-Key`. Whoever is told that the database has no time for it sends it again: that is
/// what the header is for.
async fn again_and_again(caller: Caller, mutation: &'static str, (input, name): (Value, String)) -> Value {
    let body = json!({ "query": mutation, "variables": { "input": input } });
    for _ in 0..100 {
        let request = caller.post("/graphql").header("idempotency-key", &name).json(&body);
        let answer = caller.send(request).await;
        if !answer.text.contains("\"UNAVAILABLE\"") {
            return answer.data()["change"].take();
        }
    }
    panic!("the database never had time");
}

/// The payloads of many who send the same request under the same name at once.
async fn repeats(caller: &Caller, mutation: &'static str, (input, name): (&Value, &str)) -> Vec<Value> {
    let mut all = JoinSet::new();
    for _ in 0..16 {
        all.spawn(again_and_again(caller.clone(), mutation, (input.clone(), name.to_owned())));
    }
    all.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_repeats_of_a_create_one_makes_the_key_and_gives_its_secret_out() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for round in 0..rounds() {
        let name = format!("number {round}");
        let input = json!({ "name": name });
        let payloads =
            repeats(&ada.caller, CREATE, (&input, &format!("create {round}").replace(' ', "-"))).await;
        let id = payloads[0]["apiKey"]["id"].as_str().unwrap().to_owned();
        let client_id = payloads[0]["apiKey"]["clientId"].as_str().unwrap().to_owned();
        let mut secrets = Vec::new();
        for payload in &payloads {
            assert_eq!((payload["apiKey"]["id"].as_str(), mistakes(payload).len()), (Some(&*id), 0));
            secrets.extend(payload["clientSecret"].as_str().map(str::to_owned));
        }
        let [secret] = &secrets[..] else { panic!("{} secrets were given out", secrets.len()) };
        server.sign_in(&Key { id: id.clone(), client_id, secret: secret.clone() }).await;
        assert_eq!(server.changes_of(&id).await.len(), 1);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_repeats_of_a_regeneration_one_makes_the_secret_and_gives_it_out() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let mut key = server.generous_key(&ada.account, "ci", Grants::Inherit).await;
    for round in 1..=rounds() {
        let name = format!("rotate-{round}");
        let payloads = repeats(&ada.caller, REGENERATE, (&selection([&*key.id]), &name)).await;
        let mut secrets = Vec::new();
        for payload in &payloads {
            assert_eq!(payload["issued"].as_array().map(Vec::len), Some(1));
            assert_eq!(
                (payload["issued"][0]["apiKey"]["id"].as_str(), mistakes(payload).len()),
                (Some(&*key.id), 0)
            );
            secrets.extend(payload["issued"][0]["clientSecret"].as_str().map(str::to_owned));
        }
        let [secret] = &secrets[..] else { panic!("{} secrets were given out", secrets.len()) };
        let new = Key { secret: secret.clone(), ..key.clone() };
        assert_eq!(working(&server, &[key, new.clone()]).await, [1]);
        key = new;
        assert_eq!(server.changes_of(&key.id).await.len(), 1 + round);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeat_of_what_was_refused_is_no_repeat_and_another_request_needs_another_name() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.person("bob@example.com", &["member"]).await;
    let taken = server.key(&ada.account, "ci", Grants::Inherit).await;
    let input = json!({ "name": "ci" });
    let before = server.state().await;
    for payload in repeats(&ada.caller, CREATE, (&input, "same")).await {
        assert_eq!(mistakes(&payload), [format!("NAME_TAKEN input.name {}", taken.id)]);
    }
    assert_eq!(server.state().await, before);
    ada.caller.change(DELETE, selection([&*taken.id])).await;
    let payloads = repeats(&ada.caller, CREATE, (&input, "same")).await;
    let with_secret = payloads.iter().filter(|payload| payload["clientSecret"].is_string());
    assert_eq!(with_secret.count(), 1);

    // Of two different requests under one name the second is a mistake; others may use the same name.
    for (mutation, input) in [(CREATE, json!({ "name": "other" })), (REGENERATE, selection([&*ada.key.id]))] {
        for payload in repeats(&ada.caller, mutation, (&input, "same")).await {
            assert_eq!(mistakes(&payload), ["IDEMPOTENCY_KEY_REUSED "]);
        }
    }
    let payloads = repeats(&bob.caller, CREATE, (&input, "same")).await;
    let with_secret = payloads.iter().filter(|payload| payload["clientSecret"].is_string());
    assert_eq!(with_secret.count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_repeat_whose_key_has_gone_out_of_reach_by_now_says_so() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let narrow =
        server.generous_key(&ada.account, "narrow", Grants::Scopes(&["keys:read", "keys:write"])).await;
    let narrow = server.sign_in(&narrow).await;
    let create = || (json!({ "name": "made", "scopes": ["keys:read"] }), "create".to_owned());
    let made = again_and_again(narrow.clone(), CREATE, create()).await;
    let id = made["apiKey"]["id"].as_str().unwrap();
    let regenerate = || (selection([id]), "regenerate".to_owned());
    let issued = again_and_again(narrow.clone(), REGENERATE, regenerate()).await;
    assert_eq!(issued["issued"][0]["apiKey"]["id"], id);
    let stronger = json!({ "id": id, "scopes": ["keys:read", "keys:use"] });
    assert_eq!(ada.caller.mistakes(UPDATE, stronger).await, [""; 0]);
    let again = again_and_again(narrow.clone(), REGENERATE, regenerate()).await;
    assert_eq!(
        (mistakes(&again), &again["issued"]),
        (vec![format!("NOT_FOUND input.selection {id}")], &json!([]))
    );
    let again = again_and_again(narrow, CREATE, create()).await;
    assert_eq!(mistakes(&again), [format!("NOT_FOUND  {id}")]);
    assert_eq!((&again["apiKey"], &again["clientSecret"]), (&Value::Null, &Value::Null));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_go_on_with_the_same_portion_exactly_one_does_it() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let first = server.key(&ada, "ci", Grants::Inherit).await;
    server.copies(&first, 1_001).await;
    let regenerate = "mutation ($input: RegenerateSecretsInput!) { change: regenerateSecrets(input: $input) {
        issued { apiKey { id } clientSecret } remaining next userErrors { code field targetId } } }";
    let matching = json!({ "filter": { "ownerIds": [ada.public_id] }, "expectedCount": 1_002 });
    let payload = boss.caller.change(regenerate, json!({ "selection": { "matching": matching } })).await;
    assert_eq!((&payload["remaining"], payload["issued"].as_array().map(Vec::len)), (&json!(2), Some(1_000)));
    let rest = json!({ "selection": { "continuation": payload["next"] } });

    let payloads = many(&boss.caller, regenerate, vec![rest; 16]).await;
    let (done, refused): (Vec<_>, Vec<_>) =
        payloads.into_iter().partition(|payload| payload["issued"] != json!([]));
    assert_eq!((done.len(), refused.len()), (1, 15));
    assert_eq!(
        (&done[0]["remaining"], &done[0]["next"], &done[0]["userErrors"]),
        (&json!(0), &Value::Null, &json!([]))
    );
    for payload in refused {
        assert_eq!(mistakes(&payload), ["NOT_FOUND input.selection"]);
    }
    for one in done[0]["issued"].as_array().unwrap() {
        let changes = server.changes_of(one["apiKey"]["id"].as_str().unwrap()).await;
        assert_eq!(changes.iter().filter(|row| row.kind == ActivityKind::SecretRegenerated).count(), 1);
    }
    server.stop().await;
}

/// Some of these ids, in an order of their own.
fn some(ids: &[String], round: usize) -> Vec<&str> {
    let mut some: Vec<&str> = ids.iter().map(String::as_str).collect();
    some.rotate_left(round * 7 % ids.len());
    if round.is_multiple_of(2) {
        some.reverse();
    }
    some.truncate(1 + round * 5 % ids.len());
    some
}

/// Proves: X-28
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_overlapping_selections_wait_for_each_other_and_the_log_tells_how_each_key_ended() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let first = server.key(&ada.account, "ci", Grants::Inherit).await;
    for _ in 0..rounds() {
        let ids: Vec<String> = server.copies(&first, 30).await.into_iter().map(|key| key.id).collect();
        let mut all = JoinSet::new();
        for n in 0..40 {
            let mutation = [DISABLE, ENABLE, REGENERATE, DISABLE, ENABLE, DELETE][n % 6];
            let selected = match (mutation, some(&ids, n)) {
                (DELETE, few) => selection(few.into_iter().take(2)),
                // The filter finds what is enabled or disabled at that moment, all of it or nothing is changed.
                (_, _) if n % 9 == 0 => {
                    let filter = json!({ "ids": ids, "status": ["ACTIVE"] });
                    json!({ "selection": { "matching": { "filter": filter, "expectedCount": 30 } } })
                }
                (_, some) => selection(some),
            };
            let caller = ada.caller.clone();
            all.spawn(async move { caller.change_among_many(mutation, selected).await });
        }
        for payload in all.join_all().await {
            for mistake in mistakes(&payload) {
                let known = ["NOT_FOUND input.selection ", "COUNT_CHANGED input.selection"];
                assert!(known.iter().any(|known| mistake.starts_with(known)), "{mistake}");
            }
        }
        let mut ends = BTreeMap::new();
        for id in &ids {
            *ends.entry(ended_as_told(&server, id).await).or_insert(0) += 1;
        }
        assert!(ends["DELETED"] > 0, "{ends:?}");
        let left: Vec<&str> = ids.iter().map(String::as_str).collect();
        ada.caller.change(DELETE, selection(left)).await;
    }
    server.stop().await;
}

/// Follows the log of a key: each change was made to what the one before had left. Gives the state that it ends in,
/// which is the key's own.
async fn ended_as_told(server: &Server, id: &str) -> &'static str {
    let rows = server.changes_of(id).await;
    let mut state = "ENABLED";
    for row in &rows {
        let (before, after) = match row.kind {
            ActivityKind::KeyEnabled => ("DISABLED", "ENABLED"),
            ActivityKind::KeyDisabled => ("ENABLED", "DISABLED"),
            ActivityKind::KeyDeleted => (state, "DELETED"),
            ActivityKind::SecretRegenerated => (state, state),
            other => panic!("nobody did {other:?}"),
        };
        assert!(state == before && state != "DELETED", "{:?} of a key that was {state}", row.kind);
        if row.kind != ActivityKind::SecretRegenerated {
            assert_eq!(detail(row)["before"]["state"], before);
            assert_eq!(detail(row)["after"]["state"], after);
        }
        state = after;
    }
    let key = server.key_row(id.parse::<KeyId>().unwrap()).await;
    let stored = match key.state {
        KeyState::Enabled => "ENABLED",
        KeyState::Disabled => "DISABLED",
        KeyState::Deleted => "DELETED",
        KeyState::Pending => "PENDING",
    };
    assert_eq!((stored, key.version), (state, 1 + i32::try_from(rows.len()).unwrap()));
    state
}
