//! Variables and inputs: what does not fit keeps everything from running, and is told by its place.

use serde_json::{Value, json};

use super::errors::{errors, started};

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

/// A form sends the same document whatever was edited, with the variables that were.
#[tokio::test]
async fn what_stands_on_a_variable_that_is_left_out_stays_as_it_is() {
    let (server, ada) = started().await;
    let update = "mutation ($id: ID!, $name: String, $end: DateTime, $networks: [Cidr!], $limit: RateLimitQuotaInput) {
        updateApiKey(input: { id: $id, name: $name, expiresAt: $end, allowedNetworks: $networks, callRateLimit: $limit }) {
            apiKey { name expiresAt allowedNetworks callRateLimit { requests perSeconds } } userErrors { code } } }";
    let all = json!({
        "id": ada.key.id, "name": "ci", "end": "2026-12-24T00:00:00.000Z", "networks": ["127.0.0.0/8"],
        "limit": { "requests": 5000, "perSeconds": 60 },
    });
    let answer = ada.caller.graphql_with(update, all).await;
    let before = answer.data()["updateApiKey"]["apiKey"].clone();
    assert_eq!(before["allowedNetworks"], json!(["127.0.0.0/8"]));
    let answer = ada.caller.graphql_with(update, json!({ "id": ada.key.id, "name": "ci-2" })).await;
    let mut after = answer.data()["updateApiKey"]["apiKey"].clone();
    assert_eq!(after["name"].take(), "ci-2");
    assert_eq!(
        [&after["expiresAt"], &after["allowedNetworks"], &after["callRateLimit"]],
        [&before["expiresAt"], &before["allowedNetworks"], &before["callRateLimit"]],
    );
    // A null that is sent clears.
    let cleared = ada.caller.graphql_with(update, json!({ "id": ada.key.id, "end": null })).await;
    assert_eq!(cleared.data()["updateApiKey"]["apiKey"]["expiresAt"], Value::Null);
    server.stop().await;
}
