//! The setting `keyApprovalRequired`, `approveApiKeys` and `rejectApiKeys`.

use serde_json::{Value, json};

use crate::harness::keys::{
    APPROVE, CREATE, DELETE, DISABLE, ENABLE, Person, REGENERATE, REJECT, UPDATE, detail, selection,
};
use crate::harness::{Caller, Grants, Key, Server};

/// Where keys need approval: an administrator, and a member.
async fn started() -> (Server, Person, Person) {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    boss.caller.set(json!({ "keyApprovalRequired": true })).await;
    (server, boss, ada)
}

/// A new key of the caller's with its secret.
async fn made(caller: &Caller, input: Value) -> Key {
    let payload = caller.done(CREATE, input).await;
    Key {
        id: payload["apiKey"]["id"].as_str().unwrap().to_owned(),
        client_id: payload["apiKey"]["clientId"].as_str().unwrap().to_owned(),
        secret: payload["clientSecret"].as_str().unwrap().to_owned(),
    }
}

async fn status(caller: &Caller, key: &Key) -> Value {
    let query = "query ($id: ID!) { apiKey(by: { id: $id }) { status } }";
    caller.graphql_with(query, json!({ "id": key.id })).await.data()["apiKey"]["status"].take()
}

/// Proves: R-04
#[tokio::test]
async fn a_members_key_waits_and_works_once_it_is_approved() {
    let (server, boss, ada) = started().await;
    let key = made(&ada.caller, json!({ "name": "ci" })).await;
    assert_eq!(status(&ada.caller, &key).await, "PENDING");
    let refused = server.exchange(&key, &[]).await.json();
    assert_eq!(refused["error"], "invalid_client");
    assert_eq!(refused["error_description"], "This API key is pending approval.");

    let waiting = "{ apiKeys(filter: { status: [PENDING] }) { nodes { id } } }";
    let listed = boss.caller.graphql(waiting).await.data();
    assert_eq!(listed["apiKeys"]["nodes"], json!([{ "id": key.id }]));

    let mut input = selection([&*key.id]);
    input["reason"] = json!("for the build");
    let approved = boss.caller.done(APPROVE, input).await;
    assert_eq!(
        (&approved["apiKeys"][0]["status"], &approved["apiKeys"][0]["version"]),
        (&json!("ACTIVE"), &json!(2))
    );
    server.sign_in(&key).await.graphql("{ viewer { scopes } }").await.data();
    let row = server.changes_of(&key.id).await.pop().unwrap();
    assert_eq!(row.kind, entity::activity::ActivityKind::KeyApproved);
    let expected = json!({
        "name": "ci", "reason": "for the build", "before": { "state": "PENDING" }, "after": { "state": "ENABLED" },
    });
    assert_eq!(detail(&row), expected);
    server.stop().await;
}

#[tokio::test]
async fn a_rejected_key_is_deleted_and_its_name_is_free() {
    let (server, boss, ada) = started().await;
    let key = made(&ada.caller, json!({ "name": "ci" })).await;
    let rejected = boss.caller.done(REJECT, selection([&*key.id])).await;
    assert_eq!(rejected["apiKeys"][0]["status"], "DELETED");
    assert_eq!(server.exchange(&key, &[]).await.json()["error"], "invalid_client");
    let row = server.changes_of(&key.id).await.pop().unwrap();
    assert_eq!(row.kind, entity::activity::ActivityKind::KeyRejected);
    made(&ada.caller, json!({ "name": "ci" })).await;
    server.stop().await;
}

#[tokio::test]
async fn who_may_approve_needs_no_approval_and_nobody_else_approves() {
    let (server, boss, ada) = started().await;
    let own = made(&boss.caller, json!({ "name": "own" })).await;
    let for_ada =
        made(&boss.caller, json!({ "name": "for ada", "ownerId": ada.account.public_id, "scopes": [] }))
            .await;
    for key in [&own, &for_ada] {
        assert_eq!(status(&boss.caller, key).await, "ACTIVE");
    }
    let key = made(&ada.caller, json!({ "name": "ci" })).await;
    for mutation in [APPROVE, REJECT] {
        let denied = ada.caller.denied(mutation, selection([&*key.id])).await;
        assert_eq!(denied, "FORBIDDEN keys:write:any");
    }
    // A key manager decides about keys whose scopes it does not hold: approving gives nothing that was not asked for.
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    boss.caller
        .done(
            crate::harness::changes::CREATE_ROLE,
            json!({ "name": "tokens", "scopes": ["tokens:introspect"] }),
        )
        .await;
    server.give_role(&ada.account, "tokens").await;
    let strong = made(&ada.caller, json!({ "name": "strong", "scopes": ["keys:read"] })).await;
    manager.caller.done(APPROVE, selection([&*strong.id])).await;
    assert_eq!(status(&ada.caller, &strong).await, "ACTIVE");
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_wait_is_neither_approved_nor_rejected_and_what_waits_is_neither_enabled_nor_disabled()
{
    let (server, boss, ada) = started().await;
    let waits = made(&ada.caller, json!({ "name": "waits" })).await.id;
    let active = server.key(&ada.account, "active", Grants::Inherit).await.id;
    let disabled = server.key(&ada.account, "disabled", Grants::Inherit).await.id;
    boss.caller.done(DISABLE, selection([&*disabled])).await;
    let before = server.state().await;
    for (mutation, id) in
        [(ENABLE, &waits), (DISABLE, &waits), (REJECT, &active), (REJECT, &disabled), (APPROVE, &disabled)]
    {
        let mistakes = boss.caller.mistakes(mutation, selection([&**id])).await;
        assert_eq!(mistakes, [format!("INVALID input.selection {id}")], "{mutation}");
    }
    // Approved twice is approved.
    assert_eq!(boss.caller.done(APPROVE, selection([&*active])).await["apiKeys"][0]["status"], "ACTIVE");
    assert_eq!(server.state().await, before);
    // Its owner may drop what waits, and give it another secret.
    ada.caller.done(REGENERATE, selection([&*waits])).await;
    ada.caller.done(DELETE, selection([&*waits])).await;
    server.stop().await;
}

#[tokio::test]
async fn an_approved_key_does_not_grow_without_approval() {
    let (server, boss, ada) = started().await;
    let key = made(&ada.caller, json!({ "name": "ci", "scopes": ["keys:read"], "readOnly": true })).await;
    // As long as it waits it may be changed: whoever approves it sees what it is.
    ada.caller
        .done(UPDATE, json!({ "id": key.id, "scopes": ["keys:read", "activity:read", "keys:write"] }))
        .await;
    boss.caller.done(APPROVE, selection([&*key.id])).await;
    for (change, field) in [
        (json!({ "scopes": ["keys:read", "activity:read", "roles:read"] }), "scopes"),
        (json!({ "roleIds": [server.role("member").await] }), "roleIds"),
        (json!({ "roleIds": null, "scopes": null }), "roleIds"),
        (json!({ "readOnly": false }), "readOnly"),
    ] {
        let mut input = change.clone();
        input["id"] = json!(key.id);
        let expected = format!("APPROVAL_REQUIRED input.{field} {}", key.id);
        assert_eq!(ada.caller.mistakes(UPDATE, input).await, [expected], "{change}");
    }
    ada.caller.done(UPDATE, json!({ "id": key.id, "scopes": ["keys:read"], "name": "smaller" })).await;
    boss.caller.done(UPDATE, json!({ "id": key.id, "scopes": ["keys:read", "roles:read"] })).await;
    boss.caller.set(json!({ "keyApprovalRequired": false })).await;
    ada.caller
        .done(UPDATE, json!({ "id": key.id, "scopes": ["keys:read", "roles:read", "activity:read"] }))
        .await;
    server.stop().await;
}
