//! `apiKeys`: filters, orders, pages, counts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::keys::{CREATE, Person};
use crate::harness::{Account, Caller, Grants, Server};

pub(super) const LIST: &str = "query ($filter: ApiKeyFilter, $orderBy: ApiKeyOrder,
    $first: Int, $after: String, $last: Int, $before: String) {
    apiKeys(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { name } } nodes { name status }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
    }
}";

pub(super) async fn list(caller: &Caller, variables: Value) -> Value {
    caller.graphql_with(LIST, variables).await.data()["apiKeys"].take()
}

pub(super) fn names(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

/// The names of the keys that match, oldest first.
pub(super) async fn matching(caller: &Caller, filter: Value) -> String {
    let order = json!({ "field": "CREATED_AT", "direction": "ASC" });
    names(&list(caller, json!({ "filter": filter, "orderBy": order, "first": 100 })).await).join(" ")
}

/// Makes a key a second after the one before; the order of creation is the order of the calls.
pub(super) async fn later(server: &Server, owner: &Account, name: &str, end: Option<&str>) -> String {
    server.advance(Duration::from_secs(1));
    let end = end.map(|end| end.parse().unwrap());
    server.key_with(owner, name, Grants::Scopes(&["keys:read"]), |new| new.expires_at = end).await.id
}

/// Somebody who sees all keys, and whose own key is not in the way of the filter `ownerIds`.
pub(super) async fn auditor(server: &Server) -> Person {
    server.person("auditor@example.com", &["auditor", "key-manager"]).await
}

#[tokio::test]
async fn without_the_right_to_see_all_the_list_has_only_ones_own() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    later(&server, &ada.account, "adas", None).await;
    let foreign = later(&server, &bob, "bobs", None).await;
    assert_eq!(matching(&ada.caller, json!({})).await, "ada@example.com's own adas");
    assert_eq!(matching(&ada.caller, json!({ "ownerIds": [bob.public_id] })).await, "");
    assert_eq!(matching(&ada.caller, json!({ "ids": [foreign] })).await, "");
    let query = "query ($id: ID!, $c: String!) {
        apiKey(by: { id: $id }) { id } node(id: $id) { id } by: apiKey(by: { clientId: $c }) { id } }";
    for id in [&*foreign, "key_00000000000000000000000001"] {
        let found = ada.caller.graphql_with(query, json!({ "id": id, "c": "0".repeat(32) })).await.data();
        assert_eq!(found, json!({ "apiKey": null, "node": null, "by": null }));
    }
    let nothing = ada.caller.graphql("{ apiKey(by: { clientId: \"\\u0000\" }) { id } }").await.data();
    assert_eq!(nothing["apiKey"], Value::Null);
    server.stop().await;
}

/// Twenty-five keys of one owner, of which some share an end and some have none.
pub(super) async fn twenty_five(server: &Server, owner: &Account) {
    for index in 0..25 {
        let end = (index % 4 != 0).then(|| format!("2026-12-{:02}T00:00:00Z", 1 + index % 3));
        later(server, owner, &format!("{:02}", index * 7 % 25), end.as_deref()).await;
    }
}

/// Walks through all pages of seven, and checks what each says about its neighbours.
pub(super) async fn walk(caller: &Caller, filter: &Value, order: &Value, backward: bool) -> Vec<String> {
    let (length, cursor) = if backward { ("last", "before") } else { ("first", "after") };
    let mut all: Vec<String> = Vec::new();
    let mut from = Value::Null;
    for number in 0.. {
        let variables = json!({ "filter": filter, "orderBy": order, length: 7, cursor: from });
        let page = list(caller, variables).await;
        let part = names(&page);
        let info = &page["pageInfo"];
        let (further, behind) =
            if backward { ("hasPreviousPage", "hasNextPage") } else { ("hasNextPage", "hasPreviousPage") };
        assert_eq!(info[behind], number > 0);
        let edges = page["edges"].as_array().unwrap();
        assert_eq!(info["startCursor"], edges[0]["cursor"]);
        assert_eq!(info["endCursor"], edges[edges.len() - 1]["cursor"]);
        if backward {
            all.splice(0..0, part);
        } else {
            all.extend(part);
        }
        if info[further] == false {
            assert_eq!(edges.len(), 4);
            return all;
        }
        assert_eq!(edges.len(), 7);
        from = info[if backward { "startCursor" } else { "endCursor" }].clone();
    }
    all
}

#[tokio::test]
async fn an_empty_page_is_a_page() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for variables in [json!({ "first": 0 }), json!({ "last": 0 })] {
        let page = list(&ada.caller, variables).await;
        assert_eq!((&page["edges"], &page["pageInfo"]["endCursor"]), (&json!([]), &Value::Null));
    }
    let nothing = list(&ada.caller, json!({ "filter": { "ids": [] } })).await;
    let info =
        json!({ "hasPreviousPage": false, "hasNextPage": false, "startCursor": null, "endCursor": null });
    assert_eq!(nothing, json!({ "edges": [], "nodes": [], "pageInfo": info }));
    server.stop().await;
}

/// A cursor as the server writes them, with this content.
fn forged(content: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(content)
}

/// Proves: X-11
#[tokio::test]
async fn pages_that_cannot_be_are_bad_input() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let by = |field: &str| json!({ "field": field, "direction": "ASC" });
    let cursor = async |field: &str| {
        list(&ada.caller, json!({ "orderBy": by(field) })).await["pageInfo"]["endCursor"].take()
    };
    let created = cursor("CREATED_AT").await;
    let roles = ada.caller.graphql("{ roles { pageInfo { endCursor } } }").await.data();
    let roles = &roles["roles"]["pageInfo"]["endCursor"];
    let id = "00000000-0000-7000-8000-000000000000";
    let wrong = [
        json!({ "first": 101 }),
        json!({ "last": 101 }),
        json!({ "first": -1 }),
        json!({ "last": i32::MIN }),
        json!({ "first": 1, "last": 1 }),
        json!({ "orderBy": by("NAME"), "after": created }),
        json!({ "orderBy": by("CREATED_AT"), "before": cursor("NAME").await }),
        json!({ "orderBy": by("NAME"), "after": cursor("EXPIRES_AT").await }),
        json!({ "after": roles }),
        json!({ "after": "" }),
        json!({ "after": "garbage" }),
        json!({ "after": format!("{}=", created.as_str().unwrap()) }),
        json!({ "before": " " }),
        json!({ "before": "\u{0}" }),
        // Of the right order, with a value of the wrong kind.
        json!({ "orderBy": by("CREATED_AT"), "after": forged(&format!("[0,7,\"{id}\"]")) }),
        json!({ "orderBy": by("NAME"), "after": forged(&format!("[1,7,\"{id}\"]")) }),
        json!({ "orderBy": by("NAME"), "after": forged(&format!("[1,null,\"{id}\"]")) }),
        json!({ "orderBy": by("NAME"), "after": forged(&format!("[1,\"a\\u0000\",\"{id}\"]")) }),
        json!({ "orderBy": by("EXPIRES_AT"), "before": forged(&format!("[2,\"a\",\"{id}\"]")) }),
        json!({ "orderBy": by("EXPIRES_AT"), "before": forged(&format!("[2,7.5,\"{id}\"]")) }),
        json!({ "orderBy": by("LAST_USED_AT"), "before": forged(&format!("[3,\"a\",\"{id}\"]")) }),
        json!({ "orderBy": by("LAST_USED_AT"), "after": cursor("EXPIRES_AT").await }),
    ];
    for variables in wrong {
        let answer = ada.caller.graphql_with(LIST, variables.clone()).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{variables}");
        let body = answer.json();
        assert_eq!(body["data"]["apiKeys"], Value::Null);
        assert_eq!(body["errors"][0]["extensions"]["field"].as_array().map(Vec::len), Some(1), "{body}");
    }
    server.stop().await;
}

/// Proves: X-13
#[tokio::test]
async fn rows_are_counted_only_when_the_count_is_asked_for() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let owner = &ada.public_id;
    let statements = async |fields: &str| {
        let query = format!("{{ apiKeys(first: 7, filter: {{ ownerIds: [\"{owner}\"] }}) {{ {fields} }} }}");
        let before = server.reads_before(&auditor.caller).await;
        let data = auditor.caller.graphql(&query).await.data();
        (data["apiKeys"].clone(), server.app.db.reads() - before)
    };
    let (_, without) = statements("nodes { name }").await;
    let (counted, with) = statements("nodes { name } totalCount").await;
    assert_eq!(counted["totalCount"], 25);
    assert_eq!(counted["nodes"].as_array().map(Vec::len), Some(7));
    assert_eq!(with, without + 1);
    // Inside a fragment, under another name, and not at all when it is skipped.
    assert_eq!(statements("nodes { name } ... { all: totalCount }").await.1, with);
    assert_eq!(statements("nodes { name } totalCount @skip(if: true)").await.1, without);
    server.stop().await;
}

#[tokio::test]
async fn without_the_scope_there_is_no_list() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let blind = server.key(&ada, "blind", Grants::Scopes(&["keys:write"])).await;
    let blind = server.sign_in(&blind).await;
    for query in ["{ apiKeys { nodes { id } } }", "{ apiKey(by: { clientId: \"\" }) { id } }"] {
        let answer = blind.graphql(query).await;
        assert_eq!(answer.code(), "FORBIDDEN");
        let required = &answer.json()["errors"][0]["extensions"]["requiredScopes"];
        assert_eq!(*required, json!(["keys:read", "keys:read:any"]));
    }
    // Creating needs no sight, and the answer shows what was made.
    let made = blind.change(CREATE, json!({ "name": "made", "scopes": [] })).await;
    assert_eq!(made["apiKey"]["name"], "made", "{made}");
    server.stop().await;
}
