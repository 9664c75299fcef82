//! `POST /api/v2/authenticate`: the exchange as clients of the Xray kind send it, a bare JSON string as the answer.

use serde_json::json;

use super::wire::{FORM, JSON, basic, decoded, foreign_secret, in_body, line, send_to, whole};
use crate::harness::keys::{DISABLE, selection};
use crate::harness::{Answer, Grants, Key, Server};

const PATH: &str = "/api/v2/authenticate";

async fn started() -> (Server, Key) {
    let server = Server::start().await;
    let ci = server.service_account("ci").await;
    let key = server.key(&ci, "ci", Grants::Scopes(&["keys:read", "roles:read"])).await;
    (server, key)
}

async fn authenticate(server: &Server, id: &str, secret: &str) -> Answer {
    let body = json!({ "client_id": id, "client_secret": secret }).to_string();
    send_to(server, PATH, &[JSON], &body).await
}

/// Proves: X-06
#[tokio::test]
async fn the_answer_is_a_bare_string_that_is_a_token() {
    let (server, key) = started().await;
    let answer = authenticate(&server, &key.client_id, &key.secret).await;
    let token = answer.json().as_str().unwrap().to_owned();
    assert_eq!(answer.text, format!("\"{token}\""));
    let shown = whole(&answer).replace(&token, "<jwt>");
    let shown = shown.replace(&format!("content-length: {}", token.len() + 2), "content-length: <length>");
    insta::assert_snapshot!(shown, @r#"
    200
    cache-control: no-store
    content-length: <length>
    content-type: application/json
    pragma: no-cache
    ratelimit-policy: "token";q=60;w=60
    ratelimit: "token";r=59;t=1

    "<jwt>"
    "#);

    let (header, claims) = decoded(&token);
    assert_eq!((&header["typ"], &claims["scope"]), (&json!("at+jwt"), &json!("keys:read roles:read")));
    server.bearer(&token).graphql("{ viewer { scopes } }").await.data();
    server.stop().await;
}

#[tokio::test]
async fn unknown_members_are_ignored_and_a_charset_may_be_given() {
    let (server, key) = started().await;
    let body =
        json!({ "client_id": key.client_id, "client_secret": key.secret, "scope": "keys:read", "x": "y" });
    let headers = [("content-type", "application/json; charset=UTF-8")];
    let answer = send_to(&server, PATH, &headers, &body.to_string()).await;
    // The scope is not a parameter here: everything is granted.
    assert_eq!(decoded(answer.json().as_str().unwrap()).1["scope"], "keys:read roles:read");
    server.stop().await;
}

#[tokio::test]
async fn wrong_input_is_told_what_is_expected() {
    let (server, key) = started().await;
    let Key { client_id: id, secret, .. } = &key;
    let long = json!({ "client_id": id, "client_secret": secret, "x": "x".repeat(8_192) }).to_string();
    let authorization = basic(id, secret);
    let rows = [
        ("a form", vec![FORM], in_body(&key)),
        ("no content type", vec![], json!({ "client_id": id, "client_secret": secret }).to_string()),
        ("nothing", vec![JSON], String::new()),
        ("no JSON", vec![JSON], "{".to_owned()),
        ("a list", vec![JSON], json!([id, secret]).to_string()),
        ("a number", vec![JSON], json!({ "client_id": id, "client_secret": 1 }).to_string()),
        ("null", vec![JSON], json!({ "client_id": id, "client_secret": null }).to_string()),
        ("no secret", vec![JSON], json!({ "client_id": id }).to_string()),
        ("an empty secret", vec![JSON], json!({ "client_id": id, "client_secret": "" }).to_string()),
        ("no id", vec![JSON], json!({ "client_secret": secret }).to_string()),
        (
            "a member twice",
            vec![JSON],
            format!(r#"{{"client_id":"{id}","client_id":"{id}","client_secret":"{secret}"}}"#),
        ),
        ("Basic alone", vec![JSON, ("authorization", &authorization)], "{}".to_owned()),
        ("more than 8 KiB", vec![JSON], long),
    ];
    let mut lines = String::new();
    for (label, headers, body) in rows {
        lines += &format!("{label} -> {}\n", line(&send_to(&server, PATH, &headers, &body).await));
    }
    insta::assert_snapshot!(lines, @"
    a form -> 400 invalid_request: Send Content-Type: application/json.
    no content type -> 400 invalid_request: Send Content-Type: application/json.
    nothing -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    no JSON -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    a list -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    a number -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    null -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    no secret -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    an empty secret -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    no id -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    a member twice -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    Basic alone -> 400 invalid_request: Send a JSON object with the strings client_id and client_secret.
    more than 8 KiB -> 413 invalid_request: Send at most 8 KiB.
    ");
    server.stop().await;
}

#[tokio::test]
async fn refusals_are_those_of_the_token_endpoint_without_a_challenge() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let wrong = authenticate(&server, &key.client_id, &foreign_secret()).await;
    let unknown = authenticate(&server, "0123456789ABCDEF0123456789ABCDEF", &key.secret).await;
    assert_eq!(line(&wrong), "401 invalid_client: Unknown client, or wrong client secret.");
    assert_eq!(whole(&wrong), whole(&unknown));
    ada.caller.change(DISABLE, selection([&*key.id])).await;
    let disabled = authenticate(&server, &key.client_id, &key.secret).await;
    assert_eq!(line(&disabled), "401 invalid_client: This API key is disabled.");
    server.stop().await;
}
