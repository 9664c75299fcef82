//! `createRole`, `updateRole`, `deleteRole`.

use entity::activity::ActivityKind;
use serde_json::{Value, json};

use super::{each_is_refused, started, unknown, update};
use crate::harness::changes::{
    CREATE_GROUP, CREATE_ROLE, Change, DELETE_ROLE, UPDATE_GROUP, UPDATE_ROLE, UPDATE_USER, names,
};
use crate::harness::keys::{CREATE, DELETE, selection};
use crate::harness::{Caller, Grants};

async fn details(caller: &Caller, id: &str) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on Role {
        name description builtIn scopes { name } version
    } } }";
    let mut role = caller.graphql_with(query, json!({ "id": id })).await.data()["node"].take();
    if role.is_object() {
        role["scopes"] = names(&role["scopes"]).into();
    }
    role
}

#[tokio::test]
async fn a_role_is_made_changed_and_deleted_and_the_log_tells_it() {
    let (server, boss) = started().await;
    let scopes = ["users:read", "keys:use", "users:read"];
    let input = json!({ "name": " desk ", "description": " Help desk ", "scopes": scopes });
    let id = boss.caller.made(CREATE_ROLE, input).await;
    let mut expected = json!({
        "name": "desk", "description": "Help desk", "builtIn": false, "scopes": "keys:use users:read", "version": 1,
    });
    assert_eq!(details(&boss.caller, &id).await, expected);
    let steps = [
        (json!({ "name": "help", "version": 1 }), json!("help"), json!("Help desk"), "keys:use users:read"),
        (
            json!({ "name": null, "scopes": null, "version": null }),
            json!("help"),
            json!("Help desk"),
            "keys:use users:read",
        ),
        (json!({ "description": null }), json!("help"), Value::Null, "keys:use users:read"),
        (
            json!({ "scopes": ["groups:read", "keys:use"] }),
            json!("help"),
            Value::Null,
            "groups:read keys:use",
        ),
        (json!({ "scopes": [] }), json!("help"), Value::Null, ""),
    ];
    for (n, (with, name, description, scopes)) in steps.into_iter().enumerate() {
        boss.caller.done(UPDATE_ROLE, update(&id, &with)).await;
        (expected["name"], expected["description"]) = (name, description);
        (expected["scopes"], expected["version"]) = (json!(scopes), json!(n + 2));
        assert_eq!(details(&boss.caller, &id).await, expected, "{with}");
    }
    assert_eq!(boss.caller.done(DELETE_ROLE, json!({ "id": id })).await["deletedId"], json!(id));
    assert_eq!(details(&boss.caller, &id).await, Value::Null);

    let told = server.changes_about(&id).await;
    assert!(told.iter().all(|change| change.actor == boss.key.id));
    let told: Vec<_> = told.into_iter().map(|Change { kind, detail, .. }| (kind, detail)).collect();
    let created = json!({ "after": {
        "name": "desk", "description": "Help desk", "scopes": ["keys:use", "users:read"],
    } });
    let changed = json!({
        "before": { "scopes": ["keys:use", "users:read"] }, "after": { "scopes": ["groups:read", "keys:use"] },
    });
    let deleted = json!({ "before": { "name": "help", "description": null, "scopes": [] } });
    assert_eq!((told.len(), &told[0]), (7, &(ActivityKind::RoleCreated, created)));
    assert_eq!(told[4], (ActivityKind::RoleUpdated, changed));
    assert_eq!(told[6], (ActivityKind::RoleDeleted, deleted));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let id = boss.caller.made(CREATE_ROLE, json!({ "name": "desk", "scopes": [] })).await;
    let taken = format!("NAME_TAKEN input.name {}", server.role("member").await);
    let both = [
        (json!({ "name": "" }), "INVALID input.name"),
        (json!({ "name": "a\u{0}b" }), "INVALID input.name"),
        (json!({ "name": "é".repeat(101) }), "TOO_LONG input.name"),
        (json!({ "name": " member" }), taken.as_str()),
        (json!({ "name": "x", "description": "\u{7}" }), "INVALID input.description"),
        (json!({ "name": "x", "description": "x".repeat(1001) }), "TOO_LONG input.description"),
        (json!({ "name": "x", "scopes": ["keys:read", "keys:fly"] }), "NOT_FOUND input.scopes"),
        (json!({ "name": "x", "scopes": ["a\u{0}"] }), "NOT_FOUND input.scopes"),
        (json!({ "name": "x", "scopes": [""] }), "NOT_FOUND input.scopes"),
    ];
    let by = (&server, &boss.caller);
    let created = both.iter().map(|(with, expected)| {
        let mut input = json!({ "scopes": [] });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        (input, (*expected).to_owned())
    });
    each_is_refused(by, CREATE_ROLE, created).await;
    let updated = both.iter().map(|(with, expected)| (update(&id, with), (*expected).to_owned()));
    each_is_refused(by, UPDATE_ROLE, updated).await;
    let missing = unknown("role");
    let updated = [
        (json!({ "id": id, "version": 2 }), format!("VERSION_CONFLICT input.version {id}")),
        (json!({ "id": missing }), format!("NOT_FOUND input.id {missing}")),
        (json!({ "id": boss.account.public_id }), "INVALID input.id".to_owned()),
    ];
    each_is_refused(by, UPDATE_ROLE, updated).await;
    let gone = (json!({ "id": missing }), format!("NOT_FOUND input.id {missing}"));
    each_is_refused(by, DELETE_ROLE, [gone]).await;
    server.stop().await;
}

#[tokio::test]
async fn built_in_roles_stay_as_they_are() {
    let (server, boss) = started().await;
    for name in ["admin", "key-manager", "analyst", "auditor", "member"] {
        let id = server.role(name).await;
        let expected = format!("BUILT_IN input.id {id}");
        let changes = [json!({ "name": "mine" }), json!({ "scopes": [] }), json!({ "description": "x" })]
            .map(|with| (update(&id, &with), expected.clone()));
        each_is_refused((&server, &boss.caller), UPDATE_ROLE, changes).await;
        let delete = (json!({ "id": id }), expected);
        each_is_refused((&server, &boss.caller), DELETE_ROLE, [delete]).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_role_that_somebody_has_stays_and_they_are_named() {
    let (server, boss) = started().await;
    let role = boss.caller.made(CREATE_ROLE, json!({ "name": "desk", "scopes": ["keys:read"] })).await;
    let ada = server.user("ada@example.com", &["member", "desk"]).await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops", "roleIds": [role] })).await;
    let key = server.key(&ada, "ci", Grants::Roles(&["desk"])).await.id;
    let mut holders = vec![ada.public_id.clone(), group.clone(), key.clone()];
    let ways_out = [
        (UPDATE_USER, json!({ "id": ada.public_id, "roleIds": [] })),
        (UPDATE_GROUP, json!({ "id": group, "roleIds": [] })),
        (DELETE, selection([&*key])),
    ];
    for (mutation, input) in ways_out {
        let before = server.whole_state().await;
        let mistake = boss.caller.mistake(DELETE_ROLE, json!({ "id": role })).await;
        let told = ["code", "field", "targetId", "relatedIds"].map(|name| mistake[name].clone());
        assert_eq!(told, [json!("IN_USE"), json!(["input", "id"]), json!(role), json!(holders)]);
        assert!(server.whole_state().await == before);
        boss.caller.done(mutation, input).await;
        holders.remove(0);
    }
    // The key is a tombstone now: it stands in nobody's way.
    boss.caller.done(DELETE_ROLE, json!({ "id": role })).await;
    server.stop().await;
}

#[tokio::test]
async fn at_most_100_holders_are_named() {
    let (server, boss) = started().await;
    let role = boss.caller.made(CREATE_ROLE, json!({ "name": "desk", "scopes": ["keys:read"] })).await;
    for n in 0..60 {
        server.user(&format!("u{n}@example.com"), &["desk"]).await;
        boss.caller.made(CREATE_GROUP, json!({ "name": format!("g{n}"), "roleIds": [role] })).await;
    }
    boss.caller.made(CREATE, json!({ "name": "ci", "roleIds": [role] })).await;
    let mistake = boss.caller.mistake(DELETE_ROLE, json!({ "id": role })).await;
    assert_eq!(mistake["relatedIds"].as_array().unwrap().len(), 100);
    server.stop().await;
}
