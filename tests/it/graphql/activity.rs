//! The `activity` field: which rows, in which order, page by page, and whose.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::keys::{self, Person, selection};
use crate::harness::{Caller, Grants, Server};

const LIST: &str =
    "query ($filter: ActivityFilter, $first: Int, $after: String, $last: Int, $before: String) {
    activity(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
        nodes { id at family kind outcome } edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// Ada and Eve, members with a key each; Ana, who sees everybody's activity.
struct World {
    server: Server,
    ada: Person,
    eve: Person,
    ana: Person,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let ada = server.person("ada@example.com", &["member"]).await;
        let eve = server.person("eve@example.com", &["member"]).await;
        let ana = server.person("ana@example.com", &["analyst"]).await;
        Self { server, ada, eve, ana }
    }
}

async fn list(caller: &Caller, variables: Value) -> Value {
    caller.graphql_with(LIST, variables).await.data()["activity"].take()
}

/// The kinds and outcomes of the rows, in their order.
async fn kinds(caller: &Caller, filter: Value) -> Vec<String> {
    let page = list(caller, json!({ "filter": filter })).await;
    let shown = |row: &Value| match row["outcome"].as_str().unwrap() {
        "OK" => row["kind"].as_str().unwrap().to_owned(),
        outcome => format!("{} {outcome}", row["kind"].as_str().unwrap()),
    };
    page["nodes"].as_array().unwrap().iter().map(shown).collect()
}

fn ids(page: &Value) -> Vec<String> {
    page["nodes"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_newest_rows_come_first() {
    let World { server, ada, .. } = World::new().await;
    server.advance(Duration::from_secs(1));
    let key = ada.caller.change(keys::CREATE, json!({ "name": "ci" })).await;
    let id = key["apiKey"]["id"].as_str().unwrap();
    server.advance(Duration::from_secs(1));
    ada.caller.change(keys::DISABLE, selection([id])).await;
    assert_eq!(
        kinds(&ada.caller, json!({})).await,
        ["KEY_DISABLED", "KEY_CREATED", "TOKEN_ISSUED", "KEY_CREATED"]
    );
    let page = list(&ada.caller, json!({})).await;
    let times = page["nodes"].as_array().unwrap().iter().map(|row| row["at"].as_str().unwrap().to_owned());
    assert!(times.rev().collect::<Vec<_>>().is_sorted());
    assert!(ids(&page).iter().rev().is_sorted(), "ids ascend in the order of the log");
    server.stop().await;
}

/// Proves: X-07
#[tokio::test]
async fn a_row_tells_who_did_what_to_which_object_from_where() {
    let World { server, ada, .. } = World::new().await;
    let change = ada
        .caller
        .graphql_with(keys::UPDATE, json!({ "input": { "id": ada.key.id, "name": "renamed" } }))
        .await;
    change.data();
    let query = "{ activity(first: 1) { nodes { at family kind outcome count ip userAgent requestId tokenId
        actor { __typename ... on ApiKey { id } } apiKey { id } owner { ... on User { email } }
        target { __typename id } detail } } }";
    let mut row = ada.caller.graphql(query).await.data()["activity"]["nodes"][0].take();
    assert_eq!(row["requestId"], change.header("x-request-id"));
    for id in ["/actor/id", "/apiKey/id", "/target/id"] {
        assert_eq!(row.pointer(id).unwrap(), &json!(ada.key.id), "{id}");
        *row.pointer_mut(id).unwrap() = json!("<the key>");
    }
    assert!(row["detail"].as_object().is_some_and(|detail| !detail.is_empty()), "{row:#}");
    for varying in ["requestId", "detail"] {
        row[varying] = json!("...");
    }
    insta::assert_snapshot!(format!("{row:#}"), @r#"
    {
      "actor": {
        "__typename": "ApiKey",
        "id": "<the key>"
      },
      "apiKey": {
        "id": "<the key>"
      },
      "at": "2026-11-21T09:00:00.000Z",
      "count": 1,
      "detail": "...",
      "family": "CHANGE",
      "ip": "127.0.0.1",
      "kind": "KEY_UPDATED",
      "outcome": "OK",
      "owner": {
        "email": "ada@example.com"
      },
      "requestId": "...",
      "target": {
        "__typename": "ApiKey",
        "id": "<the key>"
      },
      "tokenId": null,
      "userAgent": null
    }
    "#);
    server.stop().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "this is a table: a row for each condition")]
async fn each_condition_selects_and_all_hold_together() {
    let World { server, ada, eve, ana } = World::new().await;
    server.advance(Duration::from_secs(60));
    ada.caller.change(keys::UPDATE, json!({ "id": ada.key.id, "description": "for tests" })).await;
    let refused = server.exchange(&ada.key, &[("scope", "users:write")]).await;
    assert_eq!(refused.json()["error"], "invalid_scope");
    let of_ada = |more: Value| {
        let mut filter = json!({ "apiKeyIds": [ada.key.id] });
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        filter
    };
    let mut table = String::new();
    for (about, filter) in [
        ("key", of_ada(json!({}))),
        ("family", of_ada(json!({ "families": ["CHANGE"] }))),
        ("families", of_ada(json!({ "families": ["CHANGE", "TOKEN"] }))),
        ("no family", of_ada(json!({ "families": [] }))),
        ("another family", of_ada(json!({ "families": ["SIGN_IN", "CALL"] }))),
        ("kind", of_ada(json!({ "kinds": ["TOKEN_REFUSED"] }))),
        ("kinds", of_ada(json!({ "kinds": ["TOKEN_REFUSED", "KEY_CREATED"] }))),
        ("outcome", of_ada(json!({ "outcomes": ["INVALID_SCOPE"] }))),
        ("outcomes", of_ada(json!({ "outcomes": ["OK"] }))),
        ("from", of_ada(json!({ "from": "2026-11-21T09:01:00Z" }))),
        ("to", of_ada(json!({ "to": "2026-11-21T09:01:00Z" }))),
        ("from other zone", of_ada(json!({ "from": "2026-11-21T10:01:00+01:00" }))),
        ("empty interval", of_ada(json!({ "from": "2026-11-21T09:01:00Z", "to": "2026-11-21T09:01:00Z" }))),
        ("two conditions", of_ada(json!({ "families": ["TOKEN"], "outcomes": ["OK"] }))),
        ("that exclude", of_ada(json!({ "families": ["CHANGE"], "kinds": ["TOKEN_ISSUED"] }))),
        ("address", of_ada(json!({ "ip": "127.0.0.1", "families": ["TOKEN"] }))),
        ("another address", of_ada(json!({ "ip": "127.0.0.2" }))),
        ("actor", json!({ "actorIds": [ada.key.id] })),
        ("actor of no row", json!({ "actorIds": [ada.account.public_id] })),
        ("owner", json!({ "ownerIds": [ada.account.public_id] })),
        ("owner, not key", json!({ "ownerIds": [ada.account.public_id], "apiKeyIds": [eve.key.id] })),
        (
            "owners",
            json!({ "ownerIds": [ada.account.public_id, eve.account.public_id], "kinds": ["KEY_CREATED"] }),
        ),
        ("no key", json!({ "apiKeyIds": [] })),
    ] {
        let found = kinds(&ana.caller, filter).await.join(", ");
        table += format!("{about:<16} {found}").trim_end();
        table += "
";
    }
    insta::assert_snapshot!(table, @"
    key              TOKEN_REFUSED INVALID_SCOPE, KEY_UPDATED, TOKEN_ISSUED, KEY_CREATED
    family           KEY_UPDATED, KEY_CREATED
    families         TOKEN_REFUSED INVALID_SCOPE, KEY_UPDATED, TOKEN_ISSUED, KEY_CREATED
    no family
    another family
    kind             TOKEN_REFUSED INVALID_SCOPE
    kinds            TOKEN_REFUSED INVALID_SCOPE, KEY_CREATED
    outcome          TOKEN_REFUSED INVALID_SCOPE
    outcomes         KEY_UPDATED, TOKEN_ISSUED, KEY_CREATED
    from             TOKEN_REFUSED INVALID_SCOPE, KEY_UPDATED
    to               TOKEN_ISSUED, KEY_CREATED
    from other zone  TOKEN_REFUSED INVALID_SCOPE, KEY_UPDATED
    empty interval
    two conditions   TOKEN_ISSUED
    that exclude
    address          TOKEN_REFUSED INVALID_SCOPE, TOKEN_ISSUED
    another address
    actor            TOKEN_REFUSED INVALID_SCOPE, KEY_UPDATED, TOKEN_ISSUED
    actor of no row
    owner            TOKEN_REFUSED INVALID_SCOPE, KEY_UPDATED, TOKEN_ISSUED, KEY_CREATED
    owner, not key
    owners           KEY_CREATED, KEY_CREATED
    no key
    ");
    server.stop().await;
}

#[tokio::test]
async fn the_rows_of_one_request_are_found_by_its_id() {
    let World { server, ada, .. } = World::new().await;
    let other = server.generous_key(&ada.account, "other", Grants::Inherit).await;
    let input = selection([ada.key.id.as_str(), other.id.as_str()]);
    let answer = ada
        .caller
        .graphql_with(
            keys::REGENERATE,
            json!({ "input": { "selection": input["selection"], "gracePeriodSeconds": 60 } }),
        )
        .await;
    answer.data();
    let found = kinds(&ada.caller, json!({ "requestId": answer.header("x-request-id") })).await;
    assert_eq!(found, ["SECRET_REGENERATED", "SECRET_REGENERATED"]);
    assert_eq!(kinds(&ada.caller, json!({ "requestId": "0" })).await, Vec::<String>::new());
    server.stop().await;
}

#[tokio::test]
async fn pages_meet_without_gap_or_overlap_in_both_directions() {
    let World { server, ada, .. } = World::new().await;
    for n in 0..5 {
        ada.caller.change(keys::CREATE, json!({ "name": format!("key {n}") })).await;
    }
    let all = ids(&list(&ada.caller, json!({})).await);
    assert_eq!(all.len(), 7);
    for (length, limit, cursor, end, more) in [
        ("first", 3, "after", "endCursor", "hasNextPage"),
        ("last", 3, "before", "startCursor", "hasPreviousPage"),
    ] {
        let (mut seen, mut at, mut sizes) = (Vec::new(), Value::Null, Vec::new());
        loop {
            let page = list(&ada.caller, json!({ length: limit, cursor: at })).await;
            let rows = ids(&page);
            sizes.push(rows.len());
            assert!(sizes.len() < 10, "this does not end");
            seen = if length == "first" { [seen, rows].concat() } else { [rows, seen].concat() };
            at = page["pageInfo"][end].clone();
            if page["pageInfo"][more] == false {
                break;
            }
        }
        assert_eq!((&seen, sizes.as_slice()), (&all, [3, 3, 1].as_slice()), "{length}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_stands_where_it_stood_when_newer_rows_arrive() {
    let World { server, ada, .. } = World::new().await;
    let first = list(&ada.caller, json!({ "first": 1 })).await;
    ada.caller.change(keys::CREATE, json!({ "name": "newer" })).await;
    let next = list(&ada.caller, json!({ "first": 1, "after": first["pageInfo"]["endCursor"] })).await;
    let all = ids(&list(&ada.caller, json!({})).await);
    assert_eq!([ids(&first), ids(&next)].concat(), all[1..]);
    assert_eq!(next["edges"][0]["node"]["id"], next["nodes"][0]["id"]);
    server.stop().await;
}

#[tokio::test]
async fn pages_have_bounds_and_cursors_belong_to_their_list() {
    let World { server, ada, .. } = World::new().await;
    assert_eq!(ids(&list(&ada.caller, json!({ "first": 0 })).await), Vec::<String>::new());
    ada.caller.graphql_with(LIST, json!({ "first": 100 })).await.data();
    let roles = ada.caller.graphql("{ roles(first: 1) { pageInfo { endCursor } } }").await.data();
    let foreign = roles["roles"]["pageInfo"]["endCursor"].clone();
    for wrong in [
        json!({ "first": 101 }),
        json!({ "last": -1 }),
        json!({ "first": 1, "last": 1 }),
        json!({ "after": "x" }),
        json!({ "after": foreign }),
    ] {
        assert_eq!(ada.caller.graphql_with(LIST, wrong.clone()).await.code(), "BAD_USER_INPUT", "{wrong}");
    }
    server.stop().await;
}

#[tokio::test]
async fn members_see_what_concerns_their_account_and_analysts_see_everything() {
    let World { server, ada, eve, ana } = World::new().await;
    let own = |row: &str| row == "KEY_CREATED" || row == "TOKEN_ISSUED";
    assert!(kinds(&ada.caller, json!({})).await.iter().all(|row| own(row)));
    for (who, filter, rows) in [
        (&ada, json!({}), 2),
        (&ada, json!({ "apiKeyIds": [ada.key.id] }), 2),
        (&ada, json!({ "apiKeyIds": [eve.key.id] }), 0),
        (&ada, json!({ "ownerIds": [eve.account.public_id] }), 0),
        (&ada, json!({ "ownerIds": [ada.account.public_id, eve.account.public_id] }), 2),
        (&ana, json!({ "apiKeyIds": [eve.key.id] }), 2),
        (&ana, json!({ "kinds": ["TOKEN_ISSUED"] }), 3),
    ] {
        assert_eq!(kinds(&who.caller, filter.clone()).await.len(), rows, "{} {filter}", who.account.name);
    }
    // Who can see a row does not see by it what is out of sight otherwise.
    let query = "query ($key: ID!) { activity(filter: { apiKeyIds: [$key], kinds: [TOKEN_ISSUED] }) {
        nodes { apiKey { id } actor { __typename } owner { ... on User { email } } } } }";
    let seen = ana.caller.graphql_with(query, json!({ "key": eve.key.id })).await.data();
    assert_eq!(seen["activity"]["nodes"][0]["apiKey"], Value::Null, "an analyst sees activity, not keys");
    assert_eq!(seen["activity"]["nodes"][0]["owner"]["email"], "eve@example.com");
    server.stop().await;
}

#[tokio::test]
async fn an_exchange_with_a_wrong_secret_is_seen_by_the_owner_of_the_key() {
    let World { server, ada, ana, .. } = World::new().await;
    let wrong = crate::harness::Key {
        secret: server.generous_key(&ada.account, "other", Grants::Inherit).await.secret,
        ..ada.key.clone()
    };
    assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    let filter = json!({ "outcomes": ["BAD_SECRET"] });
    assert_eq!(kinds(&ada.caller, filter.clone()).await, ["TOKEN_REFUSED BAD_SECRET"]);
    assert_eq!(kinds(&ana.caller, filter).await, ["TOKEN_REFUSED BAD_SECRET"]);
    let unknown = crate::harness::Key { client_id: "0".repeat(32), ..ada.key.clone() };
    assert_eq!(server.exchange(&unknown, &[]).await.status, 401);
    let filter = json!({ "outcomes": ["UNKNOWN_CLIENT"] });
    assert_eq!(kinds(&ada.caller, filter.clone()).await, Vec::<String>::new(), "it concerns no account");
    assert_eq!(kinds(&ana.caller, filter).await, ["TOKEN_REFUSED UNKNOWN_CLIENT"]);
    server.stop().await;
}

/// Proves: R-20
#[tokio::test]
async fn a_key_has_its_own_part_of_the_log() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let one = server.key(&ada.account, "one", Grants::Inherit).await;
    let two = server.key(&ada.account, "two", Grants::Inherit).await;
    for key in [&one, &one, &two] {
        server.sign_in(key).await;
    }
    let query = "query ($id: ID!, $filter: ActivityFilter) { apiKey(by: { id: $id }) {
        activity(filter: $filter, first: 2) { nodes { kind apiKey { id } } pageInfo { hasNextPage } } } }";
    let seen = async |filter: Value| {
        let variables = json!({ "id": one.id, "filter": filter });
        ada.caller.graphql_with(query, variables).await.data()["apiKey"]["activity"].take()
    };
    let issued = json!({ "kind": "TOKEN_ISSUED", "apiKey": { "id": one.id } });
    assert_eq!(
        seen(Value::Null).await,
        json!({ "nodes": [issued, issued], "pageInfo": { "hasNextPage": true } })
    );
    let none = json!({ "nodes": [], "pageInfo": { "hasNextPage": false } });
    assert_eq!(seen(json!({ "apiKeyIds": [two.id] })).await, none);
    let made = seen(json!({ "kinds": ["KEY_CREATED"], "apiKeyIds": [one.id, two.id] })).await;
    assert_eq!(made["nodes"], json!([{ "kind": "KEY_CREATED", "apiKey": { "id": one.id } }]));

    // Without activity:read the key is still there.
    let narrow = server.sign_in_with(&ada.key, &[("scope", "keys:read")]).await;
    let answer = narrow.graphql_with(query, json!({ "id": ada.key.id })).await.json();
    assert_eq!(answer["data"], json!({ "apiKey": { "activity": null } }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    server.stop().await;
}
