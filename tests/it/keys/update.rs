//! `updateApiKey`.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::keys::{CREATE, DELETE, UPDATE, detail, mistakes, selection};
use crate::harness::{Caller, Grants, Server};

const DETAILS: &str = "query ($id: ID!) { apiKey(by: { id: $id }) {
    name description readOnly inheritsOwner roles { name } scopes { name } effectiveScopes { name }
    tokenLifetimeSeconds tokenRateLimit { requests perSeconds } callRateLimit { requests perSeconds }
    expiresAt updatedAt createdAt version
} }";

/// A key's properties, lists of names as text.
async fn details(caller: &Caller, id: &str) -> Value {
    let mut key = caller.graphql_with(DETAILS, json!({ "id": id })).await.data()["apiKey"].take();
    for list in ["roles", "scopes", "effectiveScopes"] {
        let names = key[list].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
        key[list] = names.collect::<Vec<_>>().join(" ").into();
    }
    key
}

/// An update of this key.
fn update(id: &str, with: &Value) -> Value {
    let mut input = with.clone();
    input["id"] = id.into();
    input
}

/// Proves: X-32, I-03, I-10
#[tokio::test]
async fn everything_can_be_changed_and_the_log_tells_what_was() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    server.advance(std::time::Duration::from_secs(1));

    let changes = json!({
        "version": 1,
        "name": " nightly ",
        "description": "builds",
        "roleIds": [server.role("member").await],
        "scopes": ["keys:write"],
        "readOnly": true,
        "expiresAt": "2026-12-01T00:00:00Z",
        "tokenLifetimeSeconds": 120,
        "tokenRateLimit": { "requests": 5, "perSeconds": 1 },
        "callRateLimit": { "requests": 6, "perSeconds": 2 },
    });
    let payload = ada.caller.change(UPDATE, update(&key.id, &changes)).await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["apiKey"]["clientId"], key.client_id);
    // Neither is its secret another one.
    server.sign_in(&key).await;
    let found = details(&ada.caller, &key.id).await;
    insta::assert_snapshot!(found, @r#"{"callRateLimit":{"perSeconds":2,"requests":6},"createdAt":"2026-11-21T09:00:00.000Z","description":"builds","effectiveScopes":"activity:read keys:read keys:use roles:read scopes:read","expiresAt":"2026-12-01T00:00:00.000Z","inheritsOwner":false,"name":"nightly","readOnly":true,"roles":"member","scopes":"keys:write","tokenLifetimeSeconds":120,"tokenRateLimit":{"perSeconds":1,"requests":5},"updatedAt":"2026-11-21T09:00:01.000Z","version":2}"#);

    let rows = server.changes_of(&key.id).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].kind, entity::activity::ActivityKind::KeyUpdated);
    insta::assert_snapshot!(detail(&rows[1])["before"], @r#"{"callRateLimit":null,"description":null,"expiresAt":null,"name":"ci","readOnly":false,"roles":[],"scopes":["keys:read"],"tokenLifetimeSeconds":null,"tokenRateLimit":null}"#);
    insta::assert_snapshot!(detail(&rows[1])["after"], @r#"{"callRateLimit":[6,2],"description":"builds","expiresAt":"2026-12-01T00:00:00.000Z","name":"nightly","readOnly":true,"roles":["member"],"scopes":["keys:write"],"tokenLifetimeSeconds":120,"tokenRateLimit":[5,1]}"#);
    server.stop().await;
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let full = json!({
        "name": "ci", "description": "builds", "roleIds": [server.role("member").await], "scopes": ["keys:read"],
        "expiresAt": "2026-12-01T00:00:00Z", "tokenLifetimeSeconds": 120,
        "tokenRateLimit": { "requests": 5, "perSeconds": 1 }, "callRateLimit": { "requests": 6, "perSeconds": 2 },
    });
    let id = ada.caller.change(CREATE, full).await["apiKey"]["id"].as_str().unwrap().to_owned();
    let before = details(&ada.caller, &id).await;

    let only_name = ada.caller.change(UPDATE, update(&id, &json!({ "name": "nightly" }))).await;
    assert_eq!(only_name["userErrors"], json!([]));
    let mut expected = before.clone();
    (expected["name"], expected["version"]) = (json!("nightly"), json!(2));
    assert_eq!(details(&ada.caller, &id).await, expected);
    assert_eq!(
        detail(&server.changes_of(&id).await[1]),
        json!({ "before": { "name": "ci" }, "after": { "name": "nightly" } })
    );

    let nulls = json!({
        "description": null, "roleIds": null, "scopes": null, "expiresAt": null,
        "tokenLifetimeSeconds": null, "tokenRateLimit": null, "callRateLimit": null,
    });
    assert_eq!(ada.caller.mistakes(UPDATE, update(&id, &nulls)).await, [""; 0]);
    insta::assert_snapshot!(details(&ada.caller, &id).await, @r#"{"callRateLimit":{"perSeconds":60,"requests":10000},"createdAt":"2026-11-21T09:00:00.000Z","description":null,"effectiveScopes":"activity:read keys:read keys:use keys:write roles:read scopes:read","expiresAt":null,"inheritsOwner":true,"name":"nightly","readOnly":false,"roles":"","scopes":"","tokenLifetimeSeconds":600,"tokenRateLimit":{"perSeconds":60,"requests":60},"updatedAt":"2026-11-21T09:00:00.000Z","version":3}"#);
    server.stop().await;
}

#[tokio::test]
async fn empty_lists_mean_none_and_end_the_inheritance() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    assert_eq!(ada.caller.mistakes(UPDATE, update(&key.id, &json!({ "roleIds": [] }))).await, [""; 0]);
    let found = details(&ada.caller, &key.id).await;
    assert_eq!((&found["inheritsOwner"], &found["effectiveScopes"]), (&json!(false), &json!("")));
    server.stop().await;
}

#[tokio::test]
async fn what_is_invalid_is_refused_with_its_field_and_changes_nothing() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let build = server.service_account("build").await;
    let key = server.key(&boss.account, "ci", Grants::Inherit).await;
    let machine = server.key(&build, "machine", Grants::Roles(&["member"])).await;
    let no_role = "role_00000000000000000000000001";
    let before = server.state().await;

    let refused = [
        (json!({ "name": "" }), "INVALID input.name"),
        (json!({ "name": "a\u{7f}b" }), "INVALID input.name"),
        (json!({ "name": "é".repeat(101) }), "TOO_LONG input.name"),
        (json!({ "description": "x".repeat(1001) }), "TOO_LONG input.description"),
        (json!({ "roleIds": ["admin"] }), "INVALID input.roleIds"),
        (json!({ "roleIds": [no_role] }), "NOT_FOUND input.roleIds role_00000000000000000000000001"),
        (json!({ "name": "other", "scopes": ["keys:reed"] }), "NOT_FOUND input.scopes"),
        (json!({ "expiresAt": "2026-11-21T09:00:00Z" }), "INVALID input.expiresAt"),
        (json!({ "tokenLifetimeSeconds": 59 }), "INVALID input.tokenLifetimeSeconds"),
        (json!({ "tokenLifetimeSeconds": 3601 }), "INVALID input.tokenLifetimeSeconds"),
        (json!({ "tokenRateLimit": { "requests": 0, "perSeconds": 1 } }), "INVALID input.tokenRateLimit"),
        (json!({ "callRateLimit": { "requests": 1, "perSeconds": 86_401 } }), "INVALID input.callRateLimit"),
    ];
    for (with, expected) in refused {
        let payload = boss.caller.change(UPDATE, update(&key.id, &with)).await;
        assert_eq!(mistakes(&payload), [expected], "{with}");
        assert_eq!(payload["apiKey"], Value::Null);
    }
    let bare = update(&machine.id, &json!({ "roleIds": null, "scopes": null }));
    assert_eq!(boss.caller.mistakes(UPDATE, bare).await, ["INVALID input.roleIds"]);
    for id in ["ci", &*boss.account.public_id] {
        assert_eq!(boss.caller.mistakes(UPDATE, json!({ "id": id })).await, ["INVALID input.id"]);
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn an_end_that_has_passed_may_stay_while_something_else_changes() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let end = "2026-11-21T09:00:01.000Z";
    let key = server
        .key_with(&ada.account, "ci", Grants::Inherit, |new| new.expires_at = Some(end.parse().unwrap()))
        .await;
    server.advance(std::time::Duration::from_secs(2));
    let both = json!({ "name": "old", "expiresAt": end });
    assert_eq!(ada.caller.mistakes(UPDATE, update(&key.id, &both)).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn a_taken_name_is_refused_and_names_the_key_that_has_it() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let first = server.key(&ada.account, "first", Grants::Inherit).await;
    let second = server.key(&ada.account, "second", Grants::Inherit).await;
    server.key(&bob, "third", Grants::Inherit).await;
    let before = server.state().await;

    let taken = ada.caller.mistakes(UPDATE, update(&second.id, &json!({ "name": "first" }))).await;
    assert_eq!(taken, [format!("NAME_TAKEN input.name {}", first.id)]);
    assert_eq!(server.state().await, before);

    for name in ["second", "third"] {
        let free = ada.caller.mistakes(UPDATE, update(&second.id, &json!({ "name": name }))).await;
        assert_eq!(free, [""; 0], "{name}");
    }
    assert_eq!(ada.caller.mistakes(DELETE, selection([&*first.id])).await, [""; 0]);
    let free = ada.caller.mistakes(UPDATE, update(&second.id, &json!({ "name": "first" }))).await;
    assert_eq!(free, [""; 0]);
    server.stop().await;
}

/// Proves: I-08
#[tokio::test]
async fn a_version_that_is_not_the_current_one_is_a_conflict() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let rename =
        |version: i32| update(&key.id, &json!({ "version": version, "name": format!("v{version}") }));
    assert_eq!(ada.caller.mistakes(UPDATE, rename(1)).await, [""; 0]);
    let before = server.state().await;
    for stale in [1, 0, 3] {
        let conflict = ada.caller.mistakes(UPDATE, rename(stale)).await;
        assert_eq!(conflict, [format!("VERSION_CONFLICT input.version {}", key.id)]);
    }
    assert_eq!(server.state().await, before);
    assert_eq!(ada.caller.mistakes(UPDATE, rename(2)).await, [""; 0]);
    server.stop().await;
}

/// Proves: I-08
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_that_read_the_same_version_one_succeeds_and_without_versions_all_do() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    for (version, expected) in [(Some(1), 1), (None, 50)] {
        let mut all = JoinSet::new();
        for index in 0..50 {
            let input = update(&key.id, &json!({ "version": version, "description": format!("by {index}") }));
            let caller = ada.caller.clone();
            all.spawn(async move { caller.change_among_many(UPDATE, input).await });
        }
        let (done, refused): (Vec<_>, Vec<_>) =
            all.join_all().await.into_iter().partition(|payload| payload["apiKey"].is_object());
        assert_eq!((done.len(), refused.len()), (expected, 50 - expected));
        for payload in refused {
            assert_eq!(mistakes(&payload), [format!("VERSION_CONFLICT input.version {}", key.id)]);
        }
    }
    // Made, changed by the one, changed by the fifty.
    assert_eq!(server.changes_of(&key.id).await.len(), 52);
    assert_eq!(details(&ada.caller, &key.id).await["version"], 52);
    server.stop().await;
}

#[tokio::test]
async fn keys_of_others_deleted_keys_and_unknown_keys_look_the_same() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let foreign = server.key(&bob, "bobs", Grants::Inherit).await.id;
    let deleted = server.key(&ada.account, "old", Grants::Inherit).await.id;
    ada.caller.change(DELETE, selection([&*deleted])).await;
    let before = server.state().await;
    for id in [&*foreign, &deleted, "key_00000000000000000000000001"] {
        // Neither a stale version nor a wrong value tells that the key is there.
        for with in [json!({ "name": "mine" }), json!({ "version": 7, "scopes": ["keys:reed"] })] {
            let mut payload = ada.caller.change(UPDATE, update(id, &with)).await;
            assert_eq!(mistakes(&payload), [format!("NOT_FOUND input.id {id}")]);
            let message = payload["userErrors"][0]["message"].take();
            assert_eq!(message, format!("There is no {id} that you can change."));
        }
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn without_the_scope_or_with_a_read_only_key_it_is_denied() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "reader", Grants::Scopes(&["keys:read"])).await;
    let reader = server.sign_in(&key).await;
    let still = server.key_with(&ada.account, "still", Grants::Inherit, |new| new.read_only = true).await;
    let still = server.sign_in(&still).await;
    let before = server.state().await;
    let input = update(&key.id, &json!({ "name": "mine" }));
    assert_eq!(reader.denied(UPDATE, input.clone()).await, "FORBIDDEN keys:write keys:write:any");
    assert_eq!(still.denied(UPDATE, input.clone()).await, "READ_ONLY");
    assert_eq!(server.guest().denied(UPDATE, input).await, "UNAUTHENTICATED");
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn who_may_change_everybodys_keys_changes_those_of_others() {
    let server = Server::start().await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let payload = manager.caller.change(UPDATE, update(&key.id, &json!({ "name": "nightly" }))).await;
    assert_eq!(payload["apiKey"]["name"], "nightly", "{payload}");
    let rows = server.changes_of(&key.id).await;
    assert_eq!(rows[1].owner_id, Some(ada.id));
    assert_eq!(rows[1].actor_id, manager.key.id.parse::<entity::KeyId>().ok().map(|id| id.0));
    server.stop().await;
}
