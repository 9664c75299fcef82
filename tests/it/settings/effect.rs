//! What a changed setting does from the next request on: to limits, to tokens, to secrets.

use std::time::Duration;

use serde_json::{Value, json};

use super::{everything, started};
use crate::harness::keys::{REGENERATE, UPDATE, selection};
use crate::harness::{Answer, Grants, Key, Server};

/// The three headers of a limit.
fn headers(answer: &Answer) -> [&str; 3] {
    ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| answer.header(name))
}

/// A key that has no limits of its own.
async fn plain_key(server: &Server) -> Key {
    let robot = server.service_account("robot").await;
    server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await
}

#[tokio::test]
async fn a_changed_limit_of_exchanges_acts_on_the_next_one() {
    let (server, boss) = started().await;
    let key = plain_key(&server).await;
    let first = server.exchange(&key, &[]).await;
    assert_eq!(headers(&first), ["\"token\";q=60;w=60", "\"token\";r=59;t=1", ""]);

    boss.caller.set(json!({ "defaultTokenRateLimit": { "requests": 2, "perSeconds": 60 } })).await;
    // One of two, beside the second of a minute that was spent before.
    let second = server.exchange(&key, &[]).await;
    assert_eq!(headers(&second)[0], "\"token\";q=2;w=60");
    assert_eq!((second.status.as_u16(), server.exchange(&key, &[]).await.status.as_u16()), (200, 429));

    // A key with a limit of its own is not concerned.
    let own = json!({ "id": key.id, "tokenRateLimit": { "requests": 3, "perSeconds": 60 } });
    assert_eq!(boss.caller.mistakes(UPDATE, own).await, [""; 0]);
    boss.caller.set(json!({ "defaultTokenRateLimit": { "requests": 1, "perSeconds": 1 } })).await;
    assert_eq!(headers(&server.exchange(&key, &[]).await)[0], "\"token\";q=3;w=60");
    server.stop().await;
}

/// A new limit of exchanges for all.
fn exchanges((requests, seconds): (i32, i32)) -> Value {
    json!({ "defaultTokenRateLimit": { "requests": requests, "perSeconds": seconds } })
}

#[tokio::test]
async fn a_changed_limit_of_exchanges_grants_no_new_burst() {
    let (server, boss) = started().await;
    let key = plain_key(&server).await;
    while server.exchange(&key, &[]).await.status == 200 {}
    for quota in [(120, 60), (6_000, 60), (1, 60), (60, 60)] {
        boss.caller.set(exchanges(quota)).await;
        let answer = server.exchange(&key, &[]).await;
        assert_eq!((answer.status.as_u16(), headers(&answer)[1]), (429, "\"token\";r=0;t=60"), "{quota:?}");
    }
    // What the new quota lets in, it lets in as time passes.
    boss.caller.set(exchanges((120, 60))).await;
    server.advance(Duration::from_secs(1));
    let passed = [(); 3].map(|()| server.exchange(&key, &[]));
    let mut statuses = Vec::new();
    for exchange in passed {
        statuses.push(exchange.await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    server.stop().await;
}

#[tokio::test]
async fn another_window_grants_no_new_burst_either() {
    let (server, boss) = started().await;
    let robot = server.service_account("robot").await;
    let mut passed = Vec::new();
    // Each from the default, when all of it is spent.
    for quotas in [&[(60, 3_600)][..], &[(3_600, 3_600)], &[(1, 1), (60, 60)]] {
        boss.caller.set(exchanges((60, 60))).await;
        let key = server.key(&robot, &format!("{quotas:?}"), Grants::Scopes(&["keys:read"])).await;
        while server.exchange(&key, &[]).await.status == 200 {}
        for quota in quotas {
            boss.caller.set(exchanges(*quota)).await;
            let answer = server.exchange(&key, &[]).await;
            passed.push(format!("{quota:?}: {} {}", answer.status.as_u16(), headers(&answer)[1]));
        }
    }
    assert!(passed.iter().all(|line| line.contains(": 429 ")), "{passed:#?}");
    server.stop().await;
}

#[tokio::test]
async fn a_changed_limit_of_calls_acts_on_the_next_one_and_grants_no_new_burst() {
    let (server, boss) = started().await;
    let key = plain_key(&server).await;
    let caller = server.sign_in(&key).await;
    let call = async || caller.graphql("{ viewer { scopes } }").await;
    assert_eq!(headers(&call().await), ["\"call\";q=10000;w=60", "\"call\";r=9998;t=1", ""]);
    server.advance(Duration::from_secs(1));

    boss.caller.set(json!({ "defaultCallRateLimit": { "requests": 10, "perSeconds": 100 } })).await;
    let mut passed = 0;
    while call().await.status == 200 {
        passed += 1;
    }
    // Two points a call.
    assert_eq!(passed, 5);
    for requests in [20, 10_000] {
        let quota = json!({ "requests": requests, "perSeconds": 100 });
        boss.caller.set(json!({ "defaultCallRateLimit": quota })).await;
        let refused = call().await;
        assert_eq!((refused.status.as_u16(), &*refused.code()), (429, "RATE_LIMITED"));
        assert_eq!(refused.header("ratelimit-policy"), format!("\"call\";q={requests};w=100"));
    }
    server.advance(Duration::from_secs(100));
    assert_eq!(headers(&call().await)[1], "\"call\";r=9998;t=1");
    server.stop().await;
}

#[tokio::test]
async fn a_changed_lifetime_of_tokens_acts_on_the_next_exchange_and_not_on_tokens_that_are_out() {
    let (server, boss) = started().await;
    let key = plain_key(&server).await;
    let lifetime = async || server.exchange(&key, &[]).await.json()["expires_in"].as_i64().unwrap();
    let early = server.sign_in(&key).await;
    assert_eq!(lifetime().await, 600);
    boss.caller.set(json!({ "defaultTokenLifetimeSeconds": 120 })).await;
    assert_eq!(lifetime().await, 120);
    boss.caller.set(json!({ "defaultTokenLifetimeSeconds": 1800 })).await;
    assert_eq!(lifetime().await, 1800);
    boss.caller.set(json!({ "defaultTokenLifetimeSeconds": 60, "maxTokenLifetimeSeconds": 60 })).await;
    assert_eq!(lifetime().await, 60);
    server.advance(Duration::from_secs(500));
    assert_eq!(early.graphql("{ viewer { scopes } }").await.status, 200);
    server.advance(Duration::from_secs(101));
    assert_eq!(early.graphql("{ viewer { scopes } }").await.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn a_changed_grace_period_acts_on_the_next_new_secret() {
    let (server, boss) = started().await;
    let key = plain_key(&server).await;
    boss.caller.set(json!({ "defaultGracePeriodSeconds": 3600 })).await;
    let issued = boss.caller.change(REGENERATE, selection([&*key.id])).await["issued"][0].take();
    assert_eq!(issued["previousValidUntil"], "2026-11-21T10:00:00.000Z");
    server.sign_in(&key).await;
    boss.caller.set(json!({ "defaultGracePeriodSeconds": 0 })).await;
    let issued = boss.caller.change(REGENERATE, selection([&*key.id])).await["issued"][0].take();
    assert_eq!(issued["previousValidUntil"], Value::Null);
    assert_eq!(server.exchange(&key, &[]).await.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn settings_survive_a_restart() {
    let (server, boss) = started().await;
    let key = plain_key(&server).await;
    let expected = boss.caller.set(everything()).await;
    let place = server.stop().await;

    let server = Server::start_at(place, "").await;
    let caller = server.sign_in(&boss.key).await;
    assert_eq!(caller.settings().await, expected);
    let answer = server.exchange(&key, &[]).await;
    assert_eq!(headers(&answer)[0], "\"token\";q=5;w=1");
    assert_eq!(answer.json()["expires_in"], 120);
    assert_eq!(caller.set(json!({ "version": 2, "supportUrl": null })).await["version"], 3);
    server.stop().await;
}
