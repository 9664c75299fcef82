//! What a selection of fields means: what is one field, in which order keys come, where a fragment applies.

use serde_json::json;

use super::errors::{errors, started};

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
