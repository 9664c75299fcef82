//! `createServiceAccount`, `updateServiceAccount`, `deleteServiceAccount`.

use entity::activity::ActivityKind;
use serde_json::{Value, json};

use super::{each_is_refused, started, unknown, update};
use crate::harness::changes::{CREATE_ACCOUNT, Change, DELETE_ACCOUNT, UPDATE_ACCOUNT};
use crate::harness::keys::{CREATE, DELETE, selection};
use crate::harness::{Caller, START};

async fn details(caller: &Caller, id: &str) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on ServiceAccount {
        name description createdAt version createdBy { ... on ApiKey { id } }
    } } }";
    caller.graphql_with(query, json!({ "id": id })).await.data()["node"].take()
}

/// Proves: I-02
#[tokio::test]
async fn one_is_made_changed_and_deleted_and_the_log_tells_it() {
    let (server, boss) = started().await;
    let id = boss.caller.made(CREATE_ACCOUNT, json!({ "name": " build ", "description": " CI " })).await;
    let mut expected = json!({
        "name": "build", "description": "CI", "createdAt": START, "version": 1, "createdBy": { "id": boss.key.id },
    });
    assert_eq!(details(&boss.caller, &id).await, expected);
    let steps = [
        (json!({ "name": "deploy" }), json!("deploy"), json!("CI")),
        (json!({ "name": null, "version": 2 }), json!("deploy"), json!("CI")),
        (json!({ "description": null }), json!("deploy"), Value::Null),
        (json!({ "description": "x" }), json!("deploy"), json!("x")),
    ];
    for (n, (with, name, description)) in steps.into_iter().enumerate() {
        boss.caller.done(UPDATE_ACCOUNT, update(&id, &with)).await;
        (expected["name"], expected["description"]) = (name, description);
        expected["version"] = json!(n + 2);
        assert_eq!(details(&boss.caller, &id).await, expected, "{with}");
    }
    assert_eq!(boss.caller.done(DELETE_ACCOUNT, json!({ "id": id })).await["deletedId"], json!(id));
    assert_eq!(details(&boss.caller, &id).await, Value::Null);

    let told = server.changes_about(&id).await;
    assert!(told.iter().all(|change| change.actor == boss.key.id));
    let told: Vec<_> = told.into_iter().map(|Change { kind, detail, .. }| (kind, detail)).collect();
    assert_eq!(told.len(), 6);
    let created = json!({ "after": { "name": "build", "description": "CI" } });
    let renamed = json!({ "before": { "name": "build" }, "after": { "name": "deploy" } });
    let deleted = json!({ "before": { "name": "deploy", "description": "x" } });
    assert_eq!(told[0], (ActivityKind::ServiceAccountCreated, created));
    assert_eq!(told[1], (ActivityKind::ServiceAccountUpdated, renamed));
    assert_eq!(told[5], (ActivityKind::ServiceAccountDeleted, deleted));
    // Its name is free again.
    boss.caller.made(CREATE_ACCOUNT, json!({ "name": "deploy" })).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let other = boss.caller.made(CREATE_ACCOUNT, json!({ "name": "build" })).await;
    let id = boss.caller.made(CREATE_ACCOUNT, json!({ "name": "deploy" })).await;
    let taken = format!("NAME_TAKEN input.name {other}");
    let both = [
        (json!({ "name": "\t" }), "INVALID input.name"),
        (json!({ "name": "a\u{0}b" }), "INVALID input.name"),
        (json!({ "name": "é".repeat(101) }), "TOO_LONG input.name"),
        (json!({ "name": " build" }), taken.as_str()),
        (json!({ "name": "x", "description": "a\u{0}" }), "INVALID input.description"),
        (json!({ "name": "x", "description": "x".repeat(1001) }), "TOO_LONG input.description"),
    ];
    let by = (&server, &boss.caller);
    let created = both.iter().map(|(input, expected)| (input.clone(), (*expected).to_owned()));
    each_is_refused(by, CREATE_ACCOUNT, created).await;
    let updated = both.iter().map(|(with, expected)| (update(&id, with), (*expected).to_owned()));
    each_is_refused(by, UPDATE_ACCOUNT, updated).await;
    let conflict = (json!({ "id": id, "version": 7 }), format!("VERSION_CONFLICT input.version {id}"));
    each_is_refused(by, UPDATE_ACCOUNT, [conflict]).await;
    let as_service = boss.account.public_id.replace("user_", "svc_");
    for id in [unknown("svc"), as_service] {
        let attempt = (json!({ "id": id }), format!("NOT_FOUND input.id {id}"));
        each_is_refused(by, UPDATE_ACCOUNT, [attempt.clone()]).await;
        each_is_refused(by, DELETE_ACCOUNT, [attempt]).await;
    }
    let attempt = (json!({ "id": boss.account.public_id }), "INVALID input.id".to_owned());
    each_is_refused(by, UPDATE_ACCOUNT, [attempt.clone()]).await;
    each_is_refused(by, DELETE_ACCOUNT, [attempt]).await;
    server.stop().await;
}

#[tokio::test]
async fn one_that_owns_keys_stays_even_when_they_are_deleted() {
    let (server, boss) = started().await;
    let id = boss.caller.made(CREATE_ACCOUNT, json!({ "name": "build" })).await;
    let key = json!({ "name": "ci", "ownerId": id, "scopes": ["keys:read"] });
    let key = boss.caller.made(CREATE, key).await;
    for deleted in [false, true] {
        if deleted {
            boss.caller.done(DELETE, selection([&*key])).await;
        }
        let before = server.whole_state().await;
        let mistake = boss.caller.mistake(DELETE_ACCOUNT, json!({ "id": id })).await;
        let told = ["code", "field", "targetId", "relatedIds"].map(|name| mistake[name].clone());
        assert_eq!(told, [json!("IN_USE"), json!(["input", "id"]), json!(id), json!([key])]);
        assert!(server.whole_state().await == before);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_operators_own_came_with_the_server_and_stays() {
    let (server, boss) = started().await;
    let query = "{ serviceAccounts(filter: { search: \"operator\" }) { nodes { id name createdBy { __typename } } } }";
    let found = boss.caller.graphql(query).await.data()["serviceAccounts"]["nodes"][0].take();
    assert_eq!(found["createdBy"]["__typename"], "System");
    let id = found["id"].as_str().unwrap();
    let by = (&server, &boss.caller);
    let built_in = |input: Value| (input, format!("BUILT_IN input.id {id}"));
    each_is_refused(by, UPDATE_ACCOUNT, [built_in(json!({ "id": id, "name": "mine" }))]).await;
    each_is_refused(by, DELETE_ACCOUNT, [built_in(json!({ "id": id }))]).await;
    server.stop().await;
}
