//! Rate limits: of exchanges, of calls, and of wrong secrets from one network.

use std::time::Duration;

use latchkey::values::Quota;
use serde_json::json;

use super::wire::{FORM, GRANT, basic, foreign_secret, line, send};
use crate::harness::keys::UPDATE;
use crate::harness::{Account, Answer, Caller, Grants, Key, Server};

const REACHED: &str = "429 rate_limited: The token rate limit of this API key is exceeded.";
const WRONG: &str = "401 invalid_client: Unknown client, or wrong client secret. [challenged]";
const TOO_MANY: &str = "429 rate_limited: Too many failed attempts from this network. Wait a minute.";
const VIEWER: &str = "{ viewer { scopes } }";

/// The three headers of a limit.
fn headers(answer: &Answer) -> [&str; 3] {
    ["ratelimit-policy", "ratelimit", "retry-after"].map(|name| answer.header(name))
}

async fn robot(server: &Server) -> Account {
    server.service_account("robot").await
}

async fn limited(
    server: &Server,
    owner: &Account,
    name: &str,
    token: Option<Quota>,
    call: Option<Quota>,
) -> Key {
    let scopes = Grants::Scopes(&["keys:read"]);
    server.key_with(owner, name, scopes, |new| (new.token_limit, new.call_limit) = (token, call)).await
}

#[tokio::test]
async fn sixty_exchanges_a_minute_pass_and_then_one_a_second() {
    let server = Server::start().await;
    let owner = robot(&server).await;
    let key = limited(&server, &owner, "one", None, None).await;
    let other = limited(&server, &owner, "two", None, None).await;
    for left in (0..60).rev() {
        let answer = server.exchange(&key, &[]).await;
        assert_eq!(line(&answer), "200 keys:read");
        let rate_limit = format!("\"token\";r={left};t={}", 60 - left);
        assert_eq!(headers(&answer), ["\"token\";q=60;w=60", &*rate_limit, ""]);
    }
    let refused = server.exchange(&key, &[]).await;
    assert_eq!(line(&refused), REACHED);
    assert_eq!(headers(&refused), ["\"token\";q=60;w=60", "\"token\";r=0;t=60", "1"]);
    // Neighbours are not concerned.
    assert_eq!(line(&server.exchange(&other, &[]).await), "200 keys:read");
    server.advance(Duration::from_millis(999));
    assert_eq!(line(&server.exchange(&key, &[]).await), REACHED);
    server.advance(Duration::from_millis(1));
    assert_eq!(line(&server.exchange(&key, &[]).await), "200 keys:read");
    assert_eq!(line(&server.exchange(&key, &[]).await), REACHED);
    server.stop().await;
}

#[tokio::test]
async fn a_key_can_have_a_limit_of_its_own_and_a_change_acts_on_the_next_request() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let two_an_hour = Some(Quota { requests: 2, per_seconds: 3_600 });
    let key = server.key_with(&ada.account, "ci", Grants::Inherit, |new| new.token_limit = two_an_hour).await;
    let first = server.exchange(&key, &[]).await;
    assert_eq!(headers(&first), ["\"token\";q=2;w=3600", "\"token\";r=1;t=1800", ""]);
    server.exchange(&key, &[]).await;
    let refused = server.exchange(&key, &[]).await;
    assert_eq!(line(&refused), REACHED);
    assert_eq!(headers(&refused), ["\"token\";q=2;w=3600", "\"token\";r=0;t=3600", "1800"]);

    // A new limit is no new burst: what was spent stays spent, within the new window.
    let faster = json!({ "id": key.id, "tokenRateLimit": { "requests": 2, "perSeconds": 60 } });
    assert_eq!(ada.caller.change(UPDATE, faster).await["userErrors"], json!([]));
    let refused = server.exchange(&key, &[]).await;
    assert_eq!(line(&refused), REACHED);
    assert_eq!(headers(&refused), ["\"token\";q=2;w=60", "\"token\";r=0;t=60", "30"]);
    server.advance(Duration::from_secs(30));
    assert_eq!(headers(&server.exchange(&key, &[]).await)[0], "\"token\";q=2;w=60");
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_after_the_secret_was_proven_counts_and_says_what_is_left() {
    let server = Server::start().await;
    let key =
        limited(&server, &robot(&server).await, "ci", Some(Quota { requests: 2, per_seconds: 60 }), None)
            .await;
    for (left, reset) in [(1, 30), (0, 60)] {
        let refused = server.exchange(&key, &[("scope", "users:write")]).await;
        assert!(line(&refused).starts_with("400 invalid_scope"));
        assert_eq!(headers(&refused)[1], format!("\"token\";r={left};t={reset}"));
    }
    assert_eq!(line(&server.exchange(&key, &[]).await), REACHED);
    server.stop().await;
}

#[tokio::test]
async fn wrong_secrets_from_one_network_are_limited_and_the_right_one_still_passes() {
    let server = Server::start().await;
    let key = limited(&server, &robot(&server).await, "ci", None, None).await;
    let wrong = Key { secret: foreign_secret(), ..key.clone() };
    for _ in 0..60 {
        let refused = server.exchange(&wrong, &[]).await;
        assert_eq!((line(&refused).as_str(), headers(&refused)), (WRONG, ["", "", ""]));
    }
    let unknown = Key { client_id: "0123456789ABCDEF0123456789ABCDEF".to_owned(), ..key.clone() };
    let malformed = Key { secret: "hunter2".to_owned(), ..key.clone() };
    for key in [&wrong, &unknown, &malformed] {
        let refused = server.exchange(key, &[]).await;
        assert_eq!((line(&refused).as_str(), headers(&refused)), (TOO_MANY, ["", "", "60"]));
    }
    assert_eq!(line(&server.exchange(&key, &[]).await), "200 keys:read");
    server.advance(Duration::from_secs(1));
    assert_eq!(line(&server.exchange(&wrong, &[]).await), WRONG);
    assert_eq!(line(&server.exchange(&wrong, &[]).await), TOO_MANY);
    server.stop().await;
}

#[tokio::test]
async fn networks_are_told_apart_by_what_a_trusted_proxy_says_and_by_nobody_else() {
    let wrong = basic("0123456789ABCDEF0123456789ABCDEF", &foreign_secret());
    let flood = async |server: &Server, from: &[&str], count: usize| {
        let mut last = String::new();
        for n in 0..count {
            let headers = [FORM, ("authorization", &*wrong), ("x-forwarded-for", from[n % from.len()])];
            last = line(&send(server, &headers, GRANT).await);
        }
        last
    };
    let server = Server::start_with("trusted_proxies = ['127.0.0.0/8']").await;
    // One /64 is one network.
    let neighbours = ["2001:db8::1", "2001:db8::2"];
    assert_eq!(flood(&server, &neighbours, 61).await, TOO_MANY);
    assert_eq!(flood(&server, &["2001:db8:0:1::1"], 1).await, WRONG);
    assert_eq!(flood(&server, &["198.51.100.1"], 1).await, WRONG);
    // What stands further left was written by strangers.
    assert_eq!(flood(&server, &["198.51.100.7, 2001:db8::3"], 1).await, TOO_MANY);
    server.stop().await;

    let server = Server::start().await;
    assert_eq!(flood(&server, &["198.51.100.1", "198.51.100.2", "198.51.100.3"], 61).await, TOO_MANY);
    server.stop().await;
}

/// Calls until there is no more, and how often that was.
async fn exhausted(caller: &Caller) -> (usize, Answer) {
    for passed in 0..1_000 {
        let answer = caller.graphql(VIEWER).await;
        if answer.status != 200 {
            return (passed, answer);
        }
    }
    panic!("no limit");
}

#[tokio::test]
async fn calls_spend_points_and_then_have_to_wait() {
    let server = Server::start().await;
    let ten = Some(Quota { requests: 10, per_seconds: 100 });
    let key = limited(&server, &robot(&server).await, "ci", None, ten).await;
    let caller = server.sign_in(&key).await;
    let first = caller.graphql(VIEWER).await;
    first.data();
    // The query costs two points: a field and a field in it.
    assert_eq!(headers(&first), ["\"call\";q=10;w=100", "\"call\";r=8;t=20", ""]);
    // Another token of the same key shares the limit.
    let (passed, refused) = exhausted(&server.sign_in(&key).await).await;
    assert_eq!(passed, 4);
    assert_eq!((refused.status.as_u16(), &*refused.code()), (429, "RATE_LIMITED"));
    assert_eq!(headers(&refused), ["\"call\";q=10;w=100", "\"call\";r=0;t=100", "20"]);
    let body = refused.json();
    assert_eq!(body.get("data"), None);
    assert_eq!(body["errors"][0]["extensions"]["retryAfter"], 20);
    assert_eq!(body["errors"][0]["extensions"]["requestId"], refused.header("x-request-id"));
    insta::assert_snapshot!(body["errors"][0]["message"].as_str().unwrap(), @"The rate limit of this API key is exceeded: try again in 20 s.");

    // Exchanges have a limit of their own.
    assert_eq!(line(&server.exchange(&key, &[]).await), "200 keys:read");
    server.advance(Duration::from_millis(19_999));
    assert_eq!(caller.graphql(VIEWER).await.status, 429);
    server.advance(Duration::from_millis(1));
    caller.graphql(VIEWER).await.data();
    assert_eq!(caller.graphql(VIEWER).await.status, 429);
    server.stop().await;
}

#[tokio::test]
async fn ten_thousand_points_a_minute_are_the_default_and_other_keys_are_not_concerned() {
    let server = Server::start().await;
    let owner = robot(&server).await;
    let one = limited(&server, &owner, "one", None, None).await;
    let caller = server.sign_in(&one).await;
    let answer = caller.graphql(VIEWER).await;
    assert_eq!(headers(&answer), ["\"call\";q=10000;w=60", "\"call\";r=9998;t=1", ""]);
    let other = server.sign_in(&limited(&server, &owner, "two", None, None).await).await;
    assert_eq!(headers(&other.graphql(VIEWER).await)[1], "\"call\";r=9998;t=1");
    server.stop().await;
}

#[tokio::test]
async fn the_graphql_media_type_makes_no_difference_to_a_reached_limit() {
    let server = Server::start().await;
    let one = Some(Quota { requests: 1, per_seconds: 60 });
    let key = limited(&server, &robot(&server).await, "ci", None, one).await;
    let caller = server.sign_in(&key).await;
    for accept in ["application/json", "application/graphql-response+json"] {
        let request = caller.post("/graphql").header("accept", accept).json(&json!({ "query": VIEWER }));
        let refused = caller.send(request).await;
        assert_eq!((refused.status.as_u16(), &*refused.code()), (429, "RATE_LIMITED"), "{accept}");
    }
    server.stop().await;
}
