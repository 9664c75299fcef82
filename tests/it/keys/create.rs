//! `createApiKey`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::keys::{CREATE, DELETE, REGENERATE, detail, mistakes, selection};
use crate::harness::{Caller, Grants, Key, Server};

const EVERYTHING: &str = "query ($id: ID!) {
    apiKey(by: { id: $id }) {
        id clientId name description status readOnly inheritsOwner roles { name scopes { name } } scopes { name }
        effectiveScopes { name } secrets { hint createdAt validUntil } tokenLifetimeSeconds
        tokenRateLimit { requests perSeconds } callRateLimit { requests perSeconds }
        createdAt updatedAt expiresAt allowedNetworks version owner { ... on User { email } ... on ServiceAccount { name } }
        createdBy { __typename ... on ApiKey { name } }
    }
    node(id: $id) { id ... on ApiKey { clientId secrets { hint } } }
    activity(first: 100) { nodes {
        kind outcome detail tokenId requestId actor { __typename } target { id } apiKey { id name } } }
}";

/// The key that a payload holds, with its secret.
fn created(payload: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Key {
        id: text(&payload["apiKey"]["id"]),
        client_id: text(&payload["apiKey"]["clientId"]),
        secret: text(&payload["clientSecret"]),
    }
}

/// An input that would make a key, changed by `with`.
fn input(with: &Value) -> Value {
    let mut input = json!({ "name": "ci" });
    for (name, value) in with.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

async fn everything(caller: &Caller, key: &str) -> Value {
    caller.graphql_with(EVERYTHING, json!({ "id": key })).await.data()
}

/// Proves: D-01, D-13, D-16
#[tokio::test]
async fn a_name_alone_makes_a_key_that_works_at_once_and_acts_as_its_owner() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;

    let payload = ada.caller.change(CREATE, json!({ "name": " ci " })).await;
    assert_eq!(payload["userErrors"], json!([]));
    let key = created(&payload);
    let found = everything(&ada.caller, &key.id).await["apiKey"].take();
    assert_eq!(
        (&found["name"], &found["status"], &found["inheritsOwner"], &found["version"]),
        (&json!("ci"), &json!("ACTIVE"), &json!(true), &json!(1))
    );
    assert_eq!(found["owner"]["email"], "ada@example.com");
    assert_eq!(found["createdBy"], json!({ "__typename": "ApiKey", "name": "ada@example.com's own" }));

    let viewer = server.sign_in(&key).await.graphql("{ viewer { scopes } }").await.data();
    let member = ["activity:read", "keys:read", "keys:use", "keys:write", "roles:read", "scopes:read"];
    assert_eq!(viewer["viewer"]["scopes"], json!(member));
    server.stop().await;
}

/// Proves: I-03, I-05, R-21
#[tokio::test]
async fn everything_that_was_given_is_there_afterwards() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let build = server.service_account("build").await;

    let payload = boss
        .caller
        .change(
            CREATE,
            json!({
                "name": "nightly",
                "description": "two\nlines",
                "ownerId": build.public_id,
                "roleIds": [server.role("member").await],
                "scopes": ["users:read", "users:write"],
                "readOnly": true,
                "allowedNetworks": ["192.0.2.0/24"],
                "expiresAt": "2026-12-01T00:00:00+01:00",
                "tokenLifetimeSeconds": 60,
                "tokenRateLimit": { "requests": 5, "perSeconds": 1 },
                "callRateLimit": { "requests": 1, "perSeconds": 86_400 },
            }),
        )
        .await;
    assert_eq!(payload["userErrors"], json!([]));
    let mut found = everything(&boss.caller, &created(&payload).id).await["apiKey"].take();
    for unknown in ["id", "clientId", "roles", "secrets"] {
        found.as_object_mut().unwrap().remove(unknown);
    }
    insta::assert_snapshot!(found, @r#"{"allowedNetworks":["192.0.2.0/24"],"callRateLimit":{"perSeconds":86400,"requests":1},"createdAt":"2026-11-21T09:00:00.000Z","createdBy":{"__typename":"ApiKey","name":"boss@example.com's own"},"description":"two\nlines","effectiveScopes":[{"name":"activity:read"},{"name":"keys:read"},{"name":"keys:use"},{"name":"roles:read"},{"name":"scopes:read"},{"name":"users:read"}],"expiresAt":"2026-11-30T23:00:00.000Z","inheritsOwner":false,"name":"nightly","owner":{"name":"build"},"readOnly":true,"scopes":[{"name":"users:read"},{"name":"users:write"}],"status":"ACTIVE","tokenLifetimeSeconds":60,"tokenRateLimit":{"perSeconds":1,"requests":5},"updatedAt":"2026-11-21T09:00:00.000Z","version":1}"#);
    server.stop().await;
}

#[tokio::test]
async fn the_log_has_one_row_with_what_the_key_was_made_of() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let payload =
        ada.caller.change(CREATE, json!({ "name": "ci", "scopes": ["keys:read"], "readOnly": true })).await;
    let key = created(&payload);

    let rows = server.changes_of(&key.id).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.kind, entity::activity::ActivityKind::KeyCreated);
    assert_eq!(row.owner_id, Some(ada.account.id));
    assert_eq!([row.actor_kind, row.target_kind], [Some(entity::ObjectKind::ApiKey); 2]);
    assert_eq!(row.actor_id, ada.key.id.parse::<entity::KeyId>().ok().map(|id| id.0));
    assert_eq!(row.target_id, key.id.parse::<entity::KeyId>().ok().map(|id| id.0));
    assert!(row.ip.is_some() && row.request_id.is_some());
    insta::assert_snapshot!(detail(row), @r#"{"after":{"allowedNetworks":null,"callRateLimit":null,"description":null,"expiresAt":null,"inheritsOwner":false,"name":"ci","readOnly":true,"roles":[],"scopes":["keys:read"],"tokenLifetimeSeconds":null,"tokenRateLimit":null}}"#);
    server.stop().await;
}

#[tokio::test]
async fn the_limits_of_every_value_are_allowed() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let allowed = [
        json!({ "name": "é".repeat(100) }),
        json!({ "name": "1", "description": "é".repeat(1000) }),
        json!({ "name": "2", "expiresAt": "2026-11-21T09:00:00.001Z" }),
        json!({ "name": "3", "tokenLifetimeSeconds": 60 }),
        json!({ "name": "4", "tokenLifetimeSeconds": 3600 }),
        json!({ "name": "5", "tokenRateLimit": { "requests": 1, "perSeconds": 1 } }),
        json!({ "name": "6", "callRateLimit": { "requests": i32::MAX, "perSeconds": 86_400 } }),
        json!({ "name": "7", "roleIds": [], "scopes": [] }),
        json!({ "name": "8", "scopes": ["keys:read", "keys:read"] }),
    ];
    for input in allowed {
        assert_eq!(ada.caller.mistakes(CREATE, input.clone()).await, [""; 0], "{input}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_invalid_is_refused_with_its_field_and_changes_nothing() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let build = server.service_account("build").await;
    let gone = server.user("gone@example.com", &["member"]).await;
    server.deactivate(&gone).await;
    let nobody = "user_00000000000000000000000001";
    let no_role = "role_00000000000000000000000001";
    let unknown_role = format!("NOT_FOUND input.roleIds {no_role}");
    let before = server.state().await;

    let refused = [
        (json!({ "name": "" }), "INVALID input.name"),
        (json!({ "name": " \t " }), "INVALID input.name"),
        (json!({ "name": "a\nb" }), "INVALID input.name"),
        (json!({ "name": "a\u{0}b" }), "INVALID input.name"),
        (json!({ "name": "é".repeat(101) }), "TOO_LONG input.name"),
        (json!({ "description": "x".repeat(1001) }), "TOO_LONG input.description"),
        (json!({ "description": "bell\u{7}" }), "INVALID input.description"),
        (json!({ "ownerId": "ada" }), "INVALID input.ownerId"),
        (json!({ "ownerId": boss.key.id }), "INVALID input.ownerId"),
        (json!({ "ownerId": gone.public_id }), "INVALID input.ownerId"),
        (json!({ "ownerId": nobody }), "NOT_FOUND input.ownerId"),
        (json!({ "ownerId": build.public_id }), "INVALID input.roleIds"),
        (json!({ "roleIds": ["admin"] }), "INVALID input.roleIds"),
        (json!({ "roleIds": [boss.account.public_id] }), "INVALID input.roleIds"),
        (json!({ "roleIds": [no_role] }), &*unknown_role),
        (json!({ "roleIds": [server.role("member").await, no_role] }), &*unknown_role),
        (json!({ "scopes": ["keys:read", "keys:reed"] }), "NOT_FOUND input.scopes"),
        (json!({ "scopes": [""] }), "NOT_FOUND input.scopes"),
        (json!({ "scopes": ["keys:read\u{0}"] }), "NOT_FOUND input.scopes"),
        (json!({ "expiresAt": "2026-11-21T09:00:00Z" }), "INVALID input.expiresAt"),
        (json!({ "expiresAt": "1970-01-01T00:00:00Z" }), "INVALID input.expiresAt"),
        (json!({ "tokenLifetimeSeconds": 59 }), "INVALID input.tokenLifetimeSeconds"),
        (json!({ "tokenLifetimeSeconds": 3601 }), "INVALID input.tokenLifetimeSeconds"),
        (json!({ "tokenLifetimeSeconds": -1 }), "INVALID input.tokenLifetimeSeconds"),
        (json!({ "tokenRateLimit": { "requests": 0, "perSeconds": 1 } }), "INVALID input.tokenRateLimit"),
        (json!({ "tokenRateLimit": { "requests": 1, "perSeconds": 0 } }), "INVALID input.tokenRateLimit"),
        (json!({ "callRateLimit": { "requests": -1, "perSeconds": 1 } }), "INVALID input.callRateLimit"),
        (json!({ "callRateLimit": { "requests": 1, "perSeconds": 86_401 } }), "INVALID input.callRateLimit"),
    ];
    for (with, expected) in refused {
        let payload = boss.caller.change(CREATE, input(&with)).await;
        assert_eq!(mistakes(&payload), [expected], "{with}");
        assert_eq!((&payload["apiKey"], &payload["clientSecret"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn values_of_the_wrong_kind_are_refused_before_anything_runs() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let before = server.state().await;
    let wrong = [
        json!({}),
        json!({ "name": 7 }),
        json!({ "name": null }),
        json!({ "name": "ci", "expiresAt": "tomorrow" }),
        json!({ "name": "ci", "tokenLifetimeSeconds": 5_000_000_000_i64 }),
        json!({ "name": "ci", "tokenRateLimit": { "requests": 1 } }),
        json!({ "name": "ci", "scopes": [null] }),
        json!({ "name": "ci", "unknown": true }),
    ];
    for input in wrong {
        let answer = ada.caller.graphql_with(CREATE, json!({ "input": input })).await;
        assert_ne!(answer.code(), "INTERNAL", "{}", answer.text);
        assert_eq!(answer.json()["data"]["change"], Value::Null, "{}", answer.text);
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

/// Proves: D-13
#[tokio::test]
async fn a_name_is_taken_for_its_owner_only_and_free_again_after_deletion() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let first = created(&ada.caller.change(CREATE, json!({ "name": "ci" })).await);
    let before = server.state().await;

    let taken = format!("NAME_TAKEN input.name {}", first.id);
    let for_ada = json!({ "name": "ci", "ownerId": ada.account.public_id });
    for (caller, input) in [(&ada.caller, json!({ "name": " ci " })), (&boss.caller, for_ada)] {
        assert_eq!(*caller.mistakes(CREATE, input).await, *std::slice::from_ref(&taken));
    }
    assert_eq!(server.state().await, before);

    assert_eq!(boss.caller.mistakes(CREATE, json!({ "name": "ci" })).await, [""; 0]);
    assert_eq!(ada.caller.mistakes(CREATE, json!({ "name": "CI" })).await, [""; 0]);
    assert_eq!(ada.caller.mistakes(DELETE, selection([&*first.id])).await, [""; 0]);
    assert_eq!(ada.caller.mistakes(CREATE, json!({ "name": "ci" })).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn a_taken_name_does_not_give_away_a_key_that_is_out_of_sight() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let narrow = server.key(&ada.account, "narrow", Grants::Scopes(&["keys:read", "keys:write"])).await;
    let caller = server.sign_in(&narrow).await;
    let taken = caller.mistakes(CREATE, json!({ "name": "ada@example.com's own", "scopes": [] })).await;
    assert_eq!(taken, ["NAME_TAKEN input.name"]);
    server.stop().await;
}

#[tokio::test]
async fn scopes_that_the_caller_does_not_hold_are_named() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let before = server.state().await;

    let payload = ada
        .caller
        .change(CREATE, json!({ "name": "ci", "scopes": ["users:write", "keys:read", "users:read"] }));
    let payload = payload.await;
    assert_eq!(mistakes(&payload), ["SCOPE_NOT_HELD input.scopes"]);
    let message = payload["userErrors"][0]["message"].as_str().unwrap();
    assert!(message.contains("users:read users:write") && !message.contains("keys:read"), "{message}");

    let roles = json!({ "name": "ci", "roleIds": [server.role("key-manager").await] });
    let payload = ada.caller.change(CREATE, roles).await;
    assert_eq!(mistakes(&payload), ["SCOPE_NOT_HELD input.roleIds"]);
    let message = payload["userErrors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("groups:read keys:create:any keys:read:any keys:write:any users:read"),
        "{message}"
    );
    assert_eq!(server.state().await, before);
    server.stop().await;
}

/// Proves: D-17, R-06
#[tokio::test]
async fn without_the_scope_it_is_forbidden_and_says_which_would_do() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let reader = server.key(&ada.account, "reader", Grants::Scopes(&["keys:read"])).await;
    let reader = server.sign_in(&reader).await;
    let before = server.state().await;

    let own = reader.denied(CREATE, json!({ "name": "ci" })).await;
    assert_eq!(own, "FORBIDDEN keys:write keys:write:any");
    for owner in [&*bob.public_id, "user_00000000000000000000000001"] {
        let input = json!({ "name": "ci", "ownerId": owner });
        assert_eq!(ada.caller.denied(CREATE, input).await, "FORBIDDEN keys:create:any");
    }
    assert_eq!(server.guest().denied(CREATE, json!({ "name": "ci" })).await, "UNAUTHENTICATED");
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_read_only_key_cannot_create() {
    let server = Server::start().await;
    let boss = server.user("boss@example.com", &["admin"]).await;
    let key = server.key_with(&boss, "reports", Grants::Inherit, |new| new.read_only = true).await;
    let caller = server.sign_in(&key).await;
    let before = server.state().await;
    assert_eq!(caller.denied(CREATE, json!({ "name": "ci" })).await, "READ_ONLY");
    assert_eq!(server.state().await, before);
    server.stop().await;
}

/// Proves: D-15, X-05, X-10
#[tokio::test]
async fn the_secret_is_shown_once_and_kept_nowhere() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let answer = boss.caller.graphql_with(CREATE, json!({ "input": { "name": "ci" } })).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let key = created(&answer.data()["change"]);
    let rotated = boss.caller.change(REGENERATE, selection([&*key.id])).await;
    let next = rotated["issued"][0]["clientSecret"].as_str().unwrap().to_owned();
    server.sign_in(&Key { secret: next.clone(), ..key.clone() }).await;

    let seen = everything(&boss.caller, &key.id).await;
    assert_eq!(seen["apiKey"]["secrets"][0]["hint"], next[next.len() - 4..]);
    let tables = server.every_row().await;
    let place = server.stop().await;
    let mut files: Vec<u8> = Vec::new();
    for file in std::fs::read_dir(place.path()).unwrap() {
        files.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(
        tables.contains(&key.client_id) || files.windows(32).any(|part| part == key.client_id.as_bytes())
    );
    for secret in [&key.secret, &next] {
        // Without its prefix and checksum too.
        let body = &secret["lk_sk_".len()..secret.len() - 6];
        assert_eq!(body.len(), 43);
        assert!(!seen.to_string().contains(body));
        assert!(!tables.contains(body));
        assert!(!files.windows(body.len()).any(|part| part == body.as_bytes()));
    }
}

/// Proves: I-09
#[tokio::test]
async fn a_key_can_be_made_without_a_secret_and_get_its_first_one_later() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let payload = ada.caller.change(CREATE, json!({ "name": "ci", "issueSecret": false })).await;
    assert_eq!((&payload["clientSecret"], &payload["userErrors"]), (&Value::Null, &json!([])));
    let id = payload["apiKey"]["id"].as_str().unwrap();
    assert_eq!(everything(&ada.caller, id).await["apiKey"]["secrets"], json!([]));

    let mut graced = selection([id]);
    graced["gracePeriodSeconds"] = json!(3600);
    let issued = ada.caller.change(REGENERATE, graced).await["issued"][0].take();
    assert_eq!(issued["previousValidUntil"], Value::Null);
    server.advance(Duration::from_millis(1));
    server.sign_in(&created(&issued)).await;
    server.stop().await;
}

/// Proves: D-13
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_that_want_the_same_name_at_once_exactly_one_gets_it() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for round in 0..3 {
        let name = format!("ci {round}");
        let mut all = JoinSet::new();
        for _ in 0..50 {
            let (caller, name) = (ada.caller.clone(), name.clone());
            all.spawn(async move { caller.change_among_many(CREATE, json!({ "name": name })).await });
        }
        let (made, refused): (Vec<_>, Vec<_>) =
            all.join_all().await.into_iter().partition(|payload| payload["apiKey"].is_object());
        assert_eq!((made.len(), refused.len()), (1, 49));
        for payload in refused {
            assert_eq!(payload["userErrors"][0]["code"], "NAME_TAKEN", "{payload}");
        }
        let key = created(&made[0]);
        server.sign_in(&key).await;
        assert_eq!(server.changes_of(&key.id).await.len(), 1);
    }
    let created = server.log().await.into_iter();
    let created = created.filter(|row| row.kind == entity::activity::ActivityKind::KeyCreated);
    assert_eq!(created.count(), 4);
    server.stop().await;
}
