//! `/auth/verify`: what a gateway is told about a request that it has received.

use std::time::Duration;

use latchkey::values::{Networks, Quota};
use reqwest::Method;
use serde_json::json;

use super::wire::{FORM, basic, send_to, whole};
use crate::harness::keys::{DELETE, DISABLE, Person, REGENERATE, UPDATE, selection};
use crate::harness::{Answer, Caller, Grants, Server, encoded};

const PATH: &str = "/auth/verify";
const ISSUER: &str = "https://keys.example.com";
const BILLING: &str = "https://billing.example.com";
const INVALID: &str = "Bearer error=\"invalid_token\", error_description=\"The access token is invalid or expired\", \
    resource_metadata=\"https://keys.example.com/.well-known/oauth-protected-resource\"";

async fn started() -> (Server, Person) {
    let server = Server::start_with(&format!("public_url = '{ISSUER}'")).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    (server, boss)
}

async fn verify(caller: &Caller, query: &str) -> Answer {
    caller.send(caller.get(&format!("{PATH}{query}"))).await
}

async fn status(caller: &Caller, query: &str) -> u16 {
    verify(caller, query).await.status.as_u16()
}

#[track_caller]
fn problem(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        (answer.header("cache-control"), &body["status"]),
        ("no-store", &json!(answer.status.as_u16()))
    );
    assert_eq!(body["requestId"], answer.header("x-request-id"));
    assert_eq!(answer.headers.get("x-latchkey-subject"), None);
    (answer.status.as_u16(), body["code"].as_str().unwrap().to_owned(), answer.challenge().to_owned())
}

#[tokio::test]
async fn a_valid_token_passes_and_the_gateway_is_told_whose_it_is() {
    let (server, boss) = started().await;
    let quota = Quota { requests: 10, per_seconds: 60 };
    let scopes = Grants::Scopes(&["keys:write", "keys:read"]);
    let key = server.key_with(&boss.account, "ci", scopes, |new| new.call_limit = Some(quota)).await;
    let token = server.sign_in(&key).await;
    let answer = verify(&token, "").await;
    let told = whole(&answer).replace(&boss.account.public_id, "[owner]").replace(&key.client_id, "[client]");
    insta::assert_snapshot!(told, @r#"
    200
    cache-control: no-store
    content-length: 0
    pragma: no-cache
    ratelimit-policy: "call";q=10;w=60
    ratelimit: "call";r=9;t=6
    x-latchkey-client-id: [client]
    x-latchkey-scopes: keys:read keys:write
    x-latchkey-subject: [owner]
    "#);
    server.app.usage.write(&server.app.db).await.unwrap();
    let row = server.key_row(key.id.parse().unwrap()).await;
    assert_eq!(row.last_used_operation.as_deref(), Some("auth/verify"));
    server.stop().await;
}

#[tokio::test]
async fn every_method_and_every_path_below_is_answered_alike_and_no_body_is_read() {
    let (server, boss) = started().await;
    let token = boss.caller.token.as_deref().unwrap();
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        for path in [PATH, "/auth/verify/", "/auth/verify/invoices/7%2F8?aud=https://keys.example.com"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = || server.http.request(method.clone(), format!("{}{path}", server.url));
            let passed = Answer::of(request().bearer_auth(token).body("not { json")).await;
            assert_eq!((passed.status.as_u16(), &*passed.text), (200, ""), "{method} {path}");
            assert_eq!(passed.header("x-latchkey-subject"), boss.account.public_id);
            assert_eq!(Answer::of(request()).await.status, 401, "{method} {path}");
        }
    }
    for path in ["/auth/verify-not", "/auth", "/auth/verif"] {
        assert_eq!(boss.caller.send(boss.caller.get(path)).await.status, 404, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_a_bearer_token_counts() {
    let (server, boss) = started().await;
    let bare = format!("Bearer resource_metadata=\"{ISSUER}/.well-known/oauth-protected-resource\"");
    let token = boss.caller.token.as_deref().unwrap();
    let none = problem(&verify(&server.guest(), &format!("?access_token={token}")).await);
    assert_eq!(none, (401, "UNAUTHENTICATED".to_owned(), bare.clone()));
    for (authorization, challenge) in [
        (basic(&boss.key.client_id, &boss.key.secret), &*bare),
        (format!("Token {token}"), &bare),
        ("Bearer x".to_owned(), INVALID),
        (format!("Bearer {token}x"), INVALID),
    ] {
        let request = server.guest().get(PATH).header("authorization", &authorization);
        let refused = problem(&Answer::of(request).await);
        assert_eq!(refused, (401, "UNAUTHENTICATED".to_owned(), challenge.to_owned()), "{authorization}");
    }
    let twice = server.guest().get(PATH).bearer_auth(token).header("authorization", "Bearer x");
    assert_eq!(problem(&Answer::of(twice).await), (400, "BAD_USER_INPUT".to_owned(), String::new()));
    server.stop().await;
}

#[tokio::test]
async fn scopes_and_audiences_are_demanded_by_every_occurrence() {
    let (server, boss) = started().await;
    server.api(BILLING, &["invoices:read"]).await;
    let robot = server.service_account("robot").await;
    let key = server.generous_key(&robot, "ci", Grants::Scopes(&["invoices:read", "keys:read"])).await;
    let both = server.sign_in(&key).await;
    let billing = server.sign_in_with(&key, &[("resource", BILLING)]).await;
    for (query, expected) in [
        ("", [200, 200]),
        ("?x=1", [200, 200]),
        ("?scope=", [200, 200]),
        ("?scope=invoices:read", [200, 200]),
        ("?scope=invoices%3Aread", [200, 200]),
        ("?scope=keys:read", [200, 403]),
        ("?scope=invoices:read+keys:read", [200, 403]),
        ("?scope=invoices:read&scope=keys:read", [200, 403]),
        ("?scope=invoices:read&scope=keys:write", [403, 403]),
        ("?scope=keys:write&scope=invoices:read", [403, 403]),
        ("?scope=%22", [403, 403]),
        ("?aud=https://billing.example.com", [200, 200]),
        ("?aud=https://keys.example.com", [200, 401]),
        ("?aud=https://billing.example.com&aud=https://keys.example.com", [200, 401]),
        ("?aud=https://billing.example.com&aud=https://other.example.com", [401, 401]),
        ("?aud=", [401, 401]),
        ("?aud=https://billing.example.com&aud=", [401, 401]),
        ("?aud=https://billing.example.com&scope=keys:write", [403, 403]),
    ] {
        assert_eq!([status(&both, query).await, status(&billing, query).await], expected, "{query}");
    }
    let other = problem(&verify(&billing, &format!("?aud={ISSUER}")).await);
    assert_eq!(other, (401, "UNAUTHENTICATED".to_owned(), INVALID.to_owned()));
    let lacks = problem(&verify(&both, "?scope=keys:write+keys:read&scope=%22").await);
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", error_description=\"The access token lacks a required scope\", \
         scope=\"keys:read keys:write\", resource_metadata=\"{ISSUER}/.well-known/oauth-protected-resource\""
    );
    assert_eq!(lacks, (403, "FORBIDDEN".to_owned(), challenge));
    // Of an API that is gone nothing can be asked any more.
    server.run_sql("UPDATE apis SET identifier = 'https://new.example.com' WHERE identifier = 'https://billing.example.com'").await;
    boss.caller.done(crate::harness::changes::CREATE_ROLE, json!({ "name": "news", "scopes": [] })).await;
    assert_eq!([status(&both, "").await, status(&billing, "").await], [200, 401]);
    server.stop().await;
}

async fn revoke(server: &Server, key: &crate::harness::Key, token: &str) {
    let authorization = basic(&key.client_id, &key.secret);
    let body = encoded(&[("token", token)]);
    let answer = send_to(server, "/oauth/revoke", &[FORM, ("authorization", &authorization)], &body).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_stops_a_token_stops_it_here_at_once() {
    let (server, boss) = started().await;
    let robot = server.service_account("robot").await;
    let changes = [
        (DISABLE, None, [401, 401]),
        (DELETE, None, [401, 401]),
        (REGENERATE, None, [401, 401]),
        (UPDATE, Some("keys:write"), [200, 403]),
        (UPDATE, Some("users:read"), [401, 401]),
    ];
    for (n, (mutation, left, expected)) in changes.into_iter().enumerate() {
        let scopes = Grants::Scopes(&["keys:read", "keys:write"]);
        let key = server.generous_key(&robot, &format!("key {n}"), scopes).await;
        let token = server.sign_in(&key).await;
        assert_eq!(status(&token, "?scope=keys:read").await, 200);
        let narrowed = left.map(|scope| json!({ "id": key.id, "scopes": [scope] }));
        boss.caller.done(mutation, narrowed.unwrap_or_else(|| selection([&*key.id]))).await;
        assert_eq!([status(&token, "").await, status(&token, "?scope=keys:read").await], expected, "{n}");
    }
    let key = server.generous_key(&robot, "last", Grants::Scopes(&["keys:read"])).await;
    let tokens = [server.sign_in(&key).await, server.sign_in(&key).await];
    revoke(&server, &key, tokens[0].token.as_deref().unwrap()).await;
    assert_eq!([status(&tokens[0], "").await, status(&tokens[1], "").await], [401, 200]);
    server.deactivate(&robot).await;
    assert_eq!(status(&tokens[1], "").await, 401);
    assert_eq!(status(&boss.caller, "").await, 200);
    server.advance(Duration::from_secs(600));
    assert_eq!(status(&boss.caller, "").await, 401);
    server.stop().await;
}

#[tokio::test]
async fn networks_and_the_limit_of_calls_hold_here_too() {
    let server = Server::start_with("trusted_proxies = ['127.0.0.0/8']").await;
    let robot = server.service_account("robot").await;
    let networks =
        Networks::parse("allowedNetworks", &["127.0.0.0/8".to_owned(), "192.0.2.0/24".to_owned()]).unwrap();
    let quota = Quota { requests: 3, per_seconds: 60 };
    let key = server.key_with(&robot, "ci", Grants::Scopes(&["keys:read"]), |new| {
        (new.networks, new.call_limit) = (Some(networks), Some(quota));
    });
    let token = server.sign_in(&key.await).await;
    let from = async |address: &str, query: &str| {
        let request = token.get(&format!("{PATH}{query}")).header("x-forwarded-for", address);
        token.send(request).await
    };
    assert_eq!(problem(&from("203.0.113.7", "").await).1, "UNAUTHENTICATED");
    for (query, expected, left) in [("", 200, "2"), ("?scope=keys:write", 403, "1"), ("", 200, "0")] {
        let answer = from("192.0.2.7", query).await;
        assert_eq!(answer.status.as_u16(), expected);
        assert!(answer.header("ratelimit").starts_with(&format!("\"call\";r={left};")), "{query}");
    }
    let refused = from("192.0.2.7", "?scope=keys:write").await;
    assert_eq!(problem(&refused), (429, "RATE_LIMITED".to_owned(), String::new()));
    assert_eq!(
        (refused.header("retry-after"), refused.header("ratelimit-policy")),
        ("20", "\"call\";q=3;w=60")
    );
    server.stop().await;
}

/// What a browser sent to the gateway is none of this server's own pages' business.
#[tokio::test]
async fn neither_a_preflight_nor_a_cookie_is_answered_for_the_gateway() {
    let server = Server::start_with("cors_origins = ['https://app.example.com']").await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for caller in [&ada.caller, &server.guest()] {
        let expected = if caller.token.is_some() { 200 } else { 401 };
        for method in [Method::OPTIONS, Method::POST] {
            let request = server
                .http
                .request(method, format!("{}{PATH}", server.url))
                .header("origin", "https://app.example.com")
                .header("access-control-request-method", "POST")
                .header("sec-fetch-site", "cross-site")
                .header("cookie", "latchkey_session=x; __Host-latchkey_session=x");
            let answer = caller.send(request).await;
            assert_eq!(answer.status.as_u16(), expected);
            assert_eq!(answer.headers.get("access-control-allow-origin"), None);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_was_seen_before_costs_no_query_and_nothing_is_said_from_old_memory() {
    let (server, boss) = started().await;
    server.app.registry.poll_changes().await.unwrap();
    assert_eq!(status(&boss.caller, "").await, 200);
    let reads = server.app.db.reads();
    assert_eq!(status(&boss.caller, "?scope=keys:read").await, 200);
    assert_eq!(server.app.db.reads(), reads);
    server.app.db.close().await;
    server.advance(Duration::from_secs(5));
    let unavailable = verify(&boss.caller, "").await;
    assert_eq!(problem(&unavailable), (503, "UNAVAILABLE".to_owned(), String::new()));
    assert_eq!(unavailable.header("retry-after"), "1");
    server.stop().await;
}
