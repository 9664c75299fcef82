//! Presenting a token: the challenges (RFC 6750), and what each later change does to tokens already issued.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::keys::{CREATE, DELETE, DISABLE, ENABLE, Person, REGENERATE, UPDATE, selection};
use crate::harness::{Answer, Caller, Grants, Key, Server};

const VIEWER: &str = "{ viewer { scopes } }";

async fn started() -> (Server, Person) {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    let ada = server.person("ada@example.com", &["member", "analyst"]).await;
    (server, ada)
}

/// The scopes of a token now; `dead` for a token that is not accepted.
async fn alive(token: &Caller) -> String {
    let answer = token.graphql(VIEWER).await;
    if answer.status == 401 {
        assert!(answer.challenge().starts_with("Bearer error=\"invalid_token\""));
        return "dead".to_owned();
    }
    let scopes = answer.data()["viewer"]["scopes"].take();
    scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

async fn changed(by: &Caller, mutation: &str, input: Value) -> Value {
    let payload = by.change(mutation, input).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload
}

async fn updated(by: &Caller, key: &Key, changes: Value) {
    let mut input = changes;
    input["id"] = json!(key.id);
    changed(by, UPDATE, input).await;
}

#[tokio::test]
async fn without_credentials_the_challenge_says_where_to_begin_and_names_no_error() {
    let (server, ada) = started().await;
    let token = ada.caller.token.as_deref().unwrap();
    let bare = "Bearer resource_metadata=\"https://keys.example.com/.well-known/oauth-protected-resource\"";
    let body = json!({ "query": VIEWER, "access_token": token });
    // A token elsewhere than in the header is none.
    for path in ["/graphql".to_owned(), format!("/graphql?access_token={token}")] {
        let answer = Answer::of(server.guest().post(&path).json(&body)).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code(), answer.challenge()),
            (401, "UNAUTHENTICATED", bare)
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        assert_eq!(body["errors"][0]["extensions"]["requestId"], answer.header("x-request-id"));
    }
    server.stop().await;
}

/// Proves: R-01
#[tokio::test]
async fn with_a_wrong_token_the_challenge_says_so_and_with_anything_else_names_no_error() {
    let (server, ada) = started().await;
    let token = ada.caller.token.as_deref().unwrap();
    let metadata = "resource_metadata=\"https://keys.example.com/.well-known/oauth-protected-resource\"";
    let invalid = "error=\"invalid_token\", error_description=\"The access token is invalid or expired\"";
    let (none, other) = (format!("Bearer {metadata}"), format!("Bearer {invalid}, {metadata}"));
    let basic = super::wire::basic(&ada.key.client_id, &ada.key.secret);
    let unknown = format!("Token {token}");
    for (wrong, expected) in [
        ("Bearer abc", &other),
        ("Bearer", &none),
        ("Bearer ", &none),
        ("", &none),
        (&*basic, &none),
        (token, &none),
        (&*unknown, &none),
        (&*ada.key.secret, &none),
    ] {
        let request =
            server.guest().post("/graphql").header("authorization", wrong).json(&json!({ "query": VIEWER }));
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.challenge()), (401, &**expected), "{wrong}");
    }
    for right in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER   {token}")] {
        let request =
            server.guest().post("/graphql").header("authorization", right).json(&json!({ "query": VIEWER }));
        Answer::of(request).await.data();
    }
    server.stop().await;
}

#[tokio::test]
async fn disabling_kills_tokens_for_good() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let old = server.sign_in(&key).await;
    assert_eq!(alive(&old).await, "keys:read");
    changed(&ada.caller, DISABLE, selection([&*key.id])).await;
    assert_eq!(alive(&old).await, "dead");
    changed(&ada.caller, ENABLE, selection([&*key.id])).await;
    assert_eq!(alive(&old).await, "dead");
    assert_eq!(alive(&server.sign_in(&key).await).await, "keys:read");
    server.stop().await;
}

#[tokio::test]
async fn deleting_kills_tokens_and_those_of_other_keys_live_on() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let other = server.key(&ada.account, "other", Grants::Scopes(&["keys:read"])).await;
    let (old, others) = (server.sign_in(&key).await, server.sign_in(&other).await);
    changed(&ada.caller, DELETE, selection([&*key.id])).await;
    assert_eq!((alive(&old).await, alive(&others).await), ("dead".to_owned(), "keys:read".to_owned()));
    // A new key under the same name is another client.
    changed(&ada.caller, CREATE, json!({ "name": "ci" })).await;
    assert_eq!(alive(&old).await, "dead");
    server.stop().await;
}

#[tokio::test]
async fn a_new_secret_at_once_kills_tokens_and_one_with_grace_does_not() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let first = server.sign_in(&key).await;
    let mut graced = selection([&*key.id]);
    graced["gracePeriodSeconds"] = json!(60);
    let payload = changed(&ada.caller, REGENERATE, graced).await;
    assert_eq!(alive(&first).await, "keys:read");
    let by_old_secret = server.sign_in(&key).await;
    // Neither does the end of the grace period: the token lives to its own.
    server.advance(Duration::from_secs(60));
    assert_eq!(
        (alive(&first).await, alive(&by_old_secret).await),
        ("keys:read".to_owned(), "keys:read".to_owned())
    );

    let secret = payload["issued"][0]["clientSecret"].as_str().unwrap().to_owned();
    let second = server.sign_in(&Key { secret, ..key.clone() }).await;
    let mut at_once = selection([&*key.id]);
    at_once["gracePeriodSeconds"] = json!(0);
    changed(&ada.caller, REGENERATE, at_once).await;
    for token in [&first, &by_old_secret, &second] {
        assert_eq!(alive(token).await, "dead");
    }
    server.stop().await;
}

#[tokio::test]
async fn with_its_owner_deactivated_a_token_is_dead() {
    let (server, ada) = started().await;
    let robot = server.service_account("robot").await;
    let key = server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
    let token = server.sign_in(&key).await;
    server.deactivate(&robot).await;
    assert_eq!(alive(&token).await, "dead");
    server.deactivate(&ada.account).await;
    assert_eq!(alive(&ada.caller).await, "dead");
    server.stop().await;
}

/// Proves: D-04
#[tokio::test]
async fn a_token_shrinks_with_the_roles_of_its_owner_and_is_dead_when_nothing_is_left() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["activity:read:any", "keys:read"])).await;
    let both = server.sign_in(&key).await;
    let narrow = server.sign_in_with(&key, &[("scope", "activity:read:any")]).await;
    assert_eq!(alive(&both).await, "activity:read:any keys:read");
    server.take_role(&ada.account, "analyst").await;
    assert_eq!((alive(&both).await, alive(&narrow).await), ("keys:read".to_owned(), "dead".to_owned()));
    // It is what is left now that counts: what comes back within the token's scope counts again.
    server.give_role(&ada.account, "analyst").await;
    assert_eq!(alive(&both).await, "activity:read:any keys:read");
    assert_eq!(alive(&narrow).await, "activity:read:any");
    server.take_role(&ada.account, "analyst").await;
    server.take_role(&ada.account, "member").await;
    assert_eq!(alive(&both).await, "dead");
    server.stop().await;
}

#[tokio::test]
async fn without_keys_use_the_owners_tokens_are_dead_whatever_else_is_left() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let token = server.sign_in(&key).await;
    // An auditor may read keys, not use them.
    server.give_role(&ada.account, "auditor").await;
    server.take_role(&ada.account, "analyst").await;
    assert_eq!(alive(&token).await, "keys:read");
    server.take_role(&ada.account, "member").await;
    assert_eq!(alive(&token).await, "dead");
    server.stop().await;
}

/// Proves: I-07
#[tokio::test]
async fn a_token_shrinks_with_the_scopes_of_its_key() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read", "keys:write"])).await;
    let token = server.sign_in(&key).await;
    updated(&ada.caller, &key, json!({ "readOnly": true })).await;
    assert_eq!(alive(&token).await, "keys:read");
    let refused = token.graphql_with(CREATE, json!({ "input": { "name": "x" } })).await;
    assert_eq!((refused.status.as_u16(), &*refused.code()), (403, "READ_ONLY"));
    updated(&ada.caller, &key, json!({ "readOnly": false })).await;
    assert_eq!(alive(&token).await, "keys:read keys:write");
    updated(&ada.caller, &key, json!({ "scopes": ["keys:write"] })).await;
    assert_eq!(alive(&token).await, "keys:write");
    updated(&ada.caller, &key, json!({ "scopes": [] })).await;
    assert_eq!(alive(&token).await, "dead");
    server.stop().await;
}

#[tokio::test]
async fn scopes_gained_are_in_the_next_token_only() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let (token, inherited) = (server.sign_in(&key).await, server.sign_in(&ada.key).await);
    let before = alive(&inherited).await;
    updated(&ada.caller, &key, json!({ "scopes": ["keys:read", "keys:write"] })).await;
    server.give_role(&ada.account, "admin").await;
    assert_eq!((alive(&token).await, alive(&inherited).await), ("keys:read".to_owned(), before.clone()));
    assert_eq!(alive(&server.sign_in(&key).await).await, "keys:read keys:write");
    let after = alive(&server.sign_in(&ada.key).await).await;
    assert!(after.contains("users:write") && !before.contains("users:write"));
    server.stop().await;
}

#[tokio::test]
async fn the_end_of_a_key_is_checked_at_each_use() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let token = server.sign_in(&key).await;
    updated(&ada.caller, &key, json!({ "expiresAt": "2026-11-21T09:01:00.000Z" })).await;
    server.advance(Duration::from_millis(59_999));
    assert_eq!(alive(&token).await, "keys:read");
    server.advance(Duration::from_millis(1));
    assert_eq!(alive(&token).await, "dead");
    updated(&ada.caller, &key, json!({ "expiresAt": null })).await;
    assert_eq!(alive(&token).await, "keys:read");
    server.stop().await;
}

#[tokio::test]
async fn a_token_ends_with_its_key_at_the_latest() {
    let (server, ada) = started().await;
    let end = Some("2026-11-21T09:01:00.000Z".parse().unwrap());
    let scopes = Grants::Scopes(&["keys:read"]);
    let key = server.key_with(&ada.account, "ci", scopes, |new| new.expires_at = end).await;
    server.advance(Duration::from_secs(1));
    let answer = server.exchange(&key, &[]).await;
    assert_eq!(answer.json()["expires_in"], 59);
    let token = server.bearer(&super::wire::token(&answer));
    // More time for the key is not more for the token: resource servers read its end, and nothing else.
    updated(&ada.caller, &key, json!({ "expiresAt": null })).await;
    server.advance(Duration::from_millis(58_999));
    assert_eq!(alive(&token).await, "keys:read");
    server.advance(Duration::from_millis(1));
    assert_eq!(alive(&token).await, "dead");
    server.stop().await;
}

#[tokio::test]
async fn name_and_limits_leave_tokens_alone_and_limits_act_on_the_next_request() {
    let (server, ada) = started().await;
    let key = server.key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    let token = server.sign_in(&key).await;
    updated(
        &ada.caller,
        &key,
        json!({ "name": "renamed", "description": "new", "tokenLifetimeSeconds": 60 }),
    )
    .await;
    assert_eq!(alive(&token).await, "keys:read");
    server.advance(Duration::from_secs(61));
    assert_eq!(alive(&token).await, "keys:read");
    updated(&ada.caller, &key, json!({ "callRateLimit": { "requests": 1, "perSeconds": 3_600 } })).await;
    let refused = token.graphql(VIEWER).await;
    assert_eq!((refused.status.as_u16(), refused.header("ratelimit-policy")), (429, "\"call\";q=1;w=3600"));
    server.stop().await;
}
