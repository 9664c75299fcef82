//! Errors say what the caller can use: a code, a sentence, the request's id; and nothing of the inside.

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::harness::keys::Person;
use crate::harness::{Answer, Server};

async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    (server, ada)
}

/// The answer's errors, with the ids of the request left out after they have been compared with the header.
fn errors(answer: &Answer) -> Value {
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
async fn a_missing_variable_of_the_second_mutation_keeps_the_first_from_running() {
    let (server, ada) = started().await;
    let before = server.state().await;
    let two = "mutation ($key: ID!, $input: UpdateApiKeyInput!) {
        first: updateApiKey(input: { id: $key, name: \"first\" }) { apiKey { id } }
        second: updateApiKey(input: $input) { apiKey { id } } }";
    let answer = ada.caller.graphql_with(two, json!({ "key": ada.key.id })).await;
    assert_eq!(answer.json().get("data"), None);
    assert_eq!(answer.json()["errors"][0]["message"], "`$input` is missing.");
    assert_eq!(server.state().await, before);
    let defaulted =
        "query ($first: Int! = 1, $after: String) { apiKeys(first: $first, after: $after) { nodes { id } } }";
    ada.caller.graphql(defaulted).await.data();
    assert_eq!(ada.caller.graphql_with(defaulted, json!({ "first": null })).await.json().get("data"), None);
    server.stop().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "this is a table: a row for each mistake")]
async fn a_wrong_variable_is_told_and_changes_nothing() {
    let (server, ada) = started().await;
    let before = server.state().await;
    let create = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { clientSecret } }";
    let mut table = String::new();
    for variables in [
        json!({}),
        json!({ "input": null }),
        json!({ "input": "ci" }),
        json!({ "input": {} }),
        json!({ "input": { "name": 1 } }),
        json!({ "input": { "name": null } }),
        json!({ "input": { "name": "ci", "unknown": 1 } }),
        json!({ "input": { "name": "ci", "expiresAt": "tomorrow" } }),
        json!({ "input": { "name": "ci", "readOnly": "yes" } }),
        json!({ "input": { "name": "ci", "tokenLifetimeSeconds": 3_000_000_000_u64 } }),
        json!({ "input": { "name": "ci", "tokenRateLimit": { "requests": 1 } } }),
        json!({ "input": { "name": "ci", "scopes": [null] } }),
    ] {
        let answer = ada.caller.graphql_with(create, variables.clone()).await;
        let body = answer.json();
        let data = if body.get("data").is_some() { "executed" } else { "refused" };
        let error = errors(&answer)[0].take();
        table += &format!("{variables}\n    {data} {} {}\n", error["extensions"]["code"], error["message"]);
    }
    insta::assert_snapshot!(table, @r#"
    {}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input` is missing."
    {"input":null}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input` must not be null."
    {"input":"ci"}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input` is not an object."
    {"input":{}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.name` is missing."
    {"input":{"name":1}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.name` is not a valid String."
    {"input":{"name":null}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.name` must not be null."
    {"input":{"name":"ci","unknown":1}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.unknown` is not a field of this input."
    {"input":{"expiresAt":"tomorrow","name":"ci"}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.expiresAt` is not a valid DateTime."
    {"input":{"name":"ci","readOnly":"yes"}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.readOnly` is not a valid Boolean."
    {"input":{"name":"ci","tokenLifetimeSeconds":3000000000}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.tokenLifetimeSeconds` is not a valid Int: a whole number of 32 bits."
    {"input":{"name":"ci","tokenRateLimit":{"requests":1}}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.tokenRateLimit.perSeconds` is missing."
    {"input":{"name":"ci","scopes":[null]}}
        refused "GRAPHQL_VALIDATION_FAILED" "`$input.scopes.0` must not be null."
    "#);
    assert_eq!(server.state().await, before);
    server.stop().await;
}

/// A second mutation whose input does not fit, its variables, and what is told of it.
fn misfits() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("createApiKey(input: { name: \"x\", expiresAt: \"tomorrow\" })", json!({}), "input.expiresAt"),
        (
            "createApiKey(input: { name: \"x\", tokenLifetimeSeconds: 3000000000 })",
            json!({}),
            "input.tokenLifetimeSeconds",
        ),
        (
            "createApiKey(input: { name: \"x\", callRateLimit: { requests: -3000000000, perSeconds: 1 } })",
            json!({}),
            "input.callRateLimit.requests",
        ),
        (
            "createApiKey(input: { name: \"x\", callRateLimit: { requests: $number, perSeconds: 1 } })",
            json!({ "number": 2_147_483_648_u64 }),
            "`$number` is not a valid Int",
        ),
        (
            "createApiKey(input: $input)",
            json!({ "input": { "name": "x", "tokenLifetimeSeconds": 1e10 } }),
            "tokenLifetimeSeconds",
        ),
        ("createApiKey(input: $input)", json!({ "input": [] }), "input"),
        (
            "createApiKey(input: $input)",
            json!({ "input": { "name": "x", "callRateLimit": 5 } }),
            "input.callRateLimit",
        ),
        (
            "createApiKey(input: $input)",
            json!({ "input": { "name": "x", "roleIds": [null] } }),
            "input.roleIds",
        ),
        ("createApiKey(input: {name: $absent})", json!({}), "absent"),
    ]
}

#[tokio::test]
async fn an_input_that_does_not_fit_keeps_everything_from_running() {
    let (server, ada) = started().await;
    let before = server.state().await;
    let first = format!(
        "first: updateApiKey(input: {{ id: \"{}\", name: \"first\" }}) {{ apiKey {{ id }} }}",
        ada.key.id
    );
    for (second, variables, told) in misfits() {
        let definitions = [
            ("$input", "$input: CreateApiKeyInput = { name: \"\" }"),
            ("$number", "$number: Int = 1"),
            ("$absent", "$absent: String"),
        ];
        let used = definitions.iter().find(|(name, _)| second.contains(name));
        let definition = used.map(|(_, definition)| format!("({definition})")).unwrap_or_default();
        let query = format!(
            "mutation {definition} {{ {first} ...F }} fragment F on Mutation {{ second: {second} {{ clientSecret }} }}"
        );
        let answer = ada.caller.graphql_with(&query, variables.clone()).await;
        assert_eq!(answer.json().get("data"), None, "{second} {variables}: {}", answer.text);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(told), "{second} {variables}: {message}");
        assert_eq!(server.state().await, before);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_variable_may_be_used_on_typename_alone() {
    let (server, ada) = started().await;
    let query = "query ($no: Boolean!) { a: __typename @skip(if: $no) b: __typename @include(if: $no) ...F }
        fragment F on Query { viewer { c: __typename @skip(if: $no) @include(if: true) scopes @skip(if: true) } }";
    for (no, data) in [
        (true, json!({ "b": "Query", "viewer": {} })),
        (false, json!({ "a": "Query", "viewer": { "c": "Viewer" } })),
    ] {
        assert_eq!(ada.caller.graphql_with(query, json!({ "no": no })).await.data(), data);
    }
    let unknown = ada.caller.graphql("{ __typename @nonsense }").await;
    assert_eq!(unknown.code(), "GRAPHQL_VALIDATION_FAILED");
    server.stop().await;
}

#[tokio::test]
async fn a_variable_of_a_type_that_is_no_input_is_refused() {
    let (server, ada) = started().await;
    for ty in ["Unknown", "[Unknown!]", "ApiKey", "Node!", "Owner"] {
        let query =
            format!("query One {{ __typename }} query Two($x: {ty} = 1) {{ a: __typename @skip(if: $x) }}");
        let request = ada.caller.post("/graphql").json(&json!({ "query": query, "operationName": "One" }));
        let answer = ada.caller.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (200, "GRAPHQL_VALIDATION_FAILED"),
            "{ty}"
        );
        let message = errors(&answer)[0]["message"].as_str().unwrap().to_owned();
        assert_eq!(message, "The type of the variable $x is not an input type of the schema.");
    }
    server.stop().await;
}

#[tokio::test]
async fn defaults_of_variables_and_what_they_skip_count() {
    let (server, ada) = started().await;
    let query = "query ($yes: Boolean = true, $key: ID) {
        __typename @skip(if: $yes) viewer { scopes @include(if: $yes) can @skip(if: $yes) { viewScopes } }
        __typename apiKeys(filter: { ids: [$key] }) { totalCount } }";
    let query = query.replace("$key: ID", &format!("$key: ID! = \"{}\"", ada.key.id));
    let text = ada.caller.graphql(&query).await.text;
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(place("viewer") < place("__typename") && place("__typename") < place("apiKeys"), "{text}");
    assert!(!text.contains("viewScopes") && text.contains("\"totalCount\":1"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_field_under_one_key_is_executed_once() {
    let (server, ada) = started().await;
    let twice = "mutation ($key: ID!) {
        updateApiKey(input: { id: $key, version: 1, name: \"renamed\" }) { apiKey { version } }
        ...F }
    fragment F on Mutation {
        updateApiKey(input: { id: $key, version: 1, name: \"renamed\" }) { apiKey { name } userErrors { code } } }";
    let data = ada.caller.graphql_with(twice, json!({ "key": ada.key.id })).await.data();
    let once = json!({ "apiKey": { "version": 2, "name": "renamed" }, "userErrors": [] });
    assert_eq!(data, json!({ "updateApiKey": once }));
    // What fails in one of the places fails in all.
    let query = "{ viewer { scopes } viewer { apiKeys(first: 1000) { totalCount } } }";
    let answer = ada.caller.graphql(query).await;
    assert_eq!(answer.json()["data"], json!({ "viewer": null }));
    assert_eq!(errors(&answer).as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn keys_come_in_the_order_of_the_type_that_the_object_has() {
    let (server, ada) = started().await;
    let query =
        "{ viewer { owner { ... on ServiceAccount { a: __typename id } ... on User { id a: __typename } } 
        can { viewRoles @skip(if: true) viewScopes viewRoles } } }";
    let text = ada.caller.graphql(query).await.text;
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(place("\"id\"") < place("\"a\"") && place("viewScopes") < place("viewRoles"), "{text}");
    for wrong in ["{ __typename(a: 1) }", "{ __typename { id } }", "{ viewer { __typename @nonsense } }"] {
        assert_eq!(ada.caller.graphql(wrong).await.code(), "GRAPHQL_VALIDATION_FAILED", "{wrong}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_fragment_on_a_union_applies_wherever_a_member_stands() {
    let (server, ada) = started().await;
    let query = "query ($key: ID!) {
        apiKey(by: { id: $key }) { owner { ...Actor } }
        node(id: $key) { ...Actor ... on Actor { __typename } }
        keys: nodes(ids: [$key]) { ... on Owner { nothing: __typename } ... on Actor { ...Owner something: __typename } }
    }
    fragment Actor on Actor { ...Owner ... on ApiKey { name } }
    fragment Owner on Owner { ... on User { email } }";
    let data = ada.caller.graphql_with(query, json!({ "key": ada.key.id })).await.data();
    assert_eq!(
        data,
        json!({
            "apiKey": { "owner": { "email": "ada@example.com" } },
            "node": { "name": "ada@example.com's own", "__typename": "ApiKey" },
            "keys": [{ "something": "ApiKey" }],
        })
    );
    // What tools read is the schema as it is printed.
    let query = "{ __type(name: \"User\") { interfaces { name } possibleTypes { name } } viewer { scopes } }";
    let data = ada.caller.graphql(query).await.data();
    assert_eq!(data["__type"], json!({ "interfaces": [{ "name": "Node" }], "possibleTypes": null }));
    server.stop().await;
}

#[tokio::test]
async fn a_selection_of_which_nothing_is_left_is_an_empty_object() {
    let (server, ada) = started().await;
    let query = "query ($no: Boolean = true) { viewer { scopes @skip(if: $no) owner { ... on ServiceAccount { name } } }
        apiKeys { nodes { name @skip(if: $no) } } roles(first: 1) @skip(if: $no) { nodes { id } } }";
    let data = ada.caller.graphql(query).await.data();
    assert_eq!(data, json!({ "viewer": { "owner": {} }, "apiKeys": { "nodes": [{}] } }));
    assert_eq!(ada.caller.graphql("{ viewer @skip(if: true) { scopes } }").await.data(), json!({}));
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
