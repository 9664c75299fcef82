//! The orders of `apiKeys`: both ways, with rows that lack the value, with ties, while rows come and go.

use serde_json::{Value, json};

use super::list::{auditor, later, list, names, twenty_five, walk};
use crate::harness::Server;
use crate::harness::keys::{DELETE, selection};

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
