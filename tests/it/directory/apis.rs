//! `createApi`, `updateApi`, `deleteApi`.

use entity::activity::ActivityKind;
use serde_json::{Value, json};

use super::{each_is_refused, started, unknown, update};
use crate::harness::changes::{
    CREATE_API, CREATE_SCOPE, Change, DELETE_API, DELETE_SCOPE, UPDATE_API, names,
};
use crate::harness::{Caller, Grants, Server};

const ADDRESS: &str = "https://billing.example.com/v1?x=y";

async fn details(caller: &Caller, id: &str) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on Api {
        identifier name description builtIn scopes { name } version
    } } }";
    let mut api = caller.graphql_with(query, json!({ "id": id })).await.data()["node"].take();
    if api.is_object() {
        api["scopes"] = names(&api["scopes"]).into();
    }
    api
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "this is one story, from the making to the end")]
async fn an_api_is_made_changed_and_deleted_and_the_log_tells_it() {
    let (server, boss) = started().await;
    let input = json!({ "identifier": ADDRESS, "name": " Billing ", "description": " Invoices " });
    let id = boss.caller.made(CREATE_API, input).await;
    let mut scopes = Vec::new();
    for (name, kind) in [("invoices:write", "WRITE"), ("invoices:read", "READ")] {
        let scope = json!({ "apiId": id, "name": name, "kind": kind });
        scopes.push(boss.caller.made(CREATE_SCOPE, scope).await);
    }
    let mut expected = json!({
        "identifier": ADDRESS, "name": "Billing", "description": "Invoices", "builtIn": false,
        "scopes": "invoices:read invoices:write", "version": 1,
    });
    assert_eq!(details(&boss.caller, &id).await, expected);
    let steps = [
        (
            json!({ "identifier": "urn:billing", "version": 1 }),
            json!("urn:billing"),
            "Billing",
            json!("Invoices"),
        ),
        (
            json!({ "identifier": null, "name": null, "version": null }),
            json!("urn:billing"),
            "Billing",
            json!("Invoices"),
        ),
        (json!({ "description": null, "name": "Bills" }), json!("urn:billing"), "Bills", Value::Null),
    ];
    for (n, (with, identifier, name, description)) in steps.into_iter().enumerate() {
        boss.caller.done(UPDATE_API, update(&id, &with)).await;
        (expected["identifier"], expected["name"]) = (identifier, json!(name));
        (expected["description"], expected["version"]) = (description, json!(n + 2));
        assert_eq!(details(&boss.caller, &id).await, expected, "{with}");
    }

    // With scopes it stays, and they are named.
    let mistake = boss.caller.mistake(DELETE_API, json!({ "id": id })).await;
    let told = ["code", "field", "targetId"].map(|name| mistake[name].clone());
    assert_eq!(told, [json!("IN_USE"), json!(["input", "id"]), json!(id)]);
    let mut named: Vec<&str> =
        mistake["relatedIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    named.sort_unstable();
    scopes.sort_unstable();
    assert_eq!(named, scopes);
    for scope in scopes {
        boss.caller.done(DELETE_SCOPE, json!({ "id": scope })).await;
    }
    assert_eq!(boss.caller.done(DELETE_API, json!({ "id": id })).await["deletedId"], json!(id));
    assert_eq!(details(&boss.caller, &id).await, Value::Null);

    let told = server.changes_about(&id).await;
    assert!(told.iter().all(|change| change.actor == boss.key.id));
    let told: Vec<_> = told.into_iter().map(|Change { kind, detail, .. }| (kind, detail)).collect();
    let created = json!({ "after": { "identifier": ADDRESS, "name": "Billing", "description": "Invoices" } });
    let moved = json!({ "before": { "identifier": ADDRESS }, "after": { "identifier": "urn:billing" } });
    let deleted = json!({ "before": { "identifier": "urn:billing", "name": "Bills", "description": null } });
    assert_eq!((told.len(), &told[0]), (5, &(ActivityKind::ApiCreated, created)));
    assert_eq!(told[1], (ActivityKind::ApiUpdated, moved));
    assert_eq!(told[4], (ActivityKind::ApiDeleted, deleted));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let other = json!({ "identifier": "urn:other", "name": "Other" });
    let other = boss.caller.made(CREATE_API, other).await;
    let id = boss.caller.made(CREATE_API, json!({ "identifier": ADDRESS, "name": "Billing" })).await;
    let own = own_api(&boss.caller).await;
    let (taken, ours) =
        (format!("NAME_TAKEN input.identifier {other}"), format!("NAME_TAKEN input.identifier {own}"));
    let issuer = server.app.issuer.clone();
    let both = [
        (json!({ "identifier": "" }), "INVALID input.identifier"),
        (json!({ "identifier": "billing" }), "INVALID input.identifier"),
        (json!({ "identifier": "https://a/#b" }), "INVALID input.identifier"),
        (json!({ "identifier": "https://a\u{0}" }), "INVALID input.identifier"),
        (json!({ "identifier": format!("urn:{}", "x".repeat(1000)) }), "TOO_LONG input.identifier"),
        (json!({ "identifier": "urn:other" }), taken.as_str()),
        // Tokens for the server itself are for nobody else.
        (json!({ "identifier": issuer }), ours.as_str()),
        (json!({ "name": "" }), "INVALID input.name"),
        (json!({ "name": "é".repeat(101) }), "TOO_LONG input.name"),
        (json!({ "description": "\u{0}" }), "INVALID input.description"),
        (json!({ "description": "x".repeat(1001) }), "TOO_LONG input.description"),
    ];
    let by = (&server, &boss.caller);
    let created = both.iter().map(|(with, expected)| {
        let mut input = json!({ "identifier": "urn:new", "name": "x" });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        (input, (*expected).to_owned())
    });
    each_is_refused(by, CREATE_API, created).await;
    let updated = both.iter().map(|(with, expected)| (update(&id, with), (*expected).to_owned()));
    each_is_refused(by, UPDATE_API, updated).await;
    let missing = unknown("api");
    let updated = [
        (json!({ "id": id, "version": 2 }), format!("VERSION_CONFLICT input.version {id}")),
        (json!({ "id": missing }), format!("NOT_FOUND input.id {missing}")),
        (json!({ "id": boss.account.public_id }), "INVALID input.id".to_owned()),
        (json!({ "id": own, "name": "mine" }), format!("BUILT_IN input.id {own}")),
        (json!({ "id": own, "identifier": "urn:mine" }), format!("BUILT_IN input.id {own}")),
    ];
    each_is_refused(by, UPDATE_API, updated).await;
    let deleted = [
        (json!({ "id": missing }), format!("NOT_FOUND input.id {missing}")),
        (json!({ "id": own }), format!("BUILT_IN input.id {own}")),
    ];
    each_is_refused(by, DELETE_API, deleted).await;
    server.stop().await;
}

async fn own_api(caller: &Caller) -> String {
    let apis = caller.graphql("{ apis { nodes { id builtIn } } }").await.data();
    let apis = apis["apis"]["nodes"].as_array().unwrap();
    apis.iter().find(|api| api["builtIn"] == true).unwrap()["id"].as_str().unwrap().to_owned()
}

/// The audience of the token that a key is exchanged for.
async fn audience(server: &Server, key: &crate::harness::Key, resource: &str) -> Value {
    use base64::Engine as _;
    let answer = server.exchange(key, &[("resource", resource)]).await;
    let body = answer.json();
    let Some(token) = body["access_token"].as_str() else { return body["error"].clone() };
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["aud"].take()
}

/// Proves: R-07
#[tokio::test]
async fn the_identifier_is_the_audience_of_the_next_tokens() {
    let (server, boss) = started().await;
    let id = boss.caller.made(CREATE_API, json!({ "identifier": ADDRESS, "name": "Billing" })).await;
    let scope = json!({ "apiId": id, "name": "invoices:read", "kind": "READ" });
    boss.caller.made(CREATE_SCOPE, scope).await;
    let bot = server.service_account("bot").await;
    let key = server.generous_key(&bot, "bot", Grants::Scopes(&["invoices:read"])).await;
    assert_eq!(audience(&server, &key, ADDRESS).await, ADDRESS);
    boss.caller.done(UPDATE_API, json!({ "id": id, "identifier": "urn:billing" })).await;
    assert_eq!(audience(&server, &key, "urn:billing").await, "urn:billing");
    assert_eq!(audience(&server, &key, ADDRESS).await, "invalid_target");
    server.stop().await;
}
