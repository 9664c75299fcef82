//! The end of a rotation: `finishRotation`, and the end of the key.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::keys::{FINISH, REGENERATE, UPDATE, selection};
use crate::harness::{Caller, Grants, Key, Server};

/// The key with a new secret, while the old one works for an hour.
async fn rotated(caller: &Caller, key: &Key) -> Key {
    let mut input = selection([&*key.id]);
    input["gracePeriodSeconds"] = json!(3600);
    let payload = caller.done(REGENERATE, input).await;
    Key { secret: payload["issued"][0]["clientSecret"].as_str().unwrap().to_owned(), ..key.clone() }
}

async fn works(server: &Server, key: &Key) -> bool {
    server.exchange(key, &[]).await.status == StatusCode::OK
}

#[tokio::test]
async fn finishing_ends_the_old_secret_and_leaves_the_tokens() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let old = server.key(&ada.account, "ci", Grants::Inherit).await;
    let token = server.sign_in(&old).await;
    let new = rotated(&ada.caller, &old).await;
    assert!(works(&server, &old).await && works(&server, &new).await);

    let mut input = selection([&*old.id]);
    input["reason"] = json!("all have moved");
    let finished = ada.caller.done(FINISH, input).await;
    assert_eq!(finished["apiKeys"][0]["secrets"].as_array().map(Vec::len), Some(1));
    assert_eq!(finished["apiKeys"][0]["version"], 3);
    assert!(!works(&server, &old).await && works(&server, &new).await);
    token.graphql("{ viewer { scopes } }").await.data();
    let row = server.changes_of(&old.id).await.pop().unwrap();
    assert_eq!(row.kind, entity::activity::ActivityKind::RotationFinished);
    assert_eq!(crate::harness::keys::detail(&row), json!({ "name": "ci", "reason": "all have moved" }));
    server.stop().await;
}

#[tokio::test]
async fn where_nothing_is_to_finish_nothing_is_changed() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let plain = server.key(&ada.account, "plain", Grants::Inherit).await;
    let over = server.key(&ada.account, "over", Grants::Inherit).await;
    rotated(&ada.caller, &over).await;
    server.advance(Duration::from_secs(3601));
    let caller = server.sign_in(&ada.key).await;
    let versions = async || {
        let listed = caller
            .graphql("{ apiKeys(orderBy: { field: NAME, direction: ASC }) { nodes { name version } } }");
        (listed.await.data(), server.changes_of(&over.id).await.len())
    };
    let before = versions().await;
    caller.done(FINISH, selection([&*plain.id, &over.id])).await;
    assert_eq!(versions().await, before);
    let bob = server.person("bob@example.com", &["member"]).await;
    let expected = format!("NOT_FOUND input.selection {}", plain.id);
    assert_eq!(bob.caller.mistakes(FINISH, selection([&*plain.id])).await, [expected]);
    server.stop().await;
}

#[tokio::test]
async fn an_old_secret_never_outlives_its_key_even_if_the_end_comes_later() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let old = server.key(&ada.account, "ci", Grants::Inherit).await;
    rotated(&ada.caller, &old).await;
    let secrets = async || {
        let query = "query ($id: ID!) { apiKey(by: { id: $id }) { secrets { validUntil } } }";
        ada.caller.graphql_with(query, json!({ "id": old.id })).await.data()["apiKey"]["secrets"].take()
    };
    let until = |end: &str| json!([{ "validUntil": Value::Null }, { "validUntil": end }]);
    assert_eq!(secrets().await, until("2026-11-21T10:00:00.000Z"));
    ada.caller.done(UPDATE, json!({ "id": old.id, "expiresAt": "2026-11-21T09:30:00Z" })).await;
    assert_eq!(secrets().await, until("2026-11-21T09:30:00.000Z"));
    // What was shortened stays so.
    ada.caller.done(UPDATE, json!({ "id": old.id, "expiresAt": null })).await;
    assert_eq!(secrets().await, until("2026-11-21T09:30:00.000Z"));
    server.stop().await;
}
