//! `regenerateSecrets`.

use std::collections::BTreeMap;
use std::time::Duration;

use latchkey::actions::keys::NewKey;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::keys::{REGENERATE, UPDATE, detail, mistakes, selection};
use crate::harness::{Caller, Grants, Key, Server};

/// The key with the new secret that a payload holds for it.
fn issued(payload: &Value, key: &Key) -> Key {
    let issued = payload["issued"].as_array().unwrap();
    let found = issued.iter().find(|issued| issued["apiKey"]["id"] == key.id).unwrap();
    assert_eq!(found["apiKey"]["clientId"], key.client_id);
    Key { secret: found["clientSecret"].as_str().unwrap().to_owned(), ..key.clone() }
}

async fn regenerate(caller: &Caller, key: &Key, grace: i32) -> Key {
    let payload = caller.change(REGENERATE, graced(key, grace)).await;
    assert_eq!(payload["userErrors"], json!([]));
    issued(&payload, key)
}

fn graced(key: &Key, seconds: i32) -> Value {
    let mut input = selection([&*key.id]);
    input["gracePeriodSeconds"] = json!(seconds);
    input
}

async fn works(server: &Server, key: &Key) -> bool {
    let answer = server.exchange(key, &[]).await;
    match answer.status {
        StatusCode::OK => true,
        _ => {
            assert_eq!(answer.json()["error"], "invalid_client", "{}", answer.text);
            false
        }
    }
}

/// Proves: X-22
#[tokio::test]
async fn at_once_the_old_secret_and_its_tokens_are_dead_and_the_new_one_works() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let token = server.sign_in(&key).await;

    // What the settings say when left out is: at once.
    let payload = ada.caller.change(REGENERATE, selection([&*key.id])).await;
    assert_eq!(payload["issued"][0]["previousValidUntil"], Value::Null);
    assert_eq!(payload["issued"][0]["apiKey"]["version"], 2);
    let new = issued(&payload, &key);
    assert_ne!(new.secret, key.secret);
    assert!(!works(&server, &key).await && works(&server, &new).await);
    assert_eq!(token.graphql("{ viewer { scopes } }").await.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

/// Proves: X-22
#[tokio::test]
async fn with_grace_both_secrets_work_until_the_end_and_then_only_the_new_one() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let token = server.sign_in(&key).await;

    let payload = ada.caller.change(REGENERATE, graced(&key, 3600)).await;
    assert_eq!(payload["issued"][0]["previousValidUntil"], "2026-11-21T10:00:00.000Z");
    let new = issued(&payload, &key);
    token.graphql("{ viewer { scopes } }").await.data();
    assert!(works(&server, &key).await && works(&server, &new).await);
    let secrets = "query ($id: ID!) { apiKey(by: { id: $id }) { secrets { hint validUntil } } }";
    let shown = ada.caller.graphql_with(secrets, json!({ "id": key.id })).await.data();
    let hint = |key: &Key| key.secret[key.secret.len() - 4..].to_owned();
    let expected = json!([
        { "hint": hint(&new), "validUntil": null },
        { "hint": hint(&key), "validUntil": "2026-11-21T10:00:00.000Z" },
    ]);
    assert_eq!(shown["apiKey"]["secrets"], expected);

    server.advance(Duration::from_millis(3_599_999));
    assert!(works(&server, &key).await && works(&server, &new).await);
    server.advance(Duration::from_millis(1));
    assert!(!works(&server, &key).await && works(&server, &new).await);
    let ada = server.sign_in(&ada.key).await;
    let shown = ada.graphql_with(secrets, json!({ "id": key.id })).await.data();
    assert_eq!(shown["apiKey"]["secrets"], json!([{ "hint": hint(&new), "validUntil": null }]));
    server.stop().await;
}

#[tokio::test]
async fn never_more_than_two_secrets_work() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let first = server.key(&ada.account, "ci", Grants::Inherit).await;
    let second = regenerate(&ada.caller, &first, 3600).await;
    let third = regenerate(&ada.caller, &second, 7200).await;
    assert!(!works(&server, &first).await);
    assert!(works(&server, &second).await && works(&server, &third).await);
    let fourth = regenerate(&ada.caller, &third, 0).await;
    assert!(!works(&server, &second).await && !works(&server, &third).await);
    assert!(works(&server, &fourth).await);
    server.stop().await;
}

#[tokio::test]
async fn the_old_secret_never_outlives_its_key() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let end = "2026-11-21T09:30:00.000Z";
    let key = server
        .key_with(&ada.account, "ci", Grants::Inherit, |new| new.expires_at = Some(end.parse().unwrap()))
        .await;
    let payload = ada.caller.change(REGENERATE, graced(&key, 3600)).await;
    assert_eq!(payload["issued"][0]["previousValidUntil"], end);
    let new = issued(&payload, &key);

    // Later the key is given more time: the old secret is not.
    let more = json!({ "id": key.id, "expiresAt": null });
    assert_eq!(ada.caller.mistakes(UPDATE, more).await, [""; 0]);
    server.advance(Duration::from_millis(1_800_000 - 1));
    assert!(works(&server, &key).await);
    server.advance(Duration::from_millis(1));
    assert!(!works(&server, &key).await && works(&server, &new).await);
    server.stop().await;
}

#[tokio::test]
async fn each_of_many_old_secrets_ends_with_the_grace_period_or_with_its_key_before() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let [before, grace, after] =
        ["2026-11-21T09:30:00.000Z", "2026-11-21T10:00:00.000Z", "2026-11-21T11:00:00.000Z"];
    let mut keys = Vec::new();
    for (name, end) in [("before", Some(before)), ("after", Some(after)), ("never", None), ("without", None)]
    {
        let change = |new: &mut NewKey| {
            new.expires_at = end.map(|end| end.parse().unwrap());
            new.issue_secret = name != "without";
        };
        keys.push(server.key_with(&ada.account, name, Grants::Inherit, change).await);
    }
    let mut input = selection(keys.iter().map(|key| &*key.id));
    input["gracePeriodSeconds"] = json!(3600);
    let payload = ada.caller.change(REGENERATE, input).await;

    let issued = payload["issued"].as_array().unwrap().iter();
    let ends: BTreeMap<_, _> = issued
        .map(|issued| (issued["apiKey"]["name"].as_str().unwrap(), issued["previousValidUntil"].as_str()))
        .collect();
    let expected =
        [("after", Some(grace)), ("before", Some(before)), ("never", Some(grace)), ("without", None)];
    assert_eq!(ends, BTreeMap::from(expected));
    // What is stored is what was said.
    let rows = server.secret_rows().await;
    let mut stored: Vec<String> = rows.iter().filter_map(|row| Some(row.valid_until?.to_string())).collect();
    stored.sort_unstable();
    assert_eq!(stored, [before, grace, grace]);
    assert_eq!(rows.iter().filter(|row| row.valid_until.is_none()).count(), 4 + 1);
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_ends_sooner_than_its_old_secret_ends_with_both() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let old = server.key(&ada.account, "ci", Grants::Inherit).await;
    let new = regenerate(&ada.caller, &old, 3600).await;
    let sooner = json!({ "id": old.id, "expiresAt": "2026-11-21T09:01:00Z" });
    assert_eq!(ada.caller.mistakes(UPDATE, sooner).await, [""; 0]);
    server.advance(Duration::from_secs(60));
    assert!(!works(&server, &old).await && !works(&server, &new).await);
    server.stop().await;
}

/// Proves: X-28
#[tokio::test]
async fn of_several_keys_each_gets_its_own_secret_and_the_others_are_told() {
    let server = Server::start().await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let boss = server.user("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let one = server.key(&ada, "one", Grants::Inherit).await;
    let two = server.key(&ada, "two", Grants::Scopes(&["keys:read"])).await;
    let strong = server.key(&boss, "strong", Grants::Inherit).await;
    let unknown = "key_00000000000000000000000001";

    let mut input = selection([&*one.id, &strong.id, &two.id, unknown, &one.id]);
    input["gracePeriodSeconds"] = json!(60);
    let payload = manager.caller.change(REGENERATE, input).await;
    assert_eq!(payload["issued"].as_array().map(Vec::len), Some(2));
    let (new_one, new_two) = (issued(&payload, &one), issued(&payload, &two));
    assert_ne!(new_one.secret, new_two.secret);
    let mut errors = mistakes(&payload);
    errors.sort();
    let expected = [
        format!("NOT_FOUND input.selection {unknown}"),
        format!("SCOPE_NOT_HELD input.selection {}", strong.id),
    ];
    assert_eq!(errors, expected);
    for key in [&one, &new_one, &two, &new_two, &strong] {
        assert!(works(&server, key).await);
    }
    assert!(!works(&server, &Key { secret: new_two.secret.clone(), ..one.clone() }).await);
    for (key, rows) in [(&one, 2), (&two, 2), (&strong, 1)] {
        assert_eq!(server.changes_of(&key.id).await.len(), rows);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_log_has_one_row_with_hint_and_reason_and_never_the_secret() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let mut input = graced(&key, 60);
    input["reason"] = json!("quarterly");
    let new = issued(&ada.caller.change(REGENERATE, input).await, &key);

    let rows = server.changes_of(&key.id).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].kind, entity::activity::ActivityKind::SecretRegenerated);
    let hint = |key: &Key| key.secret[key.secret.len() - 4..].to_owned();
    let expected = json!({
        "name": "ci", "reason": "quarterly", "hint": hint(&new), "previousValidUntil": "2026-11-21T09:01:00.000Z",
    });
    assert_eq!(detail(&rows[1]), expected);
    server.stop().await;
}

#[tokio::test]
async fn a_grace_period_is_at_most_thirty_days() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let before = server.state().await;
    for seconds in [-1, 2_592_001, i32::MAX, i32::MIN] {
        let payload = ada.caller.change(REGENERATE, graced(&key, seconds)).await;
        assert_eq!(mistakes(&payload), ["INVALID input.gracePeriodSeconds"]);
        assert_eq!(payload["issued"], json!([]));
    }
    assert_eq!(server.state().await, before);
    let payload = ada.caller.change(REGENERATE, graced(&key, 2_592_000)).await;
    assert_eq!(payload["issued"][0]["previousValidUntil"], "2026-12-21T09:00:00.000Z");
    server.stop().await;
}

#[tokio::test]
async fn keys_of_others_and_deleted_and_unknown_ones_look_the_same() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let foreign = server.key(&bob, "bobs", Grants::Inherit).await.id;
    let before = server.state().await;
    for id in [&*foreign, "key_00000000000000000000000001"] {
        let payload = ada.caller.change(REGENERATE, selection([id])).await;
        let message = format!("There is no {id} that you can change.");
        let error = json!({
            "code": "NOT_FOUND", "field": ["input", "selection"], "message": message, "targetId": id,
        });
        assert_eq!(payload, json!({ "issued": [], "userErrors": [error] }));
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}
