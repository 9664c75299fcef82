//! `deleteApiKeys`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::keys::{DELETE, DISABLE, ENABLE, REGENERATE, detail, selection};
use crate::harness::{Grants, Server};

/// Proves: D-19, I-03, I-12
#[tokio::test]
async fn a_deleted_key_is_dead_at_once_with_all_its_tokens_and_stays_as_a_tombstone() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let token = server.sign_in(&key).await;

    let mut input = selection([&*key.id]);
    input["reason"] = json!(" left the project ");
    let payload = ada.caller.change(DELETE, input).await;
    assert_eq!(payload, json!({ "deletedIds": [key.id], "userErrors": [] }));

    assert_eq!(token.graphql("{ viewer { scopes } }").await.status, StatusCode::UNAUTHORIZED);
    let refused = server.exchange(&key, &[]).await;
    assert_eq!(refused.json()["error"], "invalid_client", "{}", refused.text);
    let query = "query ($id: ID!) { apiKey(by: { id: $id }) { status name } node(id: $id) { ... on ApiKey { status } } }";
    let found = ada.caller.graphql_with(query, json!({ "id": key.id })).await.data();
    assert_eq!(found["apiKey"], json!({ "status": "DELETED", "name": "ci" }));
    assert_eq!(found["node"]["status"], "DELETED");

    let rows = server.changes_of(&key.id).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].kind, entity::activity::ActivityKind::KeyDeleted);
    let detail = detail(&rows[1]);
    assert_eq!((&detail["name"], &detail["reason"]), (&json!("ci"), &json!("left the project")));
    assert_eq!(
        (&detail["before"]["state"], &detail["after"]["state"]),
        (&json!("ENABLED"), &json!("DELETED"))
    );
    server.stop().await;
}

/// Proves: X-28
#[tokio::test]
async fn of_several_keys_those_that_are_there_go_and_the_others_are_told() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let one = server.key(&ada.account, "one", Grants::Inherit).await.id;
    let two = server.key(&ada.account, "two", Grants::Inherit).await.id;
    let foreign = server.key(&bob, "bobs", Grants::Inherit).await.id;
    let unknown = "key_00000000000000000000000001";
    ada.caller.change(DISABLE, selection([&*two])).await;

    let payload = ada.caller.change(DELETE, selection([&*one, &foreign, &two, unknown, &one])).await;
    let mut deleted: Vec<&str> =
        payload["deletedIds"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    deleted.sort_unstable();
    let mut expected = [&*one, &*two];
    expected.sort_unstable();
    assert_eq!(deleted, expected);
    let missing = [&*foreign, unknown].map(|id| format!("NOT_FOUND input.selection {id}"));
    assert_eq!(crate::harness::keys::mistakes(&payload), missing);
    assert_eq!(server.changes_of(&one).await.len(), 2);
    assert_eq!(server.changes_of(&two).await.len(), 3);
    assert_eq!(server.changes_of(&foreign).await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn nothing_brings_a_deleted_key_back() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let key = server.key(&boss.account, "ci", Grants::Inherit).await;
    boss.caller.change(DELETE, selection([&*key.id])).await;
    let before = server.state().await;
    for mutation in [DELETE, ENABLE, DISABLE, REGENERATE] {
        let missing = boss.caller.mistakes(mutation, selection([&*key.id])).await;
        assert_eq!(missing, [format!("NOT_FOUND input.selection {}", key.id)]);
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_selection_of_nothing_deletes_nothing() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let before = server.state().await;
    let payload = ada.caller.change(DELETE, selection([])).await;
    assert_eq!(payload, json!({ "deletedIds": [], "userErrors": [] }));
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_key_can_delete_itself_and_is_gone() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let payload = ada.caller.change(DELETE, selection([&*ada.key.id])).await;
    assert_eq!(payload["deletedIds"], json!([ada.key.id]));
    assert_eq!(ada.caller.graphql("{ viewer { scopes } }").await.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}
