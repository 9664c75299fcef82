//! When a key was last used: by an exchange, by a call, and that nothing else counts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Caller, Grants, Server};

const QUERY: &str = "query ($id: ID!) { apiKey(by: { id: $id }) {
    lastUsed { at ip userAgent operation } secrets { lastUsedAt } version updatedAt
} }";

async fn seen(server: &Server, watcher: &Caller, id: &str) -> Value {
    server.app.usage.write(&server.app.db).await.unwrap();
    watcher.graphql_with(QUERY, json!({ "id": id })).await.data()["apiKey"].take()
}

#[tokio::test]
async fn an_exchange_and_a_call_are_uses() {
    let server = Server::start().await;
    let watcher = server.person("watcher@example.com", &["auditor", "member"]).await.caller;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let unused = seen(&server, &watcher, &key.id).await;
    assert_eq!(unused["lastUsed"], Value::Null);
    assert_eq!(unused["secrets"], json!([{ "lastUsedAt": null }]));

    server.advance(Duration::from_secs(1));
    let caller = server.sign_in(&key).await;
    let exchanged = seen(&server, &watcher, &key.id).await;
    let at = "2026-11-21T09:00:01.000Z";
    let last = json!({ "at": at, "ip": "127.0.0.1", "userAgent": null, "operation": "token exchange" });
    assert_eq!(exchanged["lastUsed"], last);
    assert_eq!(exchanged["secrets"], json!([{ "lastUsedAt": at }]));
    assert_eq!(exchanged["version"], unused["version"], "a use is no change");
    assert_eq!(exchanged["updatedAt"], unused["updatedAt"]);

    server.advance(Duration::from_secs(1));
    let name = "A".repeat(150);
    for (query, operation) in [
        ("query Nightly { viewer { scopes } }", "Nightly"),
        ("{ first: roles { nodes { id } } viewer { scopes } }", "roles"),
        (&format!("query {name} {{ viewer {{ scopes }} }}"), &name[..100]),
    ] {
        let request = caller.post("/graphql").header("user-agent", "nightly/1.2");
        caller.send(request.json(&json!({ "query": query }))).await.data();
        let called = seen(&server, &watcher, &key.id).await;
        assert_eq!(called["lastUsed"]["operation"], operation);
        assert_eq!(called["lastUsed"]["userAgent"], "nightly/1.2");
        assert_eq!(called["lastUsed"]["at"], "2026-11-21T09:00:02.000Z");
        assert_eq!(called["secrets"], json!([{ "lastUsedAt": at }]), "the secret was not used");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_was_refused_is_no_use() {
    let server = Server::start().await;
    let watcher = server.person("watcher@example.com", &["auditor", "member"]).await.caller;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let caller = server.sign_in(&key).await;
    let before = seen(&server, &watcher, &key.id).await;
    server.advance(Duration::from_secs(1));
    let wrong = crate::harness::Key {
        secret: server.key(&ada, "other", Grants::Inherit).await.secret,
        ..key.clone()
    };
    assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    assert_eq!(server.exchange(&key, &[("scope", "settings:write")]).await.status, 400);
    assert_eq!(caller.graphql("{ viewer {").await.code(), "GRAPHQL_PARSE_FAILED");
    assert_eq!(caller.graphql("{ nothing }").await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(seen(&server, &watcher, &key.id).await, before);
    server.stop().await;
}

#[tokio::test]
async fn the_secret_that_was_used_is_the_one_that_is_named() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let rotate = "mutation ($id: ID!) {
        regenerateSecrets(input: { selection: { ids: [$id] }, gracePeriodSeconds: 3600 }) { userErrors { code } } }";
    ada.caller.graphql_with(rotate, json!({ "id": key.id })).await.data();
    server.advance(Duration::from_secs(1));
    server.sign_in(&key).await;
    let secrets = seen(&server, &ada.caller, &key.id).await["secrets"].take();
    assert_eq!(secrets, json!([{ "lastUsedAt": null }, { "lastUsedAt": "2026-11-21T09:00:01.000Z" }]));
    server.stop().await;
}

#[tokio::test]
async fn it_is_written_when_the_server_stops_and_never_goes_back() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let id: entity::KeyId = ada.key.id.parse().unwrap();
    server.advance(Duration::from_secs(5));
    ada.caller.graphql("query Last { viewer { scopes } }").await.data();
    let place = server.stop().await;
    let server = Server::start_at(place, "").await;
    let key = server.key_row(id).await;
    assert_eq!(key.last_used_operation.as_deref(), Some("Last"));
    // Another node may write what is older.
    let older = latchkey::store::usage::KeyUse { at: 1, ip: None, user_agent: None, operation: None };
    server.app.usage.key(id, older);
    server.app.usage.write(&server.app.db).await.unwrap();
    assert_eq!(server.key_row(id).await.last_used_at, key.last_used_at);
    server.stop().await;
}
