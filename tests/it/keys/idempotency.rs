//! The header `Idempotency-Key`: a request that is sent again changes nothing and shows no secret.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::keys::{CREATE, DELETE, REGENERATE, selection};
use crate::harness::{Answer, Caller, Grants, Server};

/// A mutation under an idempotency key.
async fn send(caller: &Caller, key: &str, mutation: &str, input: &Value) -> Answer {
    let body = json!({ "query": mutation, "variables": { "input": input } });
    caller.send(caller.post("/graphql").header("idempotency-key", key).json(&body)).await
}

async fn change(caller: &Caller, key: &str, mutation: &str, input: &Value) -> Value {
    send(caller, key, mutation, input).await.data()["change"].take()
}

#[tokio::test]
async fn a_key_is_made_once_and_its_secret_is_shown_once() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let input = json!({ "name": "ci" });
    let first = change(&ada.caller, "one", CREATE, &input).await;
    assert!(first["clientSecret"].is_string());
    let before = server.state().await;
    // With the quotes of the draft, too.
    for key in ["one", "\"one\""] {
        let again = change(&ada.caller, key, CREATE, &input).await;
        assert_eq!(again["apiKey"], first["apiKey"]);
        assert_eq!((&again["clientSecret"], &again["userErrors"]), (&Value::Null, &json!([])));
    }
    assert_eq!(server.state().await, before);
    // A new key of the same name is a mistake as ever.
    assert_eq!(change(&ada.caller, "two", CREATE, &input).await["userErrors"][0]["code"], "NAME_TAKEN");
    // What was refused is not remembered: under the same key it may go well later.
    ada.caller.done(DELETE, selection([first["apiKey"]["id"].as_str().unwrap()])).await;
    assert!(change(&ada.caller, "two", CREATE, &input).await["clientSecret"].is_string());
    // What was made and is gone is still the answer.
    assert_eq!(change(&ada.caller, "one", CREATE, &input).await["apiKey"]["id"], first["apiKey"]["id"]);
    server.stop().await;
}

#[tokio::test]
async fn a_secret_is_regenerated_once() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let mut input = selection([&*key.id]);
    input["gracePeriodSeconds"] = json!(60);
    let first = change(&ada.caller, "one", REGENERATE, &input).await;
    let before = server.state().await;
    let again = change(&ada.caller, "one", REGENERATE, &input).await;
    let expected = json!([{
        "apiKey": first["issued"][0]["apiKey"],
        "clientSecret": null,
        "previousValidUntil": first["issued"][0]["previousValidUntil"],
    }]);
    assert_eq!(again["issued"], expected);
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn the_key_belongs_to_its_sender_and_to_one_request_for_a_day() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.person("bob@example.com", &["member"]).await;
    change(&ada.caller, "one", CREATE, &json!({ "name": "ci" })).await;
    let other = change(&ada.caller, "one", CREATE, &json!({ "name": "other" })).await;
    let error = &other["userErrors"][0];
    assert_eq!((&error["code"], &error["field"]), (&json!("IDEMPOTENCY_KEY_REUSED"), &Value::Null));
    let elsewhere = change(&bob.caller, "one", CREATE, &json!({ "name": "ci" })).await;
    assert!(elsewhere["clientSecret"].is_string());
    server.advance(Duration::from_secs(24 * 3600 + 1));
    let ada_later = server.sign_in(&ada.key).await;
    let later = change(&ada_later, "one", CREATE, &json!({ "name": "other" })).await;
    assert!(later["clientSecret"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let before = server.state().await;
    for key in ["", "\"\"", "two words", "\"", "a\"b", &"x".repeat(256)] {
        let answer = send(&ada.caller, key, CREATE, &json!({ "name": "ci" })).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"),
            "{key}"
        );
    }
    let body = json!({ "query": CREATE, "variables": { "input": { "name": "ci" } } });
    let twice = ada.caller.post("/graphql").header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(ada.caller.send(twice.json(&body)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.state().await, before);
    // Queries and other mutations do not mind.
    let query = json!({ "query": "{ viewer { scopes } }" });
    for _ in 0..2 {
        ada.caller.send(ada.caller.post("/graphql").header("idempotency-key", "q").json(&query)).await.data();
    }
    server.stop().await;
}
