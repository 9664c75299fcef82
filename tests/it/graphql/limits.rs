//! What a document must not be: each excess is refused before anything runs, and costs nothing.

use serde_json::json;

use crate::harness::keys::{self, Person};
use crate::harness::{Grants, Server};

/// Status under the GraphQL media type, code and message; and that nothing was executed or charged.
async fn refusal(ada: &Person, query: &str) -> String {
    let request = ada.caller.post("/graphql").header("accept", "application/graphql-response+json");
    let answer = ada.caller.send(request.json(&json!({ "query": query }))).await;
    let body = answer.json();
    assert_eq!(body.get("data"), None, "{body:#}");
    assert_eq!(answer.header("ratelimit"), "", "what is refused costs nothing");
    format!(
        "{} {}: {}",
        answer.status.as_u16(),
        answer.code(),
        body["errors"][0]["message"].as_str().unwrap()
    )
}

async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    (server, ada)
}

/// A query so many levels deep: `viewer`, `apiKey`, then creators of keys.
fn deep(levels: usize) -> String {
    let creators = levels - 3;
    let open = "createdBy { ... on ApiKey { ".repeat(creators);
    format!("{{ viewer {{ apiKey {{ {open} id {} }} }} }}", "} }".repeat(creators))
}

#[tokio::test]
async fn twelve_levels_are_answered_and_thirteen_are_not() {
    let (server, ada) = started().await;
    ada.caller.graphql(&deep(12)).await.data();
    insta::assert_snapshot!(refusal(&ada, &deep(13)).await, @"400 COST_LIMIT_EXCEEDED: The operation is 13 levels deep; at most 12 are allowed.");
    server.stop().await;
}

#[tokio::test]
async fn nesting_without_end_is_refused_before_it_is_parsed() {
    let (server, ada) = started().await;
    let endless = format!("{}{}", "{a".repeat(1_200), "}".repeat(1_200));
    insta::assert_snapshot!(refusal(&ada, &endless).await, @"400 COST_LIMIT_EXCEEDED: The document is nested too deeply: at most 64 levels are allowed.");
    let lists = format!(
        "{{ apiKeys(filter: {{ ids: {}{} }}) {{ nodes {{ id }} }} }}",
        "[".repeat(2_000),
        "]".repeat(2_000)
    );
    assert!(refusal(&ada, &lists).await.starts_with("400 COST_LIMIT_EXCEEDED"));
    server.stop().await;
}

#[tokio::test]
async fn ten_thousand_points_are_answered_and_more_are_not() {
    let (server, ada) = started().await;
    // 100 keys, each one node with five roles of ten scopes.
    let query = |fields: &str| {
        format!("{{ apiKeys(first: 100) {{ nodes {{ roles {{ scopes {{ {fields} }} }} }} }} }}")
    };
    let answer = ada.caller.graphql(&query("id")).await;
    answer.data();
    assert!(answer.header("ratelimit-policy").starts_with("\"call\""));
    insta::assert_snapshot!(refusal(&ada, &query("id name")).await, @"400 COST_LIMIT_EXCEEDED: The operation costs 10100 points; at most 10000 are allowed.");
    insta::assert_snapshot!(refusal(&ada, "{ a: apiKeys(last: 100) { nodes { effectiveScopes { id name kind } } }
        b: apiKeys(last: 100) { nodes { effectiveScopes { id name kind } } }
        c: apiKeys(last: 100) { nodes { effectiveScopes { id name kind } } }
        d: apiKeys(last: 100) { nodes { effectiveScopes { id name kind } } } }").await, @"400 COST_LIMIT_EXCEEDED: The operation costs 12400 points; at most 10000 are allowed.");
    server.stop().await;
}

#[tokio::test]
async fn a_length_in_a_variable_costs_the_same() {
    let (server, ada) = started().await;
    let query = "query ($first: Int) { apiKeys(first: $first) { nodes { roles { scopes { id name } } } } }";
    ada.caller.graphql_with(query, json!({ "first": 5 })).await.data();
    let refused = ada.caller.graphql_with(query, json!({ "first": 100 })).await;
    assert_eq!(refused.code(), "COST_LIMIT_EXCEEDED");
    server.stop().await;
}

#[tokio::test]
async fn thirty_aliases_are_answered_and_thirty_one_are_not() {
    let (server, ada) = started().await;
    let many = |count: usize| (0..count).map(|n| format!("a{n}: version ")).collect::<String>();
    let user = |fields: &str| format!("{{ viewer {{ user {{ {fields} }} }} }}");
    ada.caller.graphql(&user(&many(30))).await.data();
    insta::assert_snapshot!(refusal(&ada, &user(&many(31))).await, @"400 COST_LIMIT_EXCEEDED: The document has too many aliases: 31; at most 30 are allowed.");
    let hidden = format!("{} fragment F on User {{ {} }}", user("...F"), many(31));
    assert!(refusal(&ada, &hidden).await.starts_with("400 COST_LIMIT_EXCEEDED"));
    server.stop().await;
}

#[tokio::test]
async fn ten_root_fields_are_answered_and_eleven_are_not_however_they_are_hidden() {
    let (server, ada) = started().await;
    let fields = |count: usize| (0..count).map(|n| format!("a{n}: __typename ")).collect::<String>();
    ada.caller.graphql(&format!("{{ {} }}", fields(10))).await.data();
    insta::assert_snapshot!(refusal(&ada, &format!("{{ {} }}", fields(11))).await, @"400 COST_LIMIT_EXCEEDED: The operation has too many root fields; at most 10 are allowed.");
    for hidden in [
        format!("{{ a: __typename ...F }} fragment F on Query {{ {} }}", fields(10).replace('a', "b")),
        format!("{{ a: __typename ... {{ {} }} }}", fields(10).replace('a', "b")),
        format!(
            "{{ a: __typename ...F }} fragment F on Query {{ ...G }} fragment G on Query {{ {} }}",
            fields(10)
        ),
        format!("{{ {} }}", "__typename ".repeat(11)),
    ] {
        assert!(refusal(&ada, &hidden).await.starts_with("400 COST_LIMIT_EXCEEDED"), "{hidden}");
    }
    server.stop().await;
}

#[tokio::test]
async fn eleven_mutations_in_one_request_are_refused_together() {
    let (server, ada) = started().await;
    let one = |n: usize| {
        format!(
            "a{n}: disableApiKeys(input: {{ selection: {{ ids: [\"{}\"] }} }}) {{ remaining }} ",
            ada.key.id
        )
    };
    let before = server.state().await;
    let answer = refusal(&ada, &format!("mutation {{ {} }}", (0..11).map(one).collect::<String>())).await;
    assert!(answer.starts_with("400 COST_LIMIT_EXCEEDED"), "{answer}");
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_request_gives_out_secrets_by_one_field_at_most() {
    let (server, ada) = started().await;
    let create = "createApiKey(input: { name: \"x\" }) { clientSecret }";
    let regenerate =
        format!("regenerateSecrets(input: {{ selection: {{ ids: [\"{}\"] }} }}) {{ remaining }}", ada.key.id);
    let before = server.state().await;
    for two in [
        format!("mutation {{ a: {create} b: {create} }}"),
        format!("mutation {{ {create} {regenerate} }}"),
        format!("mutation {{ {create} ...F }} fragment F on Mutation {{ {regenerate} }}"),
        format!("mutation {{ {create} ... @skip(if: true) {{ {regenerate} }} }}"),
    ] {
        let answer = refusal(&ada, &two).await;
        let told = "A request may have only one of these fields, once: createApiKey, regenerateSecrets, createUser, updateUser, changePassword.";
        assert_eq!(answer, format!("400 COST_LIMIT_EXCEEDED: {told}"));
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn twenty_one_directives_on_a_field_are_refused() {
    let (server, ada) = started().await;
    let query = |count: usize| format!("{{ viewer {{ scopes {} }} }}", "@skip(if: false) ".repeat(count));
    ada.caller.graphql(&query(1)).await.data();
    insta::assert_snapshot!(refusal(&ada, &query(21)).await, @"400 COST_LIMIT_EXCEEDED: One place has too many directives: 21; at most 20 are allowed.");
    server.stop().await;
}

#[tokio::test]
async fn five_thousand_tokens_are_parsed_and_one_more_is_not() {
    let (server, ada) = started().await;
    // `{ viewer { scopes … } }` has five tokens beside the repeated field.
    let query = |tokens: usize| format!("{{ viewer {{ {} }} }}", "scopes ".repeat(tokens - 5));
    ada.caller.graphql(&query(5_000)).await.data();
    insta::assert_snapshot!(refusal(&ada, &query(5_001)).await, @"400 COST_LIMIT_EXCEEDED: The document is too long: at most 5000 tokens are allowed.");
    server.stop().await;
}

#[tokio::test]
async fn circular_fragments_are_refused() {
    let (server, ada) = started().await;
    for circle in [
        "{ ...F } fragment F on Query { ...F }",
        "{ viewer { ...F } } fragment F on Viewer { scopes ...G } fragment G on Viewer { ...F ...F }",
        "{ viewer { apiKey { ...F } } } fragment F on ApiKey { createdBy { ... on ApiKey { ...F } } }",
    ] {
        let answer = refusal(&ada, circle).await;
        assert!(answer.starts_with("400 COST_LIMIT_EXCEEDED"), "{circle}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn fragments_that_stand_for_billions_of_fields_are_refused_at_once() {
    let (server, ada) = started().await;
    let each =
        (0..40).map(|n| format!("fragment F{n} on Viewer {{ ...F{0} ...F{0} }} ", n + 1)).collect::<String>();
    let bomb = format!("{{ viewer {{ ...F0 }} }} {each} fragment F40 on Viewer {{ scopes }}");
    insta::assert_snapshot!(refusal(&ada, &bomb).await, @"400 COST_LIMIT_EXCEEDED: The document is too large once its fragments are expanded.");
    // The same in an operation that is not the one to execute.
    let body = json!({ "query": format!("query A {{ __typename }} query B {bomb}"), "operationName": "A" });
    let answer = ada.caller.send(ada.caller.post("/graphql").json(&body)).await;
    assert_eq!(answer.code(), "COST_LIMIT_EXCEEDED");
    server.stop().await;
}

#[tokio::test]
async fn tools_can_introspect_and_nobody_can_do_so_without_end() {
    let (server, ada) = started().await;
    let types = |levels: usize| format!("{} kind name {}", "ofType { ".repeat(levels), "} ".repeat(levels));
    let introspection = |levels: usize| {
        format!(
            "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }}
               subscriptionType {{ name kind }} types {{ ...FullType }}
               directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }}
             fragment FullType on __Type {{ kind name description specifiedByURL isOneOf
               fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ ...InputValue }}
                 type {{ ...TypeRef }} isDeprecated deprecationReason }}
               inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }}
               enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
               possibleTypes {{ ...TypeRef }} }}
             fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue isDeprecated deprecationReason }}
             fragment TypeRef on __Type {{ kind name {} }}",
            types(levels)
        )
    };
    // What graphql-js 16 and everything built on it send: nine levels of `ofType`.
    let answer = ada.caller.graphql(&introspection(9)).await;
    assert_eq!(answer.data()["__schema"]["queryType"]["name"], "Query");
    insta::assert_snapshot!(refusal(&ada, &introspection(20)).await, @"400 COST_LIMIT_EXCEEDED: The operation is 26 levels deep; at most 16 are allowed.");
    server.stop().await;
}

/// Proves: R-14
#[tokio::test]
async fn a_read_only_key_is_told_by_operation_type_and_may_query_and_introspect() {
    let (server, ada) = started().await;
    let reader = server.key_with(&ada.account, "reader", Grants::Inherit, |new| new.read_only = true).await;
    let reader = Person { caller: server.sign_in(&reader).await, key: reader, account: ada.account.clone() };
    for mutation in [
        "mutation { __typename }",
        "mutation { deleteApiKeys(input: { selection: { ids: [] } }) { deletedIds } }",
        "mutation M { deleteApiKeys(input: { selection: { ids: [] } }) { deletedIds } }",
    ] {
        let answer = refusal(&reader, mutation).await;
        assert_eq!(answer, "403 READ_ONLY: This API key is read-only: it cannot be used for mutations.");
    }
    assert_eq!(reader.caller.denied(keys::CREATE, json!({ "name": "other" })).await, "READ_ONLY");
    reader
        .caller
        .graphql("{ viewer { scopes } apiKeys { nodes { id } } __schema { queryType { name } } }")
        .await
        .data();
    // The operation that is asked for decides, not what else the document holds.
    let both = "query Q { viewer { scopes } } mutation M { deleteApiKeys(input: { selection: { ids: [] } }) { deletedIds } }";
    let named =
        |name: &str| reader.caller.post("/graphql").json(&json!({ "query": both, "operationName": name }));
    reader.caller.send(named("Q")).await.data();
    assert_eq!(reader.caller.send(named("M")).await.code(), "READ_ONLY");
    server.stop().await;
}
