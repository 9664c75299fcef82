//! The lists of the directory: pages, filters, searches, counts, and what hangs on their objects.

use std::time::Duration;

use serde_json::{Value, json};

use super::started;
use crate::harness::changes::{
    CREATE_ACCOUNT, CREATE_API, CREATE_GROUP, CREATE_ROLE, CREATE_SCOPE, CREATE_USER, DEACTIVATE_USER,
};
use crate::harness::{Caller, Server};

/// Reads a list to its end in both directions, two at a time; gives back the text of each object.
async fn paged(caller: &Caller, list: &str, text: &str) -> Vec<String> {
    let whole =
        caller.graphql(&format!("{{ {list}(first: 100) {{ totalCount nodes {{ {text} }} }} }}")).await.data();
    let shown = |node: &Value| node[text].as_str().unwrap().to_owned();
    let expected: Vec<String> = whole[list]["nodes"].as_array().unwrap().iter().map(shown).collect();
    assert_eq!(whole[list]["totalCount"], json!(expected.len()), "{list}");
    for (length, cursor, more, end) in
        [("first", "after", "hasNextPage", "endCursor"), ("last", "before", "hasPreviousPage", "startCursor")]
    {
        let (mut found, mut at) = (Vec::new(), Value::Null);
        loop {
            let query = format!(
                "query ($at: String) {{ {list}({length}: 2, {cursor}: $at) {{ nodes {{ {text} }} pageInfo {{ {more} {end} }} }} }}"
            );
            let page = caller.graphql_with(&query, json!({ "at": at })).await.data()[list].take();
            let nodes: Vec<String> = page["nodes"].as_array().unwrap().iter().map(shown).collect();
            assert!(!nodes.is_empty() && nodes.len() <= 2, "{list}: {page}");
            found = if length == "first" { [found, nodes].concat() } else { [nodes, found].concat() };
            if page["pageInfo"][more] == false {
                break;
            }
            at = page["pageInfo"][end].clone();
        }
        assert_eq!(found, expected, "{list} by {length}");
    }
    expected
}

#[tokio::test]
async fn every_list_has_an_order_pages_and_a_count() {
    let (server, boss) = started().await;
    for n in [3, 1, 2, 4] {
        server.advance(Duration::from_millis(1));
        let name = format!("n{n}");
        let email = format!("{name}@example.com");
        boss.caller.made(CREATE_USER, json!({ "email": email, "displayName": name })).await;
        boss.caller.made(CREATE_GROUP, json!({ "name": name })).await;
        boss.caller.made(CREATE_ACCOUNT, json!({ "name": name })).await;
        boss.caller.made(CREATE_ROLE, json!({ "name": name, "scopes": [] })).await;
        let api = json!({ "identifier": format!("urn:{name}"), "name": name });
        let api = boss.caller.made(CREATE_API, api).await;
        let scope = json!({ "apiId": api, "name": format!("{name}:read"), "kind": "READ" });
        boss.caller.made(CREATE_SCOPE, scope).await;
    }
    let caller = &boss.caller;
    let mails = ["boss", "n1", "n2", "n3", "n4"].map(|name| format!("{name}@example.com"));
    assert_eq!(paged(caller, "users", "email").await, mails);
    assert_eq!(paged(caller, "groups", "name").await, ["n1", "n2", "n3", "n4"]);
    assert_eq!(paged(caller, "serviceAccounts", "name").await, ["n1", "n2", "n3", "n4", "operator"]);
    let roles = ["admin", "analyst", "auditor", "key-manager", "member", "n1", "n2", "n3", "n4"];
    assert_eq!(paged(caller, "roles", "name").await, roles);
    let own = server.app.issuer.as_str();
    assert_eq!(paged(caller, "apis", "identifier").await, [own, "urn:n3", "urn:n1", "urn:n2", "urn:n4"]);
    let scopes = paged(caller, "scopes", "name").await;
    assert!(scopes.is_sorted() && scopes.len() == 25, "{scopes:?}");
    server.stop().await;
}

#[tokio::test]
async fn cursors_and_lengths_that_do_not_fit_are_refused() {
    let (server, boss) = started().await;
    let users = boss.caller.graphql("{ users { pageInfo { endCursor } } }").await.data();
    let of_users = users["users"]["pageInfo"]["endCursor"].as_str().unwrap();
    for list in ["users", "groups", "serviceAccounts", "roles", "apis", "scopes"] {
        let mut wrong = vec!["first: 101".to_owned(), "first: -1".to_owned(), "first: 1, last: 1".to_owned()];
        wrong.push("after: \"nonsense\"".to_owned());
        if list != "users" {
            wrong.push(format!("after: \"{of_users}\""));
        }
        for arguments in wrong {
            let answer = boss.caller.graphql(&format!("{{ {list}({arguments}) {{ totalCount }} }}")).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{list} {arguments}: {}", answer.text);
        }
    }
    server.stop().await;
}

/// The names of what a filter leaves of a list, and that the count is the same.
async fn filtered(caller: &Caller, (list, text): (&str, &str), filter: &Value) -> String {
    let of = list[..1].to_uppercase() + &list[1..list.len() - 1];
    let query = format!(
        "query ($filter: {of}Filter) {{ {list}(filter: $filter, first: 100) {{ totalCount nodes {{ {text} }} }} }}"
    );
    let found = caller.graphql_with(&query, json!({ "filter": filter })).await.data()[list].take();
    let names: Vec<&str> =
        found["nodes"].as_array().unwrap().iter().map(|node| node[text].as_str().unwrap()).collect();
    assert_eq!(found["totalCount"], json!(names.len()), "{list} {filter}");
    names.join(" ")
}

/// Some users: with handles, in groups, with roles, one of them stopped.
async fn people(server: &Server, boss: &Caller) -> [String; 3] {
    let (analyst, member) = (server.role("analyst").await, server.role("member").await);
    let ops = boss.made(CREATE_GROUP, json!({ "name": "ops", "roleIds": [analyst] })).await;
    let sre = boss.made(CREATE_GROUP, json!({ "name": "sre" })).await;
    let person = |email: &str, handle: &str, name: &str| json!({ "email": email, "handle": handle, "displayName": name });
    let mut ada = person("ada@example.com", "countess", "Ada Lovelace");
    ada["groupIds"] = json!([ops, sre]);
    let mut bob = person("bob@example.org", "BOB_1", "Bob 100%");
    bob["roleIds"] = json!([analyst, member]);
    let mut eve = person("eve@example.org", "eve", "Émile Eve");
    (eve["roleIds"], eve["groupIds"]) = (json!([]), json!([sre]));
    for person in [ada, bob] {
        boss.made(CREATE_USER, person).await;
    }
    let eve = boss.made(CREATE_USER, eve).await;
    boss.done(DEACTIVATE_USER, json!({ "id": eve })).await;
    [ops, sre, analyst]
}

/// Proves: X-16
#[tokio::test]
async fn users_are_found_by_every_filter_and_by_several_together() {
    let (server, boss) = started().await;
    let [ops, sre, analyst] = people(&server, &boss.caller).await;
    let all = "ada@example.com bob@example.org boss@example.com eve@example.org";
    let member = server.role("member").await;
    let cases = [
        (Value::Null, all),
        (json!({}), all),
        (json!({ "search": null, "active": null, "groupIds": null, "roleIds": null }), all),
        (json!({ "search": " " }), all),
        (json!({ "search": "EXAMPLE.org" }), "bob@example.org eve@example.org"),
        (json!({ "search": "count" }), "ada@example.com"),
        (json!({ "search": "lovelace" }), "ada@example.com"),
        (json!({ "search": "bob_1" }), "bob@example.org"),
        // Letters that mean something to the database are letters.
        (json!({ "search": "b%" }), ""),
        (json!({ "search": "100%" }), "bob@example.org"),
        (json!({ "search": "b_b" }), ""),
        (json!({ "search": "\\" }), ""),
        (json!({ "search": "' OR 1=1 --" }), ""),
        (json!({ "active": true }), "ada@example.com bob@example.org boss@example.com"),
        (json!({ "active": false }), "eve@example.org"),
        (json!({ "groupIds": [ops] }), "ada@example.com"),
        (json!({ "groupIds": [ops, sre] }), "ada@example.com eve@example.org"),
        (json!({ "groupIds": [] }), ""),
        (json!({ "roleIds": [analyst] }), "ada@example.com bob@example.org"),
        (json!({ "roleIds": [analyst, member] }), "ada@example.com bob@example.org"),
        (json!({ "roleIds": [] }), ""),
        (
            json!({ "roleIds": [analyst], "groupIds": [sre], "active": true, "search": "ada" }),
            "ada@example.com",
        ),
        (json!({ "roleIds": [analyst], "active": false }), ""),
    ];
    for (filter, expected) in cases {
        assert_eq!(filtered(&boss.caller, ("users", "email"), &filter).await, expected, "{filter}");
    }
    for (filter, field) in
        [(json!({ "groupIds": [analyst] }), "groupIds"), (json!({ "roleIds": ["x"] }), "roleIds")]
    {
        let query = "query ($filter: UserFilter) { users(filter: $filter) { totalCount } }";
        let answer = boss.caller.graphql_with(query, json!({ "filter": filter })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT");
        assert_eq!(answer.json()["errors"][0]["extensions"]["field"], json!([field]));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_finds_letters_beyond_ascii_in_either_case() {
    let (server, boss) = started().await;
    people(&server, &boss.caller).await;
    for search in ["Émile", "émi", "ÉM"] {
        let found = filtered(&boss.caller, ("users", "email"), &json!({ "search": search })).await;
        assert_eq!(found, "eve@example.org", "{search}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_that_no_name_can_have_finds_nothing() {
    let (server, boss) = started().await;
    for list in ["groups", "roles", "scopes"] {
        for search in ["\u{0}", "a\u{0}b", "\u{10ffff}"] {
            let found = filtered(&boss.caller, (list, "name"), &json!({ "search": search })).await;
            assert_eq!(found, "", "{list}");
        }
    }
    for (list, text) in [("users", "email"), ("serviceAccounts", "name")] {
        let filter = json!({ "search": "\u{10ffff}" });
        assert_eq!(filtered(&boss.caller, (list, text), &filter).await, "", "{list}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_other_lists_are_searched_by_name() {
    let (server, boss) = started().await;
    for name in ["Ops", "ops-eu", "o_s"] {
        boss.caller.made(CREATE_GROUP, json!({ "name": name })).await;
        boss.caller.made(CREATE_ACCOUNT, json!({ "name": name })).await;
        boss.caller.made(CREATE_ROLE, json!({ "name": name, "scopes": [] })).await;
    }
    for list in ["groups", "serviceAccounts", "roles"] {
        for (search, expected) in [("oPS", "Ops ops-eu"), ("o_s", "o_s"), ("nothing", "")] {
            let found = filtered(&boss.caller, (list, "name"), &json!({ "search": search })).await;
            assert_eq!(found, expected, "{list} {search}");
        }
    }
    let api = boss.caller.made(CREATE_API, json!({ "identifier": "urn:bills", "name": "Bills" })).await;
    for (name, kind) in [("bills:read", "READ"), ("bills:write", "WRITE")] {
        boss.caller.made(CREATE_SCOPE, json!({ "apiId": api, "name": name, "kind": kind })).await;
    }
    let cases = [
        (json!({ "apiIds": [api] }), "bills:read bills:write"),
        (json!({ "apiIds": [api], "kind": "WRITE" }), "bills:write"),
        (json!({ "apiIds": [api], "search": "READ" }), "bills:read"),
        (json!({ "apiIds": [] }), ""),
        (json!({ "search": "introspect", "kind": "READ" }), "tokens:introspect"),
        (json!({ "search": "introspect", "kind": "WRITE" }), ""),
    ];
    for (filter, expected) in cases {
        assert_eq!(filtered(&boss.caller, ("scopes", "name"), &filter).await, expected, "{filter}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_hangs_on_users_and_groups_is_shown_to_whom_it_may_be() {
    let (server, boss) = started().await;
    let [ops, ..] = people(&server, &boss.caller).await;
    let nested = "{ users(first: 4) { nodes { email roles { name } groups { name roles { name } members(first: 4) { nodes { email } } } effectiveScopes { name } } } }";
    let users = boss.caller.graphql(nested).await.data()["users"]["nodes"].take();
    let ada = &users[0];
    assert_eq!(ada["email"], "ada@example.com");
    assert_eq!(ada["roles"][0]["name"], "member");
    let groups = json!([
        { "name": "ops", "roles": [{ "name": "analyst" }], "members": { "nodes": [{ "email": "ada@example.com" }] } },
        { "name": "sre", "roles": [], "members": { "nodes": [{ "email": "ada@example.com" }, { "email": "eve@example.org" }] } },
    ]);
    assert_eq!(ada["groups"], groups);
    let scopes = "activity:read activity:read:any keys:read keys:use keys:write roles:read scopes:read";
    assert_eq!(crate::harness::changes::names(&ada["effectiveScopes"]), scopes);

    // A member sees themselves alone, in lists and among the members of their groups.
    let cleo = server.person("cleo@example.com", &["member"]).await;
    boss.caller
        .done(
            crate::harness::changes::UPDATE_GROUP,
            json!({ "id": ops, "addMemberIds": [cleo.account.public_id] }),
        )
        .await;
    let query = "{ users { totalCount nodes { email groups { name members(first: 4) { totalCount nodes { email } } } } } }";
    let seen = cleo.caller.graphql(query).await.data();
    let members = json!({ "totalCount": 1, "nodes": [{ "email": "cleo@example.com" }] });
    let expected =
        json!([{ "email": "cleo@example.com", "groups": [{ "name": "ops", "members": members }] }]);
    assert_eq!(seen["users"], json!({ "totalCount": 1, "nodes": expected }));
    server.stop().await;
}

#[tokio::test]
async fn the_log_shows_what_was_changed_whatever_it_is() {
    let (server, boss) = started().await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let role = boss.caller.made(CREATE_ROLE, json!({ "name": "desk", "scopes": [] })).await;
    let api = boss.caller.made(CREATE_API, json!({ "identifier": "urn:bills", "name": "Bills" })).await;
    let scope = json!({ "apiId": api, "name": "bills:read", "kind": "READ" });
    let scope = boss.caller.made(CREATE_SCOPE, scope).await;
    let account = boss.caller.made(CREATE_ACCOUNT, json!({ "name": "build" })).await;
    let user = json!({ "email": "ada@example.com", "displayName": "Ada" });
    let user = boss.caller.made(CREATE_USER, user).await;
    let query = "{ activity(first: 6) { nodes { kind target { id } actor { ... on ApiKey { id } } } } }";
    let rows = boss.caller.graphql(query).await.data()["activity"]["nodes"].take();
    let actor = json!({ "id": boss.key.id });
    let row = |kind: &str, id: &str| json!({ "kind": kind, "target": { "id": id }, "actor": actor });
    let expected = json!([
        row("USER_CREATED", &user),
        row("SERVICE_ACCOUNT_CREATED", &account),
        row("SCOPE_CREATED", &scope),
        row("API_CREATED", &api),
        row("ROLE_CREATED", &role),
        row("GROUP_CREATED", &group),
    ]);
    assert_eq!(rows, expected);
    server.stop().await;
}
