//! Guessing passwords: ten attempts a minute for an account from one network, sixty from one network in all, and nobody
//! is ever locked out for good.

use entity::activity::{ActivityKind, Outcome};
use reqwest::header::{RETRY_AFTER, SET_COOKIE};
use serde_json::json;

use super::{BEHIND_A_PROXY, MILLISECOND, MINUTE, OTHER, PASSWORD, WRONG, code};
use crate::harness::changes::UPDATE_USER;
use crate::harness::{Answer, Server};

const ADA: &str = "ada@example.com";
const HERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "203.0.113.8";

#[track_caller]
fn assert_too_many(answer: &Answer) {
    assert_eq!(code(answer), (429, "RATE_LIMITED".to_owned()));
    assert_eq!((answer.header(RETRY_AFTER.as_str()), answer.header(SET_COOKIE.as_str())), ("60", ""));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn ten_attempts_a_minute_for_an_account_from_one_network() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    server.member(ADA, &["member"]).await;
    server.member("eve@example.com", &["member"]).await;
    for spelling in 0..10 {
        // However it is spelled, it is one account.
        let email = [ADA, " Ada@example.com", "ADA@EXAMPLE.COM "][spelling % 3];
        assert_eq!(server.enter_from(HERE, email, WRONG).await.status.as_u16(), 401);
    }
    let logged = server.sign_in_log().await.len();
    assert_eq!(logged, 10);
    for password in [WRONG, PASSWORD, PASSWORD] {
        assert_too_many(&server.enter_from(HERE, ADA, password).await);
    }
    // Whoever is refused so has not been looked at.
    assert_eq!(server.sign_in_log().await.len(), logged);
    assert_eq!(server.sessions().await, []);
    server.browser_of(&server.enter_from(ELSEWHERE, ADA, PASSWORD).await);
    server.browser_of(&server.enter_from(HERE, "eve@example.com", PASSWORD).await);
    // One more each six seconds.
    server.advance(6 * std::time::Duration::from_secs(1) - MILLISECOND);
    assert_too_many(&server.enter_from(HERE, ADA, PASSWORD).await);
    server.advance(MILLISECOND);
    server.browser_of(&server.enter_from(HERE, ADA, PASSWORD).await);
    assert_too_many(&server.enter_from(HERE, ADA, PASSWORD).await);
    server.stop().await;
}

#[tokio::test]
async fn whoever_waits_the_minute_they_were_told_gets_in() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    for _ in 0..20 {
        server.enter(ADA, WRONG).await;
    }
    // Attempts that were refused do not make the wait longer.
    let mut refused = 0;
    while refused < 100 {
        assert_too_many(&server.enter(ADA, PASSWORD).await);
        refused += 1;
    }
    server.advance(MINUTE);
    for _ in 0..10 {
        server.browser_of(&server.enter(ADA, PASSWORD).await);
    }
    assert_too_many(&server.enter(ADA, PASSWORD).await);
    server.stop().await;
}

#[tokio::test]
async fn sixty_attempts_a_minute_from_one_network_in_all() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    server.member(ADA, &["member"]).await;
    // The addresses of one /64 are one network.
    for n in 0..60 {
        let answer =
            server.enter_from(&format!("2001:db8::{n:x}"), &format!("u{n}@example.com"), WRONG).await;
        assert_eq!(answer.status.as_u16(), 401, "{n}");
    }
    assert_too_many(&server.enter_from("2001:db8::ffff", ADA, PASSWORD).await);
    server.browser_of(&server.enter_from("2001:db8:0:1::1", ADA, PASSWORD).await);
    let refused = (ActivityKind::SignInRefused, Outcome::UnknownClient);
    let mut expected = vec![refused; 60];
    expected.push((ActivityKind::SignedIn, Outcome::Ok));
    assert_eq!(server.sign_in_outcomes().await, expected);
    server.advance(MINUTE);
    server.browser_of(&server.enter_from("2001:db8::1", ADA, PASSWORD).await);
    server.stop().await;
}

/// An office behind one address: a machine with an outdated secret, people who sign in, a script that still sends a
/// password where none is accepted. None of them stops another.
#[tokio::test]
async fn wrong_client_secrets_and_passwords_of_one_network_do_not_share() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let exchange = async || {
        let grant = json!({ "grant_type": "client_credentials" });
        let request = server.guest().post("/oauth/token").json(&grant);
        let status =
            Answer::of(request.basic_auth("0123456789ABCDEF0123456789ABCDEF", Some(WRONG))).await.status;
        status.as_u16()
    };
    let unwanted = async || {
        let request = server.guest().post("/graphql").json(&json!({ "query": "{ viewer { scopes } }" }));
        Answer::of(request.basic_auth(ADA, Some(PASSWORD))).await.status.as_u16()
    };
    let entered = async |n: u32| server.enter(&format!("u{n}@example.com"), WRONG).await.status.as_u16();

    for n in 0..60 {
        assert_eq!((exchange().await, unwanted().await), (401, 401), "{n}");
    }
    assert_eq!((exchange().await, unwanted().await), (429, 401));
    server.browser_of(&server.enter(ADA, PASSWORD).await);
    server.advance(MINUTE);
    for n in 0..60 {
        assert_eq!(entered(n).await, 401, "{n}");
    }
    assert_too_many(&server.enter(ADA, PASSWORD).await);
    assert_eq!(exchange().await, 401);
    server.stop().await;
}

#[tokio::test]
async fn an_address_that_nobody_vouches_for_is_not_believed() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    for n in 0..10 {
        let answer = server.enter_from(&format!("203.0.113.{n}"), ADA, WRONG).await;
        assert_eq!(answer.status.as_u16(), 401, "{n}");
    }
    assert_too_many(&server.enter_from("198.51.100.1", ADA, PASSWORD).await);
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_lasts_meets_no_limit_of_attempts() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let browser = server.browser(ADA).await;
    for _ in 0..12 {
        server.enter(ADA, WRONG).await;
    }
    assert_too_many(&server.enter(ADA, PASSWORD).await);
    assert!(browser.is_in().await);
    // A new password is no new attempt.
    boss.caller.done(UPDATE_USER, json!({ "id": ada.public_id, "password": OTHER })).await;
    assert_too_many(&server.enter(ADA, OTHER).await);
    server.stop().await;
}
