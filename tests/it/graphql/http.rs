//! The transport: GraphQL over HTTP, with who is asking settled before anything is read.

use reqwest::header::{ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::keys::Person;
use crate::harness::{Answer, Grants, Server};

const GRAPHQL: &str = "application/graphql-response+json";

async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    (server, ada)
}

/// Sends a body with this `Accept`, as JSON.
async fn post(ada: &Person, accept: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = ada.caller.post("/graphql").header(CONTENT_TYPE, "application/json").body(body);
    let request = if accept.is_empty() { request } else { request.header(ACCEPT, accept) };
    ada.caller.send(request).await
}

/// Status, media type and codes in one line; and what holds for every refusal.
#[track_caller]
fn refusal(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!(body.get("data"), None, "nothing was executed: {body:#}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let errors = body["errors"].as_array().unwrap();
    let code = |error: &Value| {
        assert_eq!(error["extensions"]["requestId"], answer.header("x-request-id"), "{body:#}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{body:#}");
        error["extensions"]["code"].as_str().unwrap().to_owned()
    };
    let codes = errors.iter().map(code).collect::<Vec<_>>();
    format!("{} {} {}", answer.status.as_u16(), answer.header("content-type"), codes.join(" "))
}

#[tokio::test]
async fn a_request_without_a_token_gets_a_bare_challenge() {
    let server = Server::start().await;
    let answer = server.guest().graphql("{ viewer { scopes } }").await;
    assert_eq!(refusal(&answer), "401 application/json; charset=utf-8 UNAUTHENTICATED");
    let metadata = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", server.url);
    assert_eq!(answer.challenge(), format!("Bearer {metadata}"));
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_is_none_and_another_scheme_are_told_so() {
    let (server, ada) = started().await;
    let answer = server.bearer("nonsense").graphql("{ viewer { scopes } }").await;
    assert_eq!(refusal(&answer), "401 application/json; charset=utf-8 UNAUTHENTICATED");
    assert!(answer.challenge().starts_with("Bearer error=\"invalid_token\""), "{}", answer.challenge());

    let guest = server.guest();
    let query = json!({ "query": "{ viewer { scopes } }" });
    let basic = guest.post("/graphql").basic_auth(&ada.key.client_id, Some(&ada.key.secret));
    let answer = guest.send(basic.json(&query)).await;
    assert_eq!(refusal(&answer), "401 application/json; charset=utf-8 UNAUTHENTICATED");

    let twice = ada.caller.post("/graphql").header(AUTHORIZATION, "Bearer other").json(&query);
    let answer = ada.caller.send(twice).await;
    assert_eq!(refusal(&answer), "400 application/json; charset=utf-8 BAD_USER_INPUT");
    server.stop().await;
}

#[tokio::test]
async fn only_json_is_taken() {
    let (server, ada) = started().await;
    for content_type in
        ["text/plain", "application/graphql", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    {
        let request = ada.caller.post("/graphql").body(r#"{"query":"{ viewer { scopes } }"}"#);
        let request =
            if content_type.is_empty() { request } else { request.header(CONTENT_TYPE, content_type) };
        let answer = ada.caller.send(request).await;
        assert_eq!(refusal(&answer), "415 application/json; charset=utf-8 BAD_USER_INPUT", "{content_type}");
    }
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        let request = ada.caller.post("/graphql").header(CONTENT_TYPE, content_type);
        ada.caller.send(request.body(r#"{"query":"{ viewer { scopes } }"}"#)).await.data();
    }
    server.stop().await;
}

#[tokio::test]
async fn other_methods_are_told_which_one_works() {
    let (server, ada) = started().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let request = server
            .http
            .request(method.clone(), format!("{}/graphql?query=%7Bviewer%7Bscopes%7D%7D", server.url));
        let answer = ada.caller.send(request).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header(ALLOW.as_str()), "GET,HEAD,POST", "{method}");
        let body = answer.json();
        assert_eq!(body["code"], "METHOD_NOT_ALLOWED");
        assert_eq!(body["requestId"], answer.header("x-request-id"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_over_256_kib_is_refused_and_one_just_below_is_not() {
    let (server, ada) = started().await;
    let padded = |length: usize| {
        let query = r#"{"query":"{ viewer { scopes } }","padding":""#;
        format!("{query}{}\"}}", "x".repeat(length - query.len() - 2))
    };
    post(&ada, "", padded(256 * 1024)).await.data();
    let answer = post(&ada, "", padded(256 * 1024 + 1)).await;
    assert_eq!(refusal(&answer), "413 application/json; charset=utf-8 COST_LIMIT_EXCEEDED");
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_400_in_either_media_type() {
    let (server, ada) = started().await;
    let one = r#"{"query":"{ viewer { scopes } }"}"#;
    for body in [
        "",
        "{",
        "query",
        "null",
        "\"{ viewer { scopes } }\"",
        &format!("[{one}]"),
        &format!("[{one},{one}]"),
        "[]",
        "{}",
        r#"{"query":null}"#,
        r#"{"query":1}"#,
        r#"{"query":["{ viewer { scopes } }"]}"#,
        r#"{"query":"{ viewer { scopes } }","operationName":1}"#,
        r#"{"query":"{ viewer { scopes } }","operationName":{}}"#,
        r#"{"query":"{ viewer { scopes } }","variables":[]}"#,
        r#"{"query":"{ viewer { scopes } }","variables":"{}"}"#,
        r#"{"query":"{ viewer { scopes } }","extensions":[]}"#,
    ] {
        let answer = post(&ada, "", body.to_owned()).await;
        assert_eq!(refusal(&answer), "400 application/json; charset=utf-8 BAD_USER_INPUT", "{body}");
        let answer = post(&ada, GRAPHQL, body.to_owned()).await;
        assert_eq!(refusal(&answer), format!("400 {GRAPHQL}; charset=utf-8 BAD_USER_INPUT"), "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn parameters_that_are_null_or_unknown_count_as_left_out() {
    let (server, ada) = started().await;
    let body = json!({
        "query": "{ viewer { scopes } }", "operationName": null, "variables": null, "extensions": null, "id": 7,
    });
    post(&ada, "", body.to_string()).await.data();
    let body = json!({ "query": "query A { viewer { scopes } }", "operationName": "", "variables": {}, "extensions": {} });
    post(&ada, "", body.to_string()).await.data();
    server.stop().await;
}

#[tokio::test]
async fn the_media_type_is_the_one_that_the_client_likes_best() {
    let (server, ada) = started().await;
    let mut table = String::new();
    for accept in [
        "",
        GRAPHQL,
        "application/json",
        "*/*",
        "application/*",
        "APPLICATION/JSON; charset=utf-8",
        "text/html, application/json;q=0.5",
        "application/graphql-response+json, application/json;q=0.9",
        "application/json, application/graphql-response+json",
        "application/json;q=0.5, application/graphql-response+json",
        "application/json;q=0, application/graphql-response+json;q=0.1",
        "text/html, */*;q=0.1",
    ] {
        let answer = post(&ada, accept, r#"{"query":"{ viewer { scopes } }"}"#).await;
        answer.data();
        let shown = if accept.is_empty() { "(none)" } else { accept };
        table += &format!("{shown:<62} {}\n", answer.header("content-type"));
    }
    insta::assert_snapshot!(table, @"
    (none)                                                         application/json; charset=utf-8
    application/graphql-response+json                              application/graphql-response+json; charset=utf-8
    application/json                                               application/json; charset=utf-8
    */*                                                            application/json; charset=utf-8
    application/*                                                  application/json; charset=utf-8
    APPLICATION/JSON; charset=utf-8                                application/json; charset=utf-8
    text/html, application/json;q=0.5                              application/json; charset=utf-8
    application/graphql-response+json, application/json;q=0.9      application/graphql-response+json; charset=utf-8
    application/json, application/graphql-response+json            application/json; charset=utf-8
    application/json;q=0.5, application/graphql-response+json      application/graphql-response+json; charset=utf-8
    application/json;q=0, application/graphql-response+json;q=0.1  application/graphql-response+json; charset=utf-8
    text/html, */*;q=0.1                                           application/json; charset=utf-8
    ");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_accepts_neither_media_type_is_told_which_there_are() {
    let (server, ada) = started().await;
    for accept in ["text/html", "application/xml", "application/json;q=0", "text/*, image/png;q=0.1"] {
        let answer = post(&ada, accept, r#"{"query":"{ viewer { scopes } }"}"#).await;
        assert_eq!(refusal(&answer), "406 application/json; charset=utf-8 BAD_USER_INPUT", "{accept}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_status_of_what_was_not_executed_depends_on_the_media_type() {
    let (server, ada) = started().await;
    let reader = server.key_with(&ada.account, "reader", Grants::Inherit, |new| new.read_only = true).await;
    let reader = Person { caller: server.sign_in(&reader).await, key: reader, account: ada.account.clone() };
    let mut table = String::new();
    for (about, who, query) in [
        ("executed", &ada, "{ viewer { scopes } }"),
        ("a field failed", &ada, "{ apiKeys(first: 101) { nodes { id } } }"),
        ("not parsed", &ada, "{ viewer {"),
        ("not valid", &ada, "{ nothing }"),
        (
            "too deep",
            &ada,
            "{ __schema { types { fields { type { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType { name } } } } } } } } } } } } } } } } } }",
        ),
        (
            "read-only",
            &reader,
            "mutation { deleteApiKeys(input: { selection: { ids: [] } }) { deletedIds } }",
        ),
    ] {
        for accept in ["application/json", GRAPHQL] {
            let answer = post(who, accept, json!({ "query": query }).to_string()).await;
            let body = answer.json();
            let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or("-");
            let data = if body.get("data").is_some() { "with data" } else { "without data" };
            assert_eq!(answer.header(CACHE_CONTROL.as_str()), "no-store");
            table += &format!("{about:<16} {accept:<35} {} {data:<13} {code}\n", answer.status.as_u16());
        }
    }
    insta::assert_snapshot!(table, @"
    executed         application/json                    200 with data     -
    executed         application/graphql-response+json   200 with data     -
    a field failed   application/json                    200 with data     BAD_USER_INPUT
    a field failed   application/graphql-response+json   200 with data     BAD_USER_INPUT
    not parsed       application/json                    200 without data  GRAPHQL_PARSE_FAILED
    not parsed       application/graphql-response+json   400 without data  GRAPHQL_PARSE_FAILED
    not valid        application/json                    200 without data  GRAPHQL_VALIDATION_FAILED
    not valid        application/graphql-response+json   400 without data  GRAPHQL_VALIDATION_FAILED
    too deep         application/json                    200 without data  COST_LIMIT_EXCEEDED
    too deep         application/graphql-response+json   400 without data  COST_LIMIT_EXCEEDED
    read-only        application/json                    403 without data  READ_ONLY
    read-only        application/graphql-response+json   403 without data  READ_ONLY
    ");
    server.stop().await;
}

#[tokio::test]
async fn keys_of_the_answer_come_in_the_order_of_the_selection() {
    let (server, ada) = started().await;
    let query =
        "{ z: viewer { scopes } a: viewer { owner { ... on User { version active email id } } } ...F }
                 fragment F on Query { m: viewer { can { viewScopes viewApiKeys } } b: __typename }";
    let text = ada.caller.graphql(query).await.text;
    let place = |key: &str| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {text}"));
    let order = [
        "data",
        "z",
        "scopes",
        "a",
        "owner",
        "version",
        "active",
        "email",
        "id",
        "m",
        "can",
        "viewScopes",
        "viewApiKeys",
        "b",
    ];
    assert!(order.map(place).is_sorted(), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_says_what_it_cost_and_what_is_left() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let caller = server.sign_in(&server.key(&ada, "ci", Grants::Inherit).await).await;
    let answer = caller.graphql("{ viewer { owner { __typename } } }").await;
    assert_eq!(answer.header("ratelimit-policy"), "\"call\";q=10000;w=60");
    assert_eq!(answer.header("ratelimit"), "\"call\";r=9998;t=1");
    let refused = caller.graphql("{ viewer {").await;
    assert_eq!(refused.header("ratelimit"), "", "what was not understood costs nothing");
    let after = caller.graphql("{ viewer { scopes } }").await;
    assert_eq!(after.header("ratelimit"), "\"call\";r=9996;t=1");
    server.stop().await;
}
