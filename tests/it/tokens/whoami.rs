//! `GET /whoami` with a token. With a cookie or a password it is in `sign_in/whoami.rs`.

use std::time::Duration;

use entity::account::AccountKind;
use entity::{KeyId, Timestamp};
use latchkey::access::{self, Machine, Scopes};
use latchkey::actions::whoami::credential;
use latchkey::app::context::{Context, Origin};
use latchkey::error::Error;
use latchkey::values::{Networks, Quota};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::keys::{DISABLE, selection};
use crate::harness::{Account, Answer, Caller, Grants, Key, Server};

const QUOTA: Quota = Quota { requests: 10, per_seconds: 60 };

async fn whoami(caller: &Caller) -> Answer {
    caller.send(caller.get("/whoami")).await
}

/// The limit does not get in the way, and has figures that are easy to follow.
async fn key(server: &Server, owner: &Account, name: &str, scopes: &[&str]) -> Key {
    let scopes = Grants::Scopes(scopes);
    server.key_with(owner, name, scopes, |new| new.call_limit = Some(QUOTA)).await
}

/// Status, code and challenge of a problem, after a look at what all problems have in common.
#[track_caller]
fn problem(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(body["requestId"], answer.header("x-request-id"));
    assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(answer.status.as_u16())));
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body:#}");
    (answer.status.as_u16(), body["code"].as_str().unwrap().to_owned(), answer.challenge().to_owned())
}

/// Proves: D-18
#[tokio::test]
async fn a_token_is_told_its_key_its_owner_its_scopes_and_its_end() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = key(&server, &ada, "ci", &["keys:write", "activity:read", "keys:read"]).await;
    let caller = server.sign_in(&key).await;
    server.advance(Duration::from_millis(1_500));
    let answer = whoami(&caller).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(answer.challenge(), "");
    let exp = super::wire::decoded(caller.token.as_deref().unwrap()).1["exp"].take();
    assert_eq!(
        answer.json(),
        json!({
            "type": "api_key",
            "sub": ada.public_id,
            "client_id": key.client_id,
            "exp": exp,
            "expires_at": "2026-11-21T09:10:00.000Z",
            "scopes": ["activity:read", "keys:read", "keys:write"],
            "read_only": false,
            "api_key": { "id": key.id, "name": "ci", "expires_at": null },
            "owner": { "id": ada.public_id, "kind": "user", "name": "ada@example.com" },
        })
    );
    server.stop().await;
}

/// No scope is needed, and a read-only key may ask.
#[tokio::test]
async fn what_is_told_is_what_the_token_can_do_now() {
    let server = Server::start().await;
    let robot = server.service_account("robot").await;
    let grants = Grants::Scopes(&["tokens:introspect", "users:read", "users:write"]);
    let end = Some("2026-11-21T12:00:00.000Z".parse().unwrap());
    let key = server
        .key_with(&robot, "gateway", grants, |new| {
            (new.read_only, new.expires_at, new.token_lifetime_seconds) = (true, end, Some(60));
        })
        .await;
    let told = async |caller: &Caller| -> Value { whoami(caller).await.json() };
    let whole = told(&server.sign_in(&key).await).await;
    assert_eq!(whole["scopes"], json!(["tokens:introspect", "users:read"]));
    assert_eq!((&whole["read_only"], &whole["sub"]), (&json!(true), &json!(robot.public_id)));
    let owner = json!({ "id": robot.public_id, "kind": "service_account", "name": "robot" });
    assert_eq!(whole["owner"], owner);
    assert_eq!(whole["api_key"]["expires_at"], "2026-11-21T12:00:00.000Z");
    assert_eq!(whole["expires_at"], "2026-11-21T09:01:00.000Z");
    let narrow = server.sign_in_with(&key, &[("scope", "tokens:introspect")]).await;
    assert_eq!(told(&narrow).await["scopes"], json!(["tokens:introspect"]));
    server.stop().await;
}

#[tokio::test]
async fn without_a_valid_token_there_is_a_challenge() {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let metadata = "resource_metadata=\"https://keys.example.com/.well-known/oauth-protected-resource\"";
    let bare = format!("Bearer {metadata}");
    let invalid = format!(
        "Bearer error=\"invalid_token\", error_description=\"The access token is invalid or expired\", {metadata}"
    );
    let unauthenticated = |challenge: &str| (401, "UNAUTHENTICATED".to_owned(), challenge.to_owned());
    assert_eq!(problem(&whoami(&server.guest()).await), unauthenticated(&bare));
    assert_eq!(problem(&whoami(&server.bearer("nonsense")).await), unauthenticated(&invalid));
    let disabled = server.key(&ada.account, "disabled", Grants::Inherit).await;
    let elsewhere = server.key(&ada.account, "elsewhere", Grants::Inherit).await;
    let [of_disabled, of_elsewhere] = [server.sign_in(&disabled).await, server.sign_in(&elsewhere).await];
    ada.caller.change(DISABLE, selection([&*disabled.id])).await;
    let networks = Networks::parse("", &["192.0.2.0/24".to_owned()]).unwrap().to_stored();
    server
        .run_sql(&format!("UPDATE api_keys SET allowed_networks = '{networks}' WHERE name = 'elsewhere'"))
        .await;
    for caller in [&of_disabled, &of_elsewhere] {
        assert_eq!(problem(&whoami(caller).await), unauthenticated(&invalid));
    }
    let token = ada.caller.token.as_deref().unwrap();
    let twice = server.guest().get("/whoami").bearer_auth(token).bearer_auth(token);
    assert_eq!(problem(&Answer::of(twice).await), (400, "BAD_USER_INPUT".to_owned(), String::new()));
    let elsewhere = server.guest().get(&format!("/whoami?access_token={token}"));
    assert_eq!(problem(&Answer::of(elsewhere).await), unauthenticated(&bare));
    server.stop().await;
}

#[tokio::test]
async fn each_question_costs_a_point_of_the_limit_of_calls() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let caller = server.sign_in(&key(&server, &ada, "ci", &["keys:read"]).await).await;
    for left in (0..10).rev() {
        let answer = whoami(&caller).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"call\";q=10;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"call\";r={left};t={}", 60 - 6 * left));
        assert_eq!(answer.header("retry-after"), "");
    }
    let refused = whoami(&caller).await;
    assert_eq!(problem(&refused), (429, "RATE_LIMITED".to_owned(), String::new()));
    let headers = ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| refused.header(name));
    assert_eq!(headers, ["\"call\";q=10;w=60", "\"call\";r=0;t=60", "6"]);
    // The limit is the one of GraphQL.
    assert_eq!(caller.graphql("{ viewer { scopes } }").await.code(), "RATE_LIMITED");
    server.advance(Duration::from_secs(6));
    assert_eq!(whoami(&caller).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn it_is_a_use_of_the_key_unless_it_was_refused() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = key(&server, &ada, "ci", &["keys:read"]).await;
    let caller = server.sign_in(&key).await;
    let last = async || {
        server.app.usage.write(&server.app.db).await.unwrap();
        let row = server.key_row(key.id.parse().unwrap()).await;
        (row.last_used_operation.unwrap(), row.last_used_at.unwrap().to_string())
    };
    server.advance(Duration::from_secs(1));
    for _ in 0..10 {
        assert_eq!(whoami(&caller).await.status, 200);
    }
    let used = ("whoami".to_owned(), "2026-11-21T09:00:01.000Z".to_owned());
    assert_eq!(last().await, used);
    server.advance(Duration::from_secs(1));
    assert_eq!(whoami(&caller).await.status, 429);
    assert_eq!(last().await, used);
    server.stop().await;
}

#[tokio::test]
async fn it_answers_to_get_and_head_alone() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for (method, status) in [(Method::HEAD, 200), (Method::POST, 405), (Method::DELETE, 405)] {
        let request = server.http.request(method.clone(), format!("{}/whoami", server.url));
        let answer = ada.caller.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{method}");
        if status == 405 {
            assert_eq!(problem(&answer).1, "METHOD_NOT_ALLOWED");
            assert_eq!(answer.header("allow"), "GET,HEAD");
        } else {
            assert_eq!(answer.text, "");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn when_nobody_can_be_recognised_it_is_not_the_credentials_fault() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    server.run_sql("DROP VIEW effective_scopes").await;
    let failed = whoami(&ada.caller).await;
    assert_eq!(problem(&failed), (500, "INTERNAL".to_owned(), String::new()));
    assert!(!failed.text.contains("effective_scopes"), "{}", failed.text);
    server.app.db.close().await;
    let unavailable = whoami(&ada.caller).await;
    assert_eq!(problem(&unavailable), (503, "UNAVAILABLE".to_owned(), String::new()));
    assert_eq!(unavailable.header("retry-after"), "1");
    server.stop().await;
}

/// A caller whose rows are gone since it was recognised, and callers that presented nothing.
#[tokio::test]
async fn who_is_gone_or_presented_nothing_is_nobody() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let machine = |owner| Machine {
        key: KeyId(uuid::Uuid::nil()),
        owner,
        owner_kind: AccountKind::User,
        scopes: Scopes::default(),
        read_only: false,
        ends: Timestamp(0),
        call_limit: QUOTA,
    };
    let robot = server.service_account("robot").await;
    let person =
        access::Person { user: entity::UserId(robot.id.0), session: None, scopes: Scopes::default() };
    for caller in [
        access::Caller::Machine(machine(ada.id)),
        access::Caller::Machine(machine(entity::AccountId(uuid::Uuid::nil()))),
        access::Caller::Person(person),
        access::Caller::Anonymous,
        access::Caller::Operator,
    ] {
        let told = format!("{caller:?}");
        let cx = Context::new(server.app.clone(), caller, Origin::default(), server.app.clock.now());
        assert!(matches!(credential(&cx).await, Err(Error::Unauthenticated)), "{told}");
    }
    server.stop().await;
}
