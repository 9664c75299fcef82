//! `apiKeys`: filters, orders, pages, counts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::keys::{CREATE, DELETE, DISABLE, Person, UPDATE, selection};
use crate::harness::{Account, Caller, Grants, Server};

const LIST: &str = "query ($filter: ApiKeyFilter, $orderBy: ApiKeyOrder,
    $first: Int, $after: String, $last: Int, $before: String) {
    apiKeys(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { name } } nodes { name status }
        pageInfo { hasPreviousPage hasNextPage startCursor endCursor }
    }
}";

async fn list(caller: &Caller, variables: Value) -> Value {
    caller.graphql_with(LIST, variables).await.data()["apiKeys"].take()
}

fn names(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

/// The names of the keys that match, oldest first.
async fn matching(caller: &Caller, filter: Value) -> String {
    let order = json!({ "field": "CREATED_AT", "direction": "ASC" });
    names(&list(caller, json!({ "filter": filter, "orderBy": order, "first": 100 })).await).join(" ")
}

/// Makes a key a second after the one before; the order of creation is the order of the calls.
async fn later(server: &Server, owner: &Account, name: &str, end: Option<&str>) -> String {
    server.advance(Duration::from_secs(1));
    let end = end.map(|end| end.parse().unwrap());
    server.key_with(owner, name, Grants::Scopes(&["keys:read"]), |new| new.expires_at = end).await.id
}

/// Somebody who sees all keys, and whose own key is not in the way of the filter `ownerIds`.
async fn auditor(server: &Server) -> Person {
    server.person("auditor@example.com", &["auditor", "key-manager"]).await
}

/// Proves: X-31
#[tokio::test]
async fn every_filter_narrows_and_all_hold_together() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    let one = later(&server, &ada, "one", None).await;
    let two = later(&server, &ada, "two", Some("2026-12-01T00:00:00Z")).await;
    let three = later(&server, &build, "three", Some("2026-12-02T00:00:00Z")).await;
    auditor.caller.change(DISABLE, selection([&*one])).await;
    auditor.caller.change(UPDATE, json!({ "id": two, "readOnly": true })).await;

    let owners = json!([ada.public_id, build.public_id]);
    let filters = [
        (json!({ "ownerIds": owners }), "one two three"),
        (json!({ "ownerIds": [ada.public_id] }), "one two"),
        (json!({ "ownerIds": [] }), ""),
        (json!({ "ids": [three, one] }), "one three"),
        (json!({ "ids": [] }), ""),
        (json!({ "ids": ["key_00000000000000000000000001"] }), ""),
        (json!({ "ownerKind": "SERVICE_ACCOUNT" }), "three"),
        (json!({ "ownerKind": "USER", "ownerIds": owners }), "one two"),
        (json!({ "status": ["DISABLED"] }), "one"),
        (json!({ "status": ["ACTIVE", "DISABLED"], "ownerIds": owners }), "one two three"),
        (json!({ "status": ["ACTIVE"], "ownerIds": owners }), "two three"),
        (json!({ "status": [] }), ""),
        (json!({ "readOnly": true }), "two"),
        (json!({ "readOnly": false, "ownerIds": owners }), "one three"),
        (json!({ "createdBefore": "2026-11-21T09:00:02Z", "ownerIds": owners }), "one"),
        (json!({ "createdAfter": "2026-11-21T09:00:02Z" }), "three"),
        (json!({ "createdAfter": "2026-11-21T09:00:01Z", "createdBefore": "2026-11-21T09:00:03Z" }), "two"),
        (json!({ "expiresBefore": "2026-12-02T00:00:00Z" }), "two"),
        (json!({ "expiresBefore": "2026-12-02T00:00:00.001Z" }), "two three"),
        (json!({ "readOnly": true, "status": ["DISABLED"] }), ""),
        (json!({ "ids": null, "ownerIds": owners, "status": null, "readOnly": null }), "one two three"),
    ];
    for (filter, expected) in filters {
        assert_eq!(matching(&auditor.caller, filter.clone()).await, expected, "{filter}");
    }
    server.stop().await;
}

/// Proves: D-03
#[tokio::test]
async fn the_default_leaves_out_deleted_keys_and_those_of_inactive_owners_and_each_key_has_one_status() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let gone = server.user("gone@example.com", &["member"]).await;
    let end = Some("2026-11-21T09:01:00Z");
    for (owner, whose) in [(&ada, "adas"), (&gone, "gones")] {
        for (kind, end) in
            [("active", None), ("expired", end), ("disabled", end), ("waiting", end), ("deleted", end)]
        {
            let id = later(&server, owner, &format!("{whose}-{kind}"), end).await;
            match kind {
                "disabled" => drop(auditor.caller.change(DISABLE, selection([&*id])).await),
                "deleted" => drop(auditor.caller.change(DELETE, selection([&*id])).await),
                _ => {}
            }
        }
    }
    // Nothing asks for approval yet: the row is arranged.
    server.run_sql("UPDATE api_keys SET state = 'PENDING' WHERE name LIKE '%-waiting'").await;
    server.deactivate(&gone).await;
    server.advance(Duration::from_secs(60));

    let caller = &server.sign_in(&auditor.key).await;
    let owners = json!([ada.public_id, gone.public_id]);
    let shown = matching(caller, json!({ "ownerIds": owners })).await;
    assert_eq!(shown, "adas-active adas-expired adas-disabled adas-waiting gones-waiting");
    let by_status = [
        ("DELETED", "adas-deleted gones-deleted"),
        ("PENDING", "adas-waiting gones-waiting"),
        ("OWNER_INACTIVE", "gones-active gones-expired gones-disabled"),
        ("DISABLED", "adas-disabled"),
        ("EXPIRED", "adas-expired"),
        ("ACTIVE", "adas-active"),
    ];
    for (status, expected) in by_status {
        let filter = json!({ "ownerIds": owners, "status": [status] });
        assert_eq!(matching(caller, filter.clone()).await, expected, "{status}");
        // The filter and the field agree.
        let page = list(caller, json!({ "filter": filter })).await;
        for node in page["nodes"].as_array().unwrap() {
            assert_eq!(node["status"], status, "{node}");
        }
    }
    let every: Vec<&str> = by_status.iter().map(|(status, _)| *status).collect();
    let all = matching(caller, json!({ "ownerIds": owners, "status": every })).await;
    assert_eq!(all.split(' ').count(), 10);
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_expired_from_the_very_instant_of_its_end() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    later(&server, &ada, "ci", Some("2026-11-21T09:00:02.000Z")).await;
    let expired = json!({ "ownerIds": [ada.public_id], "status": ["EXPIRED"] });
    server.advance(Duration::from_millis(999));
    assert_eq!(matching(&auditor.caller, expired.clone()).await, "");
    server.advance(Duration::from_millis(1));
    assert_eq!(matching(&auditor.caller, expired).await, "ci");
    server.stop().await;
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

#[tokio::test]
async fn each_order_goes_both_ways_with_keys_without_an_end_last() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    later(&server, &ada, "b", Some("2026-12-02T00:00:00Z")).await;
    later(&server, &ada, "d", None).await;
    later(&server, &ada, "a", Some("2026-12-03T00:00:00Z")).await;
    later(&server, &ada, "c", Some("2026-12-01T00:00:00Z")).await;
    later(&server, &ada, "e", None).await;
    let orders = [
        ("CREATED_AT", "ASC", "bdace"),
        ("CREATED_AT", "DESC", "ecadb"),
        ("NAME", "ASC", "abcde"),
        ("NAME", "DESC", "edcba"),
        ("EXPIRES_AT", "ASC", "cbade"),
        ("EXPIRES_AT", "DESC", "abced"),
    ];
    let filter = json!({ "ownerIds": [ada.public_id] });
    for (field, direction, expected) in orders {
        let order = json!({ "field": field, "direction": direction });
        let forward = json!({ "filter": filter, "orderBy": order });
        assert_eq!(names(&list(&auditor.caller, forward).await).concat(), expected, "{order}");
        let backward = json!({ "filter": filter, "orderBy": order, "last": 100 });
        assert_eq!(names(&list(&auditor.caller, backward).await).concat(), expected, "{order}");
    }
    assert_eq!(names(&list(&auditor.caller, json!({ "filter": filter })).await).concat(), "ecadb");
    server.stop().await;
}

/// Twenty-five keys of one owner, of which some share an end and some have none.
async fn twenty_five(server: &Server, owner: &Account) {
    for index in 0..25 {
        let end = (index % 4 != 0).then(|| format!("2026-12-{:02}T00:00:00Z", 1 + index % 3));
        later(server, owner, &format!("{:02}", index * 7 % 25), end.as_deref()).await;
    }
}

/// Walks through all pages of seven, and checks what each says about its neighbours.
async fn walk(caller: &Caller, filter: &Value, order: &Value, backward: bool) -> Vec<String> {
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

/// Proves
#[tokio::test]
async fn pages_in_both_directions_have_each_key_once_and_in_order() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let filter = json!({ "ownerIds": [ada.public_id] });
    for field in ["CREATED_AT", "NAME", "EXPIRES_AT"] {
        for direction in ["ASC", "DESC"] {
            let order = json!({ "field": field, "direction": direction });
            let whole = json!({ "filter": filter, "orderBy": order, "first": 100 });
            let whole = names(&list(&auditor.caller, whole).await);
            assert_eq!(whole.len(), 25);
            assert_eq!(walk(&auditor.caller, &filter, &order, false).await, whole, "{order}");
            assert_eq!(walk(&auditor.caller, &filter, &order, true).await, whole, "{order}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn keys_made_and_deleted_between_pages_move_nothing() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let filter = json!({ "ownerIds": [ada.public_id] });
    for field in ["CREATED_AT", "NAME", "EXPIRES_AT"] {
        let order = json!({ "field": field, "direction": "DESC" });
        let page = |after: Value| json!({ "filter": filter, "orderBy": order, "first": 7, "after": after });
        let whole = json!({ "filter": filter, "orderBy": order, "first": 100 });
        let whole = names(&list(&auditor.caller, whole).await);

        let first = list(&auditor.caller, page(Value::Null)).await;
        // It would be first in each of these orders; and where the cursor stands, nothing is any more.
        let made = format!("zz {field}");
        let id = later(&server, &ada, &made, Some("2027-01-01T00:00:00Z")).await;
        let end = first["pageInfo"]["endCursor"].clone();
        let last = json!({ "ownerIds": [ada.public_id], "createdBefore": "2030-01-01T00:00:00Z" });
        let last = list(&auditor.caller, json!({ "filter": last, "orderBy": order, "first": 8 })).await;
        assert_eq!(names(&last)[0], made);
        let second = list(&auditor.caller, page(end)).await;
        assert_eq!(names(&second), whole[7..14]);
        auditor.caller.change(DELETE, selection([&*id])).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_cursor_still_stands_when_its_key_is_gone() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d"] {
        ids.push(later(&server, &ada, name, None).await);
    }
    for field in ["CREATED_AT", "NAME", "EXPIRES_AT"] {
        let variables = |after: &Value, first: i32| {
            json!({ "filter": { "ownerIds": [ada.public_id] }, "first": first, "after": after,
                    "orderBy": { "field": field, "direction": "ASC" } })
        };
        let first = list(&auditor.caller, variables(&Value::Null, 2)).await;
        server.run_sql("UPDATE api_keys SET state = 'DELETED' WHERE name = 'b'").await;
        let rest = list(&auditor.caller, variables(&first["pageInfo"]["endCursor"], 2)).await;
        assert_eq!(names(&rest), ["c", "d"]);
        server.run_sql("UPDATE api_keys SET state = 'ENABLED' WHERE name = 'b'").await;
    }
    server.stop().await;
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

#[tokio::test]
async fn filters_that_cannot_be_are_bad_input() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let wrong = [
        (json!({ "ids": ["ci"] }), "ids"),
        (json!({ "ids": [ada.account.public_id] }), "ids"),
        (json!({ "ownerIds": [ada.key.id] }), "ownerIds"),
    ];
    for (filter, field) in wrong {
        let answer = ada.caller.graphql_with(LIST, json!({ "filter": filter })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.json()["errors"][0]["extensions"]["field"], json!([field]));
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
        let before = server.app.db.reads();
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
