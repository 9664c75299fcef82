//! `createScope`, `updateScope`, `deleteScope`.

use entity::activity::ActivityKind;
use serde_json::{Value, json};

use super::{each_is_refused, started, unknown, update};
use crate::harness::changes::{
    CREATE_API, CREATE_ROLE, CREATE_SCOPE, Change, DELETE_ROLE, DELETE_SCOPE, UPDATE_SCOPE,
};
use crate::harness::keys::{CREATE, DELETE, selection};
use crate::harness::{Caller, Grants, Server};

async fn details(caller: &Caller, id: &str) -> Value {
    let query =
        "query ($id: ID!) { node(id: $id) { ... on Scope { name description kind api { id name } } } }";
    caller.graphql_with(query, json!({ "id": id })).await.data()["node"].take()
}

async fn api(caller: &Caller) -> String {
    caller.made(CREATE_API, json!({ "identifier": "urn:billing", "name": "Billing" })).await
}

/// The administrator again, with a token that has what was made since.
async fn again(server: &Server, boss: &crate::harness::keys::Person) -> Caller {
    server.sign_in(&boss.key).await
}

#[tokio::test]
async fn a_scope_is_made_changed_and_deleted_and_the_log_tells_it() {
    let (server, boss) = started().await;
    let api = api(&boss.caller).await;
    let input = json!({ "apiId": api, "name": "invoices:read", "description": " See ", "kind": "READ" });
    let id = boss.caller.made(CREATE_SCOPE, input).await;
    let mut expected = json!({
        "name": "invoices:read", "description": "See", "kind": "READ", "api": { "id": api, "name": "Billing" },
    });
    assert_eq!(details(&boss.caller, &id).await, expected);
    let boss_again = again(&server, &boss).await;
    let steps = [
        (json!({ "kind": "WRITE" }), json!("See"), "WRITE"),
        (json!({ "kind": null }), json!("See"), "WRITE"),
        (json!({ "description": null }), Value::Null, "WRITE"),
        (json!({ "description": "x", "kind": "READ" }), json!("x"), "READ"),
    ];
    for (with, description, kind) in steps {
        boss_again.done(UPDATE_SCOPE, update(&id, &with)).await;
        (expected["description"], expected["kind"]) = (description, json!(kind));
        assert_eq!(details(&boss.caller, &id).await, expected, "{with}");
    }
    assert_eq!(boss.caller.done(DELETE_SCOPE, json!({ "id": id })).await["deletedId"], json!(id));
    assert_eq!(details(&boss.caller, &id).await, Value::Null);

    let told = server.changes_about(&id).await;
    assert!(told.iter().all(|change| change.actor == boss.key.id));
    let told: Vec<_> = told.into_iter().map(|Change { kind, detail, .. }| (kind, detail)).collect();
    let created = json!({ "after": { "name": "invoices:read", "description": "See", "kind": "READ" } });
    let changed = json!({ "before": { "kind": "READ" }, "after": { "kind": "WRITE" } });
    let deleted = json!({ "before": { "name": "invoices:read", "description": "x", "kind": "READ" } });
    assert_eq!((told.len(), &told[0]), (6, &(ActivityKind::ScopeCreated, created)));
    assert_eq!(told[1], (ActivityKind::ScopeUpdated, changed));
    assert_eq!(told[5], (ActivityKind::ScopeDeleted, deleted));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let api = api(&boss.caller).await;
    let named = |name: &str| json!({ "apiId": api, "name": name, "kind": "READ" });
    let id = boss.caller.made(CREATE_SCOPE, named("invoices:read")).await;
    let (missing_api, missing) = (unknown("api"), unknown("scope"));
    let mut wrong = vec![
        (named("invoices:read"), format!("NAME_TAKEN input.name {id}")),
        (named(&format!("a:{}", "b".repeat(99))), "TOO_LONG input.name".to_owned()),
        (
            json!({ "apiId": missing_api, "name": "a:b", "kind": "READ" }),
            format!("NOT_FOUND input.apiId {missing_api}"),
        ),
        (json!({ "apiId": id, "name": "a:b", "kind": "READ" }), "INVALID input.apiId".to_owned()),
    ];
    for name in
        ["", "invoices", ":read", "a:", "A:b", "a b:c", "a:b\u{0}", " a:b", "keys:fly", "settings:x:any"]
    {
        wrong.push((named(name), "INVALID input.name".to_owned()));
    }
    for (description, code) in [("\u{0}".to_owned(), "INVALID"), ("x".repeat(1001), "TOO_LONG")] {
        let mut input = named("a:b");
        input["description"] = json!(description);
        wrong.push((input, format!("{code} input.description")));
    }
    let by = (&server, &boss.caller);
    each_is_refused(by, CREATE_SCOPE, wrong).await;
    let updated = [
        (json!({ "id": id, "description": "\u{0}" }), "INVALID input.description".to_owned()),
        (json!({ "id": missing, "kind": "READ" }), format!("NOT_FOUND input.id {missing}")),
        (json!({ "id": api, "kind": "READ" }), "INVALID input.id".to_owned()),
    ];
    each_is_refused(by, UPDATE_SCOPE, updated).await;
    each_is_refused(by, DELETE_SCOPE, [(json!({ "id": missing }), format!("NOT_FOUND input.id {missing}"))])
        .await;
    server.stop().await;
}

#[tokio::test]
async fn the_servers_own_scopes_are_fixed() {
    let (server, boss) = started().await;
    let query = "{ scopes(filter: { search: \"keys:read\" }, first: 1) { nodes { id api { id } } } }";
    let scope = boss.caller.graphql(query).await.data()["scopes"]["nodes"][0].take();
    let (id, api) = (scope["id"].as_str().unwrap(), scope["api"]["id"].as_str().unwrap());
    let by = (&server, &boss.caller);
    let more =
        (json!({ "apiId": api, "name": "a:b", "kind": "READ" }), format!("BUILT_IN input.apiId {api}"));
    each_is_refused(by, CREATE_SCOPE, [more]).await;
    let built_in = |input: Value| (input, format!("BUILT_IN input.id {id}"));
    let changes = [json!({ "id": id, "kind": "WRITE" }), json!({ "id": id, "description": "x" })];
    each_is_refused(by, UPDATE_SCOPE, changes.map(built_in)).await;
    each_is_refused(by, DELETE_SCOPE, [built_in(json!({ "id": id }))]).await;
    server.stop().await;
}

#[tokio::test]
async fn a_scope_that_something_has_stays_and_it_is_named() {
    let (server, boss) = started().await;
    let api = api(&boss.caller).await;
    let input = json!({ "apiId": api, "name": "invoices:read", "kind": "READ" });
    let id = boss.caller.made(CREATE_SCOPE, input).await;
    let boss_again = again(&server, &boss).await;
    let role = json!({ "name": "billing", "scopes": ["invoices:read"] });
    let role = boss_again.made(CREATE_ROLE, role).await;
    let key = boss_again.made(CREATE, json!({ "name": "ci", "scopes": ["invoices:read"] })).await;
    let mut holders = vec![role.clone(), key.clone()];
    for (mutation, input) in [(DELETE_ROLE, json!({ "id": role })), (DELETE, selection([&*key]))] {
        let before = server.whole_state().await;
        let mistake = boss.caller.mistake(DELETE_SCOPE, json!({ "id": id })).await;
        let told = ["code", "field", "targetId", "relatedIds"].map(|name| mistake[name].clone());
        assert_eq!(told, [json!("IN_USE"), json!(["input", "id"]), json!(id), json!(holders)]);
        assert!(server.whole_state().await == before);
        boss.caller.done(mutation, input).await;
        holders.remove(0);
    }
    boss.caller.done(DELETE_SCOPE, json!({ "id": id })).await;
    server.stop().await;
}

#[tokio::test]
async fn a_new_scope_is_held_by_those_who_hold_everything_from_the_next_exchange_on() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["auditor", "member"]).await;
    let api = api(&boss.caller).await;
    let input = json!({ "apiId": api, "name": "invoices:read", "kind": "READ" });
    boss.caller.made(CREATE_SCOPE, input).await;
    let held = async |caller: &Caller| {
        let scopes = caller.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"].take();
        scopes.as_array().unwrap().contains(&json!("invoices:read"))
    };
    assert!(!held(&boss.caller).await, "a token gains nothing");
    assert!(held(&again(&server, &boss).await).await);
    assert!(!held(&server.sign_in(&ada.key).await).await);
    server.stop().await;
}

#[tokio::test]
async fn the_kind_decides_what_read_only_keys_are_granted() {
    let (server, boss) = started().await;
    let api = api(&boss.caller).await;
    let input = json!({ "apiId": api, "name": "invoices:read", "kind": "READ" });
    let id = boss.caller.made(CREATE_SCOPE, input).await;
    let boss_again = again(&server, &boss).await;
    let scopes = Grants::Scopes(&["invoices:read", "keys:read"]);
    let key = server.key_with(&boss.account, "reports", scopes, |new| new.read_only = true).await;
    let token = server.sign_in(&key).await;
    let held = async |caller: &Caller| {
        caller.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"].take()
    };
    assert_eq!(held(&token).await, json!(["invoices:read", "keys:read"]));
    boss_again.done(UPDATE_SCOPE, json!({ "id": id, "kind": "WRITE" })).await;
    // The token that is out shrinks, and the next exchange grants as much.
    assert_eq!(held(&token).await, json!(["keys:read"]));
    assert_eq!(held(&server.sign_in(&key).await).await, json!(["keys:read"]));
    server.stop().await;
}
