//! GET: for queries, with an access token, and for nothing else.

use reqwest::header::{ACCEPT, COOKIE};
use serde_json::json;

use crate::harness::keys::Person;
use crate::harness::{Answer, Server, encoded};

async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    (server, ada)
}

async fn get(ada: &Person, parameters: &[(&str, &str)]) -> Answer {
    ada.caller.send(ada.caller.get(&format!("/graphql?{}", encoded(parameters)))).await
}

#[tokio::test]
async fn a_query_is_answered_as_by_post() {
    let (server, ada) = started().await;
    let query = "query One { viewer { scopes } } query Page($first: Int!) { apiKeys(first: $first) { nodes { id } } }";
    let page =
        [("query", query), ("operationName", "Page"), ("variables", r#"{"first":1}"#), ("extensions", "{}")];
    let by_get = get(&ada, &page).await;
    let by_post = ada
        .caller
        .post("/graphql")
        .json(&json!({ "query": query, "operationName": "Page", "variables": { "first": 1 } }));
    let by_post = ada.caller.send(by_post).await;
    assert_eq!(by_get.data(), by_post.data());
    assert_eq!(by_get.data()["apiKeys"]["nodes"][0]["id"], ada.key.id);
    assert_eq!(by_get.header("cache-control"), "no-store");
    assert_eq!(by_get.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(by_get.header("ratelimit-policy"), by_post.header("ratelimit-policy"));
    // A variable may be left out in either way.
    get(
        &ada,
        &[("query", "{ viewer { scopes } }"), ("operationName", ""), ("variables", ""), ("other", "x")],
    )
    .await
    .data();
    server.stop().await;
}

#[tokio::test]
async fn a_mutation_is_refused_and_changes_nothing() {
    let (server, ada) = started().await;
    let before = server.state().await;
    let create =
        "mutation M { createApiKey(input: { name: \"x\" }) { clientSecret } } query Q { viewer { scopes } }";
    for accept in ["application/json", "application/graphql-response+json"] {
        let request =
            ada.caller.get(&format!("/graphql?{}", encoded(&[("query", create), ("operationName", "M")])));
        let answer = ada.caller.send(request.header(ACCEPT, accept)).await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), "POST");
        assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
        assert_eq!(answer.json().get("data"), None);
    }
    assert_eq!(server.state().await, before);
    get(&ada, &[("query", create), ("operationName", "Q")]).await.data();
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let (server, ada) = started().await;
    let query = ("query", "{ viewer { scopes } }");
    for (parameters, about) in [
        (vec![], "Send `query`"),
        (vec![("query", "")], "cannot be parsed"),
        (vec![query, query], "`query` is given more than once."),
        (vec![query, ("variables", "{}"), ("variables", "{}")], "`variables` is given more than once."),
        (vec![query, ("variables", "[]")], "`variables` is not a JSON object."),
        (vec![query, ("variables", "{")], "`variables` is not a JSON object."),
        (vec![query, ("extensions", "7")], "`extensions` is not a JSON object."),
    ] {
        let request = ada.caller.get(&format!("/graphql?{}", encoded(&parameters)));
        let answer = ada.caller.send(request.header(ACCEPT, "application/graphql-response+json")).await;
        assert_eq!(answer.status, 400, "{parameters:?}");
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(about), "{parameters:?}: {message}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_cookie_is_no_credential_here() {
    let server = Server::start().await;
    let guest = server.guest();
    let request =
        guest.get("/graphql?query=%7B__typename%7D").header(COOKIE, "latchkey=abc; __Host-latchkey=abc");
    let answer = guest.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "UNAUTHENTICATED"));
    server.stop().await;
}
