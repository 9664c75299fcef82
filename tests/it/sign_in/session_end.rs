//! How sign-ins end: by time, by their owner, and by what others do to the owner.

use std::time::Duration;

use entity::activity::{ActivityKind, Outcome};
use reqwest::header::SET_COOKIE;
use serde_json::json;

use super::{Browser, MILLISECOND, MINUTE, OTHER, PASSWORD};
use crate::harness::changes::{DEACTIVATE_USER, REACTIVATE_USER, UPDATE_USER};
use crate::harness::{Answer, Grants, Server};

const ADA: &str = "ada@example.com";
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);
const EVERYWHERE: &str = "mutation { change: signOutEverywhere { ended userErrors { code field } } }";

async fn everywhere(browser: &Browser) -> i64 {
    let payload = browser.graphql(EVERYWHERE).await.data()["change"].take();
    assert_eq!(payload["userErrors"], json!([]));
    payload["ended"].as_i64().unwrap()
}

#[tokio::test]
async fn half_an_hour_without_use_ends_a_sign_in() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    for _ in 0..3 {
        server.advance(HALF_AN_HOUR - MILLISECOND);
        assert!(browser.is_in().await);
    }
    server.advance(HALF_AN_HOUR);
    assert!(!browser.is_in().await);
    let fresh = server.browser(ADA).await;
    let answer = fresh.graphql("{ viewer { signIns { current } } }").await.data();
    assert_eq!(answer["viewer"]["signIns"], json!([{ "current": true }]));
    server.stop().await;
}

#[tokio::test]
async fn twelve_hours_end_a_sign_in_whatever_its_use() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    for _ in 0..35 {
        server.advance(20 * MINUTE);
        assert!(browser.is_in().await);
    }
    server.advance(20 * MINUTE - MILLISECOND);
    let answer = browser.graphql("{ viewer { signIns { endsAt } } }").await.data();
    assert_eq!(answer["viewer"]["signIns"][0]["endsAt"], "2026-11-21T21:00:00.000Z");
    server.advance(MILLISECOND);
    assert!(!browser.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn last_use_is_kept_to_the_minute() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    let begun = server.app.clock.now();
    server.advance(MINUTE - MILLISECOND);
    assert!(browser.is_in().await);
    assert_eq!(server.sessions().await[0].last_seen_at, begun);
    server.advance(MILLISECOND);
    assert!(browser.is_in().await);
    assert_eq!(server.sessions().await[0].last_seen_at, begun.plus_seconds(60));
    let query = "{ viewer { signIns { lastSeenAt endsAt } } }";
    let answer = browser.graphql(query).await.data();
    assert_eq!(
        answer["viewer"]["signIns"],
        json!([{ "lastSeenAt": "2026-11-21T09:01:00.000Z", "endsAt": "2026-11-21T09:31:00.000Z" }])
    );
    // A request that is refused for its credentials is no use.
    server.advance(29 * MINUTE);
    assert!(!Browser { cookie: "latchkey=x".to_owned(), ..browser.clone() }.is_in().await);
    server.advance(MINUTE);
    assert!(!browser.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn signing_out_ends_one_sign_in_and_can_be_done_twice() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let (one, other) = (server.browser(ADA).await, server.browser(ADA).await);
    assert_ne!(one.token(), other.token());
    for cookie in [&*one.cookie, &one.cookie, "latchkey=x", ""] {
        let answer = server.leave(cookie).await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (204, ""));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            answer.header(SET_COOKIE.as_str()),
            "latchkey=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
    assert!(!one.is_in().await && other.is_in().await);
    let signed_out = (ActivityKind::SignedOut, Outcome::Ok);
    let ends = server.sign_in_outcomes().await.into_iter().filter(|row| *row == signed_out);
    assert_eq!(ends.count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_of_ones_own_and_nobody_elses() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    server.member("eve@example.com", &["admin"]).await;
    let all = [server.browser(ADA).await, server.browser(ADA).await, server.browser(ADA).await];
    let eve = server.browser("eve@example.com").await;
    assert_eq!(everywhere(&all[1]).await, 3);
    for browser in &all {
        assert!(!browser.is_in().await);
    }
    assert!(eve.is_in().await);
    let rows = server.sign_in_log().await;
    let rows: Vec<_> = rows.iter().filter(|row| row.kind == ActivityKind::SignedOut).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!([rows[0].actor_id, rows[0].target_id, rows[0].owner_id.map(|id| id.0)], [Some(ada.id.0); 3]);
    server.stop().await;
}

/// Whoever finds a key of somebody cannot put them out with it. The password itself can, where it is accepted.
#[tokio::test]
async fn a_key_does_not_end_the_sign_ins_of_its_owner() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["admin"]).await;
    let own = server.generous_key(&ada, "own", Grants::Inherit).await;
    let bot = server.service_account("bot").await;
    let bots = server.generous_key(&bot, "bots", Grants::Roles(&["admin"])).await;
    let browser = server.browser(ADA).await;
    let before = server.whole_state().await;
    for key in [&own, &bots] {
        let payload = server.sign_in(key).await.graphql(EVERYWHERE).await.data()["change"].take();
        assert_eq!(payload, json!({ "ended": 0, "userErrors": [{ "code": "INVALID", "field": null }] }));
    }
    assert!(server.whole_state().await == before, "something was changed");
    assert!(browser.is_in().await);

    let allow = "mutation { updateSettings(input: { passwordApiAccess: true }) { userErrors { code } } }";
    browser.graphql(allow).await.data();
    let request = server.guest().post("/graphql").basic_auth(ADA, Some(PASSWORD));
    let answer = Answer::of(request.json(&json!({ "query": EVERYWHERE }))).await;
    assert_eq!(answer.data()["change"], json!({ "ended": 1, "userErrors": [] }));
    assert!(!browser.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn a_user_who_is_stopped_is_signed_out_for_good() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let browser = server.browser(ADA).await;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": ada.public_id })).await;
    assert!(!browser.is_in().await);
    assert_eq!(server.enter(ADA, PASSWORD).await.status.as_u16(), 401);
    boss.caller.done(REACTIVATE_USER, json!({ "id": ada.public_id })).await;
    assert!(!browser.is_in().await, "the sign-in came back");
    assert!(server.browser(ADA).await.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn a_password_that_an_administrator_sets_signs_its_owner_out() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    server.member("eve@example.com", &["member"]).await;
    server.member("boss@example.com", &["admin"]).await;
    let (browser, eve) = (server.browser(ADA).await, server.browser("eve@example.com").await);
    let boss = server.browser("boss@example.com").await;
    let input = json!({ "id": ada.public_id, "displayName": "Ada" });
    assert_eq!(boss.change(UPDATE_USER, input).await["userErrors"], json!([]));
    assert!(browser.is_in().await, "another name ends no sign-in");
    let input = json!({ "id": ada.public_id, "password": OTHER });
    assert_eq!(boss.change(UPDATE_USER, input).await["userErrors"], json!([]));
    assert!(!browser.is_in().await && eve.is_in().await && boss.is_in().await);
    assert_eq!(server.enter(ADA, PASSWORD).await.status.as_u16(), 401);
    assert!(server.browser_of(&server.enter(ADA, OTHER).await).is_in().await);
    let row = server.sign_in_log().await.into_iter().find(|row| row.kind == ActivityKind::PasswordChanged);
    assert_eq!(row.unwrap().target_id, Some(ada.id.0));
    let all = format!("{:?}", server.log().await);
    super::assert_unsaid(&all, &[OTHER, PASSWORD, "argon2"]);
    server.stop().await;
}
