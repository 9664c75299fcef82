//! The orders of `apiKeys`: both ways, with rows that lack the value, with ties, while rows come and go.

use serde_json::{Value, json};

use super::list::{auditor, later, list, names, twenty_five, walk};
use crate::harness::Server;
use crate::harness::keys::{DELETE, selection};

const FIELDS: [&str; 4] = ["CREATED_AT", "NAME", "LAST_USED_AT", "EXPIRES_AT"];
/// Gives every key a last use at its end; keys without one were never used.
const USE: &str = "UPDATE api_keys SET last_used_at = expires_at";

#[tokio::test]
async fn each_order_goes_both_ways_with_keys_without_the_value_last() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    later(&server, &ada, "b", Some("2026-12-02T00:00:00Z")).await;
    later(&server, &ada, "d", None).await;
    later(&server, &ada, "a", Some("2026-12-03T00:00:00Z")).await;
    later(&server, &ada, "c", Some("2026-12-01T00:00:00Z")).await;
    later(&server, &ada, "e", None).await;
    let used =
        "UPDATE api_keys SET last_used_at = CASE name WHEN 'd' THEN 3 WHEN 'b' THEN 0 WHEN 'e' THEN 3 END";
    server.run_sql(&format!("{used} WHERE length(name) = 1")).await;
    let orders = [
        ("CREATED_AT", "ASC", "bdace"),
        ("CREATED_AT", "DESC", "ecadb"),
        ("NAME", "ASC", "abcde"),
        ("NAME", "DESC", "edcba"),
        // Of two that were used at the same time, the order of creation decides.
        ("LAST_USED_AT", "ASC", "bdeac"),
        ("LAST_USED_AT", "DESC", "edbca"),
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

/// Proves
#[tokio::test]
async fn pages_in_both_directions_have_each_key_once_and_in_order() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    server.run_sql(USE).await;
    let filter = json!({ "ownerIds": [ada.public_id] });
    for field in FIELDS {
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

/// Proves: X-13
#[tokio::test]
async fn keys_made_and_deleted_between_pages_move_nothing() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    server.run_sql(USE).await;
    let filter = json!({ "ownerIds": [ada.public_id] });
    for field in FIELDS {
        let order = json!({ "field": field, "direction": "DESC" });
        let page = |after: Value| json!({ "filter": filter, "orderBy": order, "first": 7, "after": after });
        let whole = json!({ "filter": filter, "orderBy": order, "first": 100 });
        let whole = names(&list(&auditor.caller, whole).await);

        let first = list(&auditor.caller, page(Value::Null)).await;
        // It would be first in each of these orders; and where the cursor stands, nothing is any more.
        let made = format!("zz {field}");
        let id = later(&server, &ada, &made, Some("2027-01-01T00:00:00Z")).await;
        server.run_sql(USE).await;
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
    for field in FIELDS {
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
async fn between_two_cursors_lies_what_lies_between_their_keys() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    for (name, end) in [("f", None), ("a", Some(2)), ("d", Some(1)), ("b", None), ("e", Some(2)), ("c", None)]
    {
        let end = end.map(|day| format!("2026-12-{day:02}T00:00:00Z"));
        later(&server, &ada, name, end.as_deref()).await;
    }
    server.run_sql(USE).await;
    for order in FIELDS
        .iter()
        .flat_map(|field| ["ASC", "DESC"].map(|direction| json!({ "field": field, "direction": direction })))
    {
        let page = async |length: &str, number: usize, after: &Value, before: &Value| {
            let variables = json!({ "filter": { "ownerIds": [ada.public_id] }, "orderBy": order,
                length: number, "after": after, "before": before });
            list(&auditor.caller, variables).await
        };
        let whole = page("first", 100, &Value::Null, &Value::Null).await;
        let all = names(&whole);
        assert_eq!(all.len(), 6);
        let cursors: Vec<&Value> =
            whole["edges"].as_array().unwrap().iter().map(|edge| &edge["cursor"]).collect();
        for (from, after) in cursors.iter().enumerate() {
            for (to, before) in cursors.iter().enumerate() {
                let expected = all.get(from + 1..to).unwrap_or_default();
                for length in ["first", "last"] {
                    let found = names(&page(length, 100, after, before).await);
                    assert_eq!(found, expected, "{order} {length} {from} {to}");
                }
                if let [one, .., other] = expected {
                    assert_eq!(
                        names(&page("first", 1, after, before).await),
                        std::slice::from_ref(one),
                        "{order}"
                    );
                    assert_eq!(
                        names(&page("last", 1, after, before).await),
                        std::slice::from_ref(other),
                        "{order}"
                    );
                }
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_costs_as_many_statements_in_a_long_list_as_in_a_short_one() {
    let server = Server::start().await;
    let auditor = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let statements = async |field: &str| {
        let variables = json!({ "filter": { "ownerIds": [ada.public_id] }, "first": 1,
            "orderBy": { "field": field, "direction": "ASC" } });
        let before = server.app.db.reads();
        let found = names(&list(&auditor.caller, variables).await).len();
        (found, server.app.db.reads() - before)
    };
    later(&server, &ada, "first of all", Some("2026-12-01T00:00:00Z")).await;
    server.run_sql(USE).await;
    let mut short = Vec::new();
    for field in FIELDS {
        short.push(statements(field).await);
    }
    twenty_five(&server, &ada).await;
    server.run_sql(USE).await;
    for (field, (one, few)) in FIELDS.into_iter().zip(short) {
        let (found, many) = statements(field).await;
        assert_eq!((one, found), (1, 1));
        // Keys that lack the value are asked for only if those that have it do not fill the page.
        let spared = u64::from(matches!(field, "LAST_USED_AT" | "EXPIRES_AT"));
        assert_eq!(many, few - spared, "{field}");
    }
    server.stop().await;
}
