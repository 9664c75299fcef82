//! Errors say what the caller can use: a code, a sentence, the request's id; and nothing of the inside.

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::harness::keys::Person;
use crate::harness::{Answer, Server};

pub async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    (server, ada)
}

/// The answer's errors, with the ids of the request left out after they have been compared with the header.
pub fn errors(answer: &Answer) -> Value {
    let mut body = answer.json();
    // Fields fail side by side: their errors come in any order.
    body["errors"].as_array_mut().unwrap().sort_by_key(|error| error["locations"].to_string());
    for error in body["errors"].as_array_mut().unwrap() {
        let id = error["extensions"].as_object_mut().unwrap().remove("requestId");
        assert_eq!(id.unwrap(), answer.header("x-request-id"));
    }
    body["errors"].take()
}

impl Server {
    /// Breaks the database for whatever reads this table.
    async fn break_table(&self, table: &str) {
        let tx = self.app.db.begin().await.unwrap();
        tx.execute_unprepared(&format!("ALTER TABLE {table} RENAME TO {table}_gone")).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_inside_shows_the_id_of_the_request_and_nothing_of_the_inside() {
    let (server, ada) = started().await;
    server.break_table("roles").await;
    let answer = ada.caller.graphql("{ roles { nodes { name } } viewer { owner { __typename } } }").await;
    let body = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(body["data"]["roles"], Value::Null);
    assert_eq!(body["data"]["viewer"]["owner"]["__typename"], "User", "the other fields survive");
    insta::assert_snapshot!(errors(&answer), @r#"[{"extensions":{"code":"INTERNAL"},"locations":[{"column":3,"line":1}],"message":"Internal server error. The server's log has the details under this request id.","path":["roles"]}]"#);
    for inside in ["table", "relation", "SELECT", "sql", "Sql", "DbErr", "_gone", "src/", "code: 1"] {
        assert!(!answer.text.contains(inside), "{inside} in {}", answer.text);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_field_that_failed_is_null_and_takes_along_what_may_not_be_null() {
    let (server, ada) = started().await;
    server.break_table("key_roles").await;
    let query = "{ broken: apiKeys { nodes { id roles { name } } }
        viewer { apiKey { name roles { name } } owner { __typename } } apiKeys { nodes { name } } }";
    let answer = ada.caller.graphql(query).await;
    let whole = json!({ "nodes": [{ "name": "ada@example.com's own" }] });
    let viewer = json!({ "apiKey": null, "owner": { "__typename": "User" } });
    assert_eq!(answer.json()["data"], json!({ "broken": null, "viewer": viewer, "apiKeys": whole }));
    assert_eq!(errors(&answer).as_array().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_mutation_that_fails_inside_changes_nothing_and_says_no_more() {
    let (server, ada) = started().await;
    server.break_table("key_secrets").await;
    let input = json!({ "input": { "name": "other" } });
    let create = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { clientSecret } }";
    let answer = ada.caller.graphql_with(create, input).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (200, "INTERNAL"));
    assert_eq!(answer.json()["data"]["createApiKey"], Value::Null);
    assert!(!answer.text.contains("key_secrets") && !answer.text.contains("lk_sk_"), "{}", answer.text);
    let keys = ada.caller.graphql("{ apiKeys { totalCount } }").await.data();
    assert_eq!(keys["apiKeys"]["totalCount"], 1, "only the key that asks");
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_a_failure_and_not_a_refusal() {
    let (server, ada) = started().await;
    server.break_table("api_keys").await;
    server.app.registry.invalidate(&latchkey::store::changes::Invalidation::Everything);
    let answer = ada.caller.graphql("{ viewer { scopes } }").await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.challenge(), "", "the token may well be valid");
    assert_eq!(answer.json().get("data"), None);
    insta::assert_snapshot!(errors(&answer), @r#"[{"extensions":{"code":"INTERNAL"},"message":"Internal server error. The server's log has the details under this request id."}]"#);
    server.stop().await;
}

#[tokio::test]
async fn a_document_that_is_not_graphql_is_told_where() {
    let (server, ada) = started().await;
    for query in [
        "",
        "{",
        "{ viewer { scopes }",
        "query {}",
        "{ viewer(",
        "{ \u{0} }",
        "fragment F on Query { viewer }",
    ] {
        let answer = ada.caller.graphql(query).await;
        let body = answer.json();
        assert_eq!(body.get("data"), None, "{query}: {body:#}");
        assert_eq!(answer.code(), "GRAPHQL_PARSE_FAILED", "{query}");
        errors(&answer);
    }
    let answer = ada.caller.graphql("{ viewer {\n  scopes").await;
    assert_eq!(answer.json()["errors"][0]["locations"][0]["line"], 1, "{}", answer.text);
    server.stop().await;
}

#[tokio::test]
async fn a_document_that_does_not_fit_the_schema_is_told_all_its_mistakes() {
    let (server, ada) = started().await;
    let answer = ada
        .caller
        .graphql("{ nothing viewer { scopes { id } nope } apiKeys(what: 1) { nodes { id } } }")
        .await;
    assert_eq!(answer.json().get("data"), None);
    let errors = errors(&answer);
    let told = errors.as_array().unwrap().iter().map(|error| {
        assert_eq!(error["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
        format!("{} {}\n", error["locations"][0], error["message"].as_str().unwrap())
    });
    insta::assert_snapshot!(told.collect::<String>(), @r#"
    {"column":20,"line":1} Field "scopes" must not have a selection since type "String" has no subfields
    {"column":29,"line":1} Unknown field "id" on type "String".
    {"column":3,"line":1} Unknown field "nothing" on type "Query".
    {"column":34,"line":1} Unknown field "nope" on type "Viewer".
    {"column":49,"line":1} Unknown argument "what" on field "apiKeys" of type "Query".
    "#);
    server.stop().await;
}

#[tokio::test]
async fn the_operation_must_be_told_by_its_name_when_there_are_several() {
    let (server, ada) = started().await;
    let two = "query A { viewer { scopes } } query B { viewer { owner { __typename } } }";
    let named =
        |name: Value| ada.caller.post("/graphql").json(&json!({ "query": two, "operationName": name }));
    let answer = ada.caller.send(named(json!("B"))).await;
    assert_eq!(answer.data()["viewer"]["owner"]["__typename"], "User");
    for (name, message) in [
        (json!("C"), "The document has no operation with that name."),
        (Value::Null, "The document has several operations: choose one with `operationName`."),
        (json!(""), "The document has several operations: choose one with `operationName`."),
    ] {
        let answer = ada.caller.send(named(name)).await;
        assert_eq!(answer.json().get("data"), None);
        assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(answer.json()["errors"][0]["message"], message);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_parsed_is_not_repeated() {
    let (server, ada) = started().await;
    for (text, place) in [
        ("{ viewer { scopes } } hunter2-secret", 1),
        ("mutation { createApiKey(input: { name: \"hunter2-secret }) { clientSecret } }", 1),
        ("query hunter2_secret {\n  viewer(\n", 2),
        ("query Q { viewer { scopes } } query Q { viewer { scopes } }", 1),
        ("", 1),
    ] {
        let answer = ada.caller.graphql(text).await;
        let error = errors(&answer)[0].take();
        assert_eq!(error["extensions"]["code"], "GRAPHQL_PARSE_FAILED", "{text}");
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
        let line = error["locations"][0]["line"].as_u64();
        assert!(line == Some(place) || text.is_empty(), "{text}: {error}");
        assert!(error["message"].as_str().unwrap().starts_with("The document cannot be parsed"), "{error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let server = Server::start().await;
    let bot = server.service_account("bot").await;
    let key = server.key(&bot, "asker", crate::harness::Grants::Scopes(&["tokens:introspect"])).await;
    let answer =
        server.sign_in(&key).await.graphql("{ apiKeys { nodes { id } } roles { nodes { id } } }").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["data"]["apiKeys"], Value::Null);
    insta::assert_snapshot!(format!("{:#}", errors(&answer)), @r#"
    [
      {
        "extensions": {
          "code": "FORBIDDEN",
          "requiredScopes": [
            "roles:read"
          ]
        },
        "locations": [
          {
            "column": 28,
            "line": 1
          }
        ],
        "message": "This requires the scope roles:read.",
        "path": [
          "roles"
        ]
      },
      {
        "extensions": {
          "code": "FORBIDDEN",
          "requiredScopes": [
            "keys:read",
            "keys:read:any"
          ]
        },
        "locations": [
          {
            "column": 3,
            "line": 1
          }
        ],
        "message": "This requires the scope keys:read or keys:read:any.",
        "path": [
          "apiKeys"
        ]
      }
    ]
    "#);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_argument_is_named() {
    let (server, ada) = started().await;
    for (query, field) in [
        ("{ apiKeys(first: 101) { nodes { id } } }", "first"),
        ("{ apiKeys(first: -1) { nodes { id } } }", "first"),
        ("{ apiKeys(first: 1, last: 1) { nodes { id } } }", "last"),
        ("{ roles(after: \"x\") { nodes { id } } }", "after"),
        ("{ activity(before: \"\") { nodes { id } } }", "before"),
        ("{ apiKeys(filter: { ids: [\"role_1\"] }) { nodes { id } } }", "ids"),
        ("{ node(id: \"x\") { id } }", "id"),
    ] {
        let answer = ada.caller.graphql(query).await;
        let error = errors(&answer)[0].take();
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(error["extensions"], json!({ "code": "BAD_USER_INPUT", "field": [field] }), "{query}");
    }
    server.stop().await;
}
