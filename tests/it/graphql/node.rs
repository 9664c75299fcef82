//! `node`: any object by its id, for those who may see it; for all others there is nothing.

use entity::{GlobalId, ObjectKind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::keys::Person;
use crate::harness::{Caller, Grants, Server};

const NODE: &str = "query ($id: ID!) { node(id: $id) { __typename id } }";

async fn node(caller: &Caller, id: &str) -> Value {
    caller.graphql_with(NODE, json!({ "id": id })).await.data()["node"].take()
}

/// The ids of all kinds of objects that have to do with Ada, and one of a service account.
async fn ids(server: &Server, ada: &Person) -> Vec<(&'static str, String)> {
    let bot = server.service_account("bot").await;
    let admin = server.person("founder@example.com", &["admin"]).await;
    let query = json!({ "key": ada.key.id });
    let found = admin.caller.graphql_with("query ($key: ID!) { roles(first: 1) { nodes { id } } scopes(first: 1) { nodes { id api { id } } }
        activity(filter: { apiKeyIds: [$key] }, last: 1) { nodes { id } } }", query).await.data();
    let id = |path: &str| found.pointer(path).unwrap().as_str().unwrap().to_owned();
    vec![
        ("User", ada.account.public_id.clone()),
        ("ServiceAccount", bot.public_id),
        ("ApiKey", ada.key.id.clone()),
        ("Role", id("/roles/nodes/0/id")),
        ("Scope", id("/scopes/nodes/0/id")),
        ("Api", id("/scopes/nodes/0/api/id")),
        ("Activity", id("/activity/nodes/0/id")),
    ]
}

#[tokio::test]
async fn each_kind_of_object_is_found_by_its_id_by_whoever_may_see_it() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let eve = server.person("eve@example.com", &["member"]).await;
    let manager = server.person("kim@example.com", &["key-manager"]).await;
    let auditor = server.person("zoe@example.com", &["auditor", "member"]).await;
    let mut table = format!("{:<15} {:<6} {:<6} {:<12} auditor\n", "", "owner", "other", "key-manager");
    for (kind, id) in ids(&server, &ada).await {
        table += &format!("{kind:<15}");
        for (who, width) in [(&ada, 6), (&eve, 6), (&manager, 12), (&auditor, 0)] {
            let found = node(&who.caller, &id).await;
            let cell = if found.is_null() { "-" } else { "found" };
            assert!(found.is_null() || found == json!({ "__typename": kind, "id": id }), "{found}");
            table += &format!(" {cell:<width$}");
        }
        table += "\n";
    }
    insta::assert_snapshot!(table, @"
                    owner  other  key-manager  auditor
    User            found  -      found        found
    ServiceAccount  -      -      -            found
    ApiKey          found  -      found        found
    Role            found  found  found        found
    Scope           found  found  found        found
    Api             found  found  found        found
    Activity        found  -      -            found
    ");
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_id_of_any_kind_is_null() {
    let server = Server::start().await;
    let admin = server.person("root@example.com", &["admin"]).await;
    for kind in [
        ObjectKind::User,
        ObjectKind::ServiceAccount,
        ObjectKind::ApiKey,
        ObjectKind::Role,
        ObjectKind::Scope,
        ObjectKind::Api,
        ObjectKind::Activity,
        ObjectKind::Group,
        ObjectKind::SigningKey,
        ObjectKind::Settings,
    ] {
        let id = GlobalId { kind, uuid: Uuid::from_u128(7) }.to_string();
        assert_eq!(node(&admin.caller, &id).await, Value::Null, "{id}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_id_of_one_kind_does_not_find_an_object_of_another() {
    let server = Server::start().await;
    let admin = server.person("root@example.com", &["admin"]).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let all = ids(&server, &ada).await;
    for (_, id) in &all {
        let (_, value) = id.rsplit_once('_').unwrap();
        for (kind, other) in all.iter().filter(|(_, other)| other != id) {
            let (prefix, _) = other.rsplit_once('_').unwrap();
            let crossed = format!("{prefix}_{value}");
            assert_eq!(node(&admin.caller, &crossed).await, Value::Null, "{crossed} as {kind}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_id_is_told_so() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let upper = ada.key.id.to_uppercase();
    let shorter = &ada.key.id[..ada.key.id.len() - 1];
    let longer = format!("{}0", ada.key.id);
    let spaced = format!(" {}", ada.key.id);
    let (_, value) = ada.key.id.rsplit_once('_').unwrap();
    let (unknown, bare) = (format!("thing_{value}"), value.to_owned());
    for id in [
        "",
        "_",
        "key_",
        "1",
        "key",
        &upper,
        shorter,
        &longer,
        &spaced,
        &unknown,
        &bare,
        "key_\u{0}",
        &"x".repeat(10_000),
    ] {
        let answer = ada.caller.graphql_with(NODE, json!({ "id": id })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{id:?}");
        assert_eq!(answer.json()["data"]["node"], Value::Null);
        assert!(answer.text.len() < 1_000, "no more than its beginning is repeated: {}", answer.text);
    }
    server.stop().await;
}

#[tokio::test]
async fn without_the_scope_for_a_kind_its_objects_are_refused_by_name() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bot = server.service_account("asker").await;
    let key = server.key(&bot, "asker", Grants::Scopes(&["tokens:introspect"])).await;
    let caller = server.sign_in(&key).await;
    let mut table = String::new();
    for (kind, id) in ids(&server, &ada).await {
        let body = caller.graphql_with(NODE, json!({ "id": id })).await.json();
        assert_eq!(body["data"]["node"], Value::Null);
        table += &format!("{kind:<15} {}\n", body["errors"][0]["extensions"]["requiredScopes"]);
    }
    insta::assert_snapshot!(table, @r#"
    User            null
    ServiceAccount  null
    ApiKey          ["keys:read","keys:read:any"]
    Role            ["roles:read"]
    Scope           ["scopes:read"]
    Api             ["scopes:read"]
    Activity        ["activity:read","activity:read:any"]
    "#);
    server.stop().await;
}

#[tokio::test]
async fn deleted_keys_are_still_found() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.generous_key(&ada.account, "short-lived", Grants::Inherit).await;
    ada.caller.change(crate::harness::keys::DELETE, crate::harness::keys::selection([key.id.as_str()])).await;
    let query = "query ($id: ID!) { node(id: $id) { ... on ApiKey { name status } } }";
    let found = ada.caller.graphql_with(query, json!({ "id": key.id })).await.data();
    assert_eq!(found["node"], json!({ "name": "short-lived", "status": "DELETED" }));
    server.stop().await;
}

const NODES: &str = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

#[tokio::test]
async fn several_objects_come_in_their_order_with_null_for_what_is_out_of_sight() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let eve = server.person("eve@example.com", &["member"]).await;
    let role = server.role("member").await;
    let nobody = GlobalId { kind: ObjectKind::ApiKey, uuid: Uuid::from_u128(1) }.to_string();
    let wanted = [&role, &eve.key.id, &ada.key.id, &nobody, &role, &ada.account.public_id];
    let data = ada.caller.graphql_with(NODES, json!({ "ids": wanted })).await.data();
    assert_eq!(data["nodes"][1], Value::Null);
    let found: Vec<&Value> = data["nodes"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
    assert_eq!(json!(found), json!([role, null, ada.key.id, null, role, ada.account.public_id]));
    assert_eq!(ada.caller.graphql_with(NODES, json!({ "ids": [] })).await.data(), json!({ "nodes": [] }));
    server.stop().await;
}

#[tokio::test]
async fn a_kind_that_may_not_be_seen_and_an_id_that_is_none_spoil_only_their_place() {
    let server = Server::start().await;
    let bot = server.service_account("bot").await;
    let key = server.key(&bot, "asker", Grants::Scopes(&["tokens:introspect"])).await;
    let role = server.role("member").await;
    let wanted = json!({ "ids": [role, bot.public_id, "nonsense", role] });
    let answer = server.sign_in(&key).await.graphql_with(NODES, wanted).await;
    let body = answer.json();
    assert_eq!(body["data"]["nodes"][1]["id"], bot.public_id, "{body:#}");
    let errors = body["errors"].as_array().unwrap();
    let told = |error: &Value| format!("{} {}", error["path"], error["extensions"]["code"].as_str().unwrap());
    let mut told: Vec<String> = errors.iter().map(told).collect();
    told.sort();
    assert_eq!(
        told,
        [r#"["nodes",0] FORBIDDEN"#, r#"["nodes",2] BAD_USER_INPUT"#, r#"["nodes",3] FORBIDDEN"#]
    );
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_ids_are_taken_and_more_are_not() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let ids = |count: usize| json!({ "ids": vec![ada.key.id.as_str(); count] });
    let most = ada.caller.graphql_with(NODES, ids(100)).await;
    assert_eq!(most.data()["nodes"].as_array().unwrap().len(), 100);
    let more = ada.caller.graphql_with(NODES, ids(101)).await;
    assert_eq!((more.code().as_str(), &more.json()["data"]), ("BAD_USER_INPUT", &json!({ "nodes": null })));
    // Each id costs as much as what is selected of it.
    let cost = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } rateLimit { cost } }";
    let costs = [1, 10].map(|count| ada.caller.graphql_with(cost, ids(count)));
    let [one, ten] = costs;
    let cost = |data: Value| data["rateLimit"]["cost"].as_i64().unwrap();
    assert_eq!(cost(ten.await.data()) - cost(one.await.data()), 9);
    server.stop().await;
}
