//! Keys that hold everything, now and in future: whoever holds all that there is today is no administrator yet.

use serde_json::json;

use crate::harness::changes::{CREATE_API, CREATE_ROLE, CREATE_SCOPE};
use crate::harness::keys::{CREATE, Person, REGENERATE, UPDATE, selection};
use crate::harness::{Grants, Server};

/// An administrator, and somebody with a role of every scope that there is today.
async fn started() -> (Server, Person, Person) {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let scopes = boss.caller.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"].take();
    boss.caller.made(CREATE_ROLE, json!({ "name": "all-of-today", "scopes": scopes })).await;
    let today = server.person("today@example.com", &["all-of-today"]).await;
    (server, boss, today)
}

#[tokio::test]
async fn only_who_holds_everything_gives_a_key_the_role_of_everything() {
    let (server, boss, today) = started().await;
    let admin = server.role("admin").await;
    let new = json!({ "name": "all", "ownerId": boss.account.public_id, "roleIds": [admin] });
    let read_only = json!({ "name": "reads", "roleIds": [admin], "readOnly": true });
    let weak = server.key(&boss.account, "weak", Grants::Scopes(&["keys:read"])).await;
    let widened = json!({ "id": weak.id, "roleIds": [admin] });
    let before = server.state().await;
    for (mutation, input) in [(CREATE, &new), (CREATE, &read_only), (UPDATE, &widened)] {
        assert_eq!(today.caller.mistakes(mutation, input.clone()).await, ["SCOPE_NOT_HELD input.roleIds"]);
    }
    assert_eq!(server.state().await, before);
    for (mutation, input) in [(CREATE, new), (UPDATE, widened)] {
        boss.caller.done(mutation, input).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn only_who_holds_everything_obtains_a_key_that_inherits_from_an_administrator() {
    let (server, boss, today) = started().await;
    let new = json!({ "name": "as the boss", "ownerId": boss.account.public_id });
    let weak = server.key(&boss.account, "weak", Grants::Scopes(&["keys:read"])).await;
    let inheriting = json!({ "id": weak.id, "roleIds": null, "scopes": null });
    let before = server.state().await;
    for (mutation, input) in [(CREATE, &new), (UPDATE, &inheriting)] {
        assert_eq!(today.caller.mistakes(mutation, input.clone()).await, ["SCOPE_NOT_HELD input.roleIds"]);
    }
    let expected = format!("SCOPE_NOT_HELD input.selection {}", boss.key.id);
    assert_eq!(today.caller.mistakes(REGENERATE, selection([&*boss.key.id])).await, [expected]);
    assert_eq!(server.state().await, before);
    boss.caller.done(CREATE, new).await;
    boss.caller.done(UPDATE, inheriting).await;
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_everything_also_holds_what_is_made_later() {
    let (server, boss, _) = started().await;
    let admin = server.role("admin").await;
    let later = server.key(&boss.account, "later", Grants::Roles(&["admin"])).await;
    let api = boss.caller.made(CREATE_API, json!({ "identifier": "urn:later", "name": "Later" })).await;
    boss.caller.made(CREATE_SCOPE, json!({ "apiId": api, "name": "later:read", "kind": "READ" })).await;
    let held = server.sign_in(&later).await.graphql("{ viewer { scopes } }").await.data();
    assert!(held["viewer"]["scopes"].as_array().unwrap().contains(&json!("later:read")), "{held}");
    // So it may give what an administrator may.
    server.sign_in(&later).await.done(CREATE, json!({ "name": "child", "roleIds": [admin] })).await;
    server.stop().await;
}
