//! `filter.search`: what is found, by which rule, in which order, and that nothing is forgotten or shown too much.

use std::time::Duration;

use serde_json::{Value, json};

use super::list::{LIST, auditor, later, list, matching, names, twenty_five, walk};
use crate::harness::changes::{CREATE_ACCOUNT, CREATE_USER};
use crate::harness::keys::{CREATE, DELETE, REGENERATE, selection};
use crate::harness::{Account, Caller, Grants, Server};

/// The keys that a search finds, oldest first, but for the searcher's own; the count says the same.
pub async fn found(caller: &Caller, search: &str) -> String {
    let query = "query ($search: String) { apiKeys(filter: { search: $search }, first: 100,
        orderBy: { field: CREATED_AT, direction: ASC }) { totalCount nodes { name } } }";
    let page = caller.graphql_with(query, json!({ "search": search })).await.data()["apiKeys"].take();
    let names = names(&page);
    assert_eq!(page["totalCount"], json!(names.len()), "{search:?}");
    names.into_iter().filter(|name| !name.contains("'s own")).collect::<Vec<_>>().join(" ")
}

/// The users that a search finds.
pub async fn users(caller: &Caller, search: &str) -> String {
    let query =
        "query ($search: String) { users(filter: { search: $search }) { totalCount nodes { email } } }";
    let mut page = caller.graphql_with(query, json!({ "search": search })).await.data()["users"].take();
    let emails: Vec<String> = page["nodes"]
        .as_array_mut()
        .unwrap()
        .iter()
        .map(|user| user["email"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(page["totalCount"], json!(emails.len()), "{search:?}");
    emails.join(" ")
}

/// A key that nothing but its name leads to: the owner is called `~~~`, and ids are left to chance.
pub async fn named(server: &Server, names: &[&str]) -> Account {
    let owner = server.service_account("~~~").await;
    for name in names {
        later(server, &owner, name, None).await;
    }
    owner
}

/// The same letters, each in its other case.
fn swapped(text: &str) -> String {
    let swap = |letter: char| {
        if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    };
    text.chars().map(swap).collect()
}

/// Proves: X-12
#[tokio::test]
async fn a_key_is_found_by_its_name_its_owner_its_client_id_and_its_hint() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = json!({ "email": "ada@example.org", "handle": "countess", "displayName": "Augusta King",
        "roleIds": [server.role("member").await] });
    let ada = boss.caller.made(CREATE_USER, ada).await;
    let build = boss.caller.made(CREATE_ACCOUNT, json!({ "name": "Build farm" })).await;
    let mut made = Vec::new();
    for (name, owner) in [("nightly", &ada), ("weekly", &build)] {
        server.advance(Duration::from_secs(1));
        let input = json!({ "name": name, "ownerId": owner, "scopes": ["keys:read"] });
        made.push(boss.caller.change(CREATE, input).await);
    }
    let (nightly, secret) = (&made[0]["apiKey"], made[0]["clientSecret"].as_str().unwrap());
    let client_id = nightly["clientId"].as_str().unwrap();
    let hint = &secret[secret.len() - 4..];
    let swapped = swapped(hint);
    let cases = [
        ("nightly", "nightly"),
        ("IGHT", "nightly"),
        (" ekl ", "weekly"),
        ("kly", "weekly"),
        ("ada@", "nightly"),
        ("@Example.ORG", "nightly"),
        ("countes", "nightly"),
        ("gusta ki", "nightly"),
        ("uild f", "weekly"),
        ("usta x", ""),
        (client_id, "nightly"),
        (&client_id[..8], "nightly"),
        (&client_id[..9].to_lowercase(), "nightly"),
        (&client_id[1..], ""),
        (&format!("{client_id}0"), ""),
        (hint, "nightly"),
        (&swapped, ""),
        (&hint[..3], ""),
        (&hint[1..], ""),
    ];
    for (search, expected) in cases {
        assert_eq!(found(&boss.caller, search).await, expected, "{search:?}");
    }

    // Beside a new secret the old one is found until its end, and no longer.
    let rotate = json!({ "selection": { "ids": [nightly["id"]] }, "gracePeriodSeconds": 60 });
    let fresh = boss.caller.change(REGENERATE, rotate).await;
    let fresh = fresh["issued"][0]["clientSecret"].as_str().unwrap();
    let fresh = &fresh[fresh.len() - 4..];
    for (after, old) in [(59, "nightly"), (1, "")] {
        server.advance(Duration::from_secs(after));
        assert_eq!(found(&boss.caller, hint).await, old);
        assert_eq!(found(&boss.caller, fresh).await, "nightly");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_blank_search_is_none_and_one_that_cannot_be_is_refused_in_every_list() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    named(&server, &["one", "two"]).await;
    for blank in ["", " ", "\t\n", "\u{a0}"] {
        assert_eq!(found(&boss.caller, blank).await, "one two", "{blank:?}");
    }
    let order = json!({ "field": "NAME", "direction": "ASC" });
    let ordered = list(&boss.caller, json!({ "filter": { "search": " " }, "orderBy": order })).await;
    assert_eq!(names(&ordered), ["boss@example.com's own", "one", "two"]);

    let longest = "é".repeat(100);
    for (list, kind) in [("apiKeys", "ApiKey"), ("users", "User"), ("serviceAccounts", "ServiceAccount")] {
        let query = format!("query ($f: {kind}Filter) {{ {list}(filter: $f) {{ totalCount }} }}");
        let none = boss.caller.graphql_with(&query, json!({ "f": { "search": longest } })).await.data();
        assert_eq!(none[list]["totalCount"], 0);
        for wrong in
            [format!("{longest}é"), "a\u{0}b".to_owned(), "two\nlines".to_owned(), "\u{9f}x\u{9f}".to_owned()]
        {
            let answer = boss.caller.graphql_with(&query, json!({ "f": { "search": wrong } })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{list} {wrong:?}");
            assert_eq!(answer.json()["errors"][0]["extensions"]["field"], json!(["search"]));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_has_the_order_of_creation_and_no_other() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    named(&server, &["b one", "a one", "c one"]).await;
    for (field, direction, expected) in [
        ("CREATED_AT", "ASC", Some(["b one", "a one", "c one"])),
        ("CREATED_AT", "DESC", Some(["c one", "a one", "b one"])),
        ("NAME", "ASC", None),
        ("LAST_USED_AT", "DESC", None),
        ("EXPIRES_AT", "ASC", None),
    ] {
        let order = json!({ "field": field, "direction": direction });
        let variables = json!({ "filter": { "search": "one" }, "orderBy": order });
        let answer = boss.caller.graphql_with(LIST, variables).await;
        match expected {
            Some(expected) => assert_eq!(names(&answer.data()["apiKeys"]), expected),
            None => {
                assert_eq!(answer.code(), "BAD_USER_INPUT");
                let error = &answer.json()["errors"][0];
                assert_eq!(error["extensions"]["field"], json!(["orderBy"]));
                assert!(error["message"].as_str().unwrap().contains("CREATED_AT"), "{error}");
            }
        }
    }
    server.stop().await;
}

/// Proves
#[tokio::test]
async fn pages_of_a_search_have_each_key_once_while_others_come_and_go() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let bob = server.user("bob@example.org", &["member"]).await;
    later(&server, &bob, "not found", None).await;
    let filter = json!({ "search": "ADA@", "ownerKind": "USER" });
    for direction in ["ASC", "DESC"] {
        let order = json!({ "field": "CREATED_AT", "direction": direction });
        let whole = list(&boss.caller, json!({ "filter": filter, "orderBy": order, "first": 100 })).await;
        let whole = names(&whole);
        assert_eq!(whole.len(), 25);
        for backward in [false, true] {
            assert_eq!(walk(&boss.caller, &filter, &order, backward).await, whole, "{order} {backward}");
        }
        let page = |after: &Value| json!({ "filter": filter, "orderBy": order, "first": 7, "after": after });
        let first = list(&boss.caller, page(&Value::Null)).await;
        let new = later(&server, &ada, "new", None).await;
        let gone =
            format!("UPDATE api_keys SET state = 'DELETED' WHERE name IN ('{}', '{}')", whole[0], whole[6]);
        server.run_sql(&gone).await;
        let second = list(&boss.caller, page(&first["pageInfo"]["endCursor"])).await;
        assert_eq!(names(&second), whole[7..14]);
        server
            .run_sql("UPDATE api_keys SET state = 'ENABLED' WHERE state = 'DELETED' AND name <> 'new'")
            .await;
        boss.caller.change(DELETE, selection([&*new])).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_shows_nothing_out_of_reach() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.person("bob@example.org", &["member"]).await;
    let foreign = server.key(&bob.account, "shared name", Grants::Inherit).await;
    server.key(&ada.account, "shared name", Grants::Inherit).await;
    server.advance(Duration::from_millis(1));
    let weak = server.generous_key(&ada.account, "weak", Grants::Scopes(&["keys:read", "keys:use"])).await;
    let weak = server.sign_in(&weak).await;
    let hint = &foreign.secret[foreign.secret.len() - 4..];
    let cases = [
        ("shared", "shared name", ""),
        ("bob@", "", ""),
        ("bo", "", ""),
        ("example", "shared name weak", "weak"),
        ("wea", "weak", "weak"),
        (&foreign.client_id, "", ""),
        (hint, "", ""),
    ];
    for (search, own, narrow) in cases {
        assert_eq!(found(&ada.caller, search).await, own, "{search:?}");
        assert_eq!(found(&weak, search).await, narrow, "{search:?}");
    }
    assert_eq!(users(&ada.caller, "bob").await, "");
    assert_eq!(users(&ada.caller, "example").await, "ada@example.com");
    let query = "{ serviceAccounts(filter: { search: \"operator\" }) { totalCount } }";
    assert_eq!(ada.caller.graphql(query).await.data()["serviceAccounts"]["totalCount"], 0);
    server.stop().await;
}

#[tokio::test]
async fn deleted_keys_are_found_when_they_are_asked_for() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    let owner = named(&server, &["living"]).await;
    let id = later(&server, &owner, "dead and gone", None).await;
    boss.caller.change(DELETE, selection([&*id])).await;
    assert_eq!(found(&boss.caller, "gone").await, "");
    let deleted = |search: &str| json!({ "search": search, "status": ["DELETED"] });
    assert_eq!(matching(&boss.caller, deleted("gone")).await, "dead and gone");
    assert_eq!(matching(&boss.caller, deleted("~~~")).await, "dead and gone");
    assert_eq!(matching(&boss.caller, deleted("living")).await, "");
    server.stop().await;
}

#[tokio::test]
async fn users_and_service_accounts_are_found_by_the_same_rule() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let person = |email: &str, handle: &str, name: &str| json!({ "email": email, "handle": handle, "displayName": name });
    boss.caller.made(CREATE_USER, person("ada@example.org", "countess", "Ädda Lovelace")).await;
    boss.caller.made(CREATE_USER, person("eve@example.org", "lo", "Lo")).await;
    for (search, expected) in [
        ("ÄD", "ada@example.org"),
        ("dda", "ada@example.org"),
        ("dd", ""),
        ("lo", "eve@example.org"),
        ("LOVE", "ada@example.org"),
        ("example.ORG", "ada@example.org eve@example.org"),
        ("b", "boss@example.com"),
    ] {
        assert_eq!(users(&boss.caller, search).await, expected, "{search:?}");
    }
    boss.caller.made(CREATE_ACCOUNT, json!({ "name": "Öl-Werk" })).await;
    for (search, expected) in
        [("öl", vec!["Öl-Werk"]), ("WERK", vec!["Öl-Werk"]), ("we", vec![]), ("op", vec!["operator"])]
    {
        let query = "query ($s: String) { serviceAccounts(filter: { search: $s }) { nodes { name } } }";
        let data = boss.caller.graphql_with(query, json!({ "s": search })).await.data();
        assert_eq!(names(&data["serviceAccounts"]), expected, "{search:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_costs_the_same_statements_however_much_it_finds() {
    let server = Server::start().await;
    let boss = auditor(&server).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    twenty_five(&server, &ada).await;
    let statements = async |search: &str| {
        let before = server.reads_before(&boss.caller).await;
        let found = found(&boss.caller, search).await;
        (found.split(' ').filter(|name| !name.is_empty()).count(), server.app.db.reads() - before)
    };
    let (none, few) = statements("nothing has this").await;
    let (all, many) = statements("ada@example").await;
    let (one, short) = statements("2").await;
    assert_eq!((none, all), (0, 25));
    assert!(one > 0);
    assert_eq!((few, short), (many, many));
    server.stop().await;
}
