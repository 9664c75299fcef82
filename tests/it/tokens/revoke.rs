//! `POST /oauth/revoke` (RFC 7009): the end of one token before its time.

use std::sync::Arc;
use std::time::Duration;

use entity::activity::{ActivityKind, Model, Outcome};
use latchkey::actions::revoke::{Credential, Revocation, revoke};
use latchkey::app::App;
use latchkey::app::context::Origin;
use latchkey::clock::Clock;
use latchkey::entropy::SeededEntropy;
use latchkey::serve::jobs::take_turn;

use super::wire::{FORM, JSON, basic, decoded, foreign_secret, line, request_id, send_to};
use crate::harness::keys::{DISABLE, ENABLE, Person, selection};
use crate::harness::{Answer, BEHIND_A_PROXY, Caller, Grants, Key, Server, encoded};

const PATH: &str = "/oauth/revoke";
const NOT_YOURS: &str = "400 invalid_grant: The token was issued to another client.";

async fn started() -> (Server, Person, Key) {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.generous_key(&ada.account, "ci", Grants::Scopes(&["keys:read"])).await;
    (server, ada, key)
}

fn text(caller: &Caller) -> &str {
    caller.token.as_deref().unwrap()
}

/// Asks with the key's secret, by Basic.
async fn revoke_by(server: &Server, key: &Key, token: &str) -> Answer {
    let authorization = basic(&key.client_id, &key.secret);
    send_to(server, PATH, &[FORM, ("authorization", &authorization)], &encoded(&[("token", token)])).await
}

#[track_caller]
fn is_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), &*answer.text), (200, ""));
    assert_eq!((answer.header("cache-control"), answer.challenge()), ("no-store", ""));
}

async fn lives(token: &Caller) -> bool {
    let answer = token.graphql("{ viewer { scopes } }").await;
    assert!(matches!(answer.status.as_u16(), 200 | 401), "{}", answer.text);
    answer.status == 200
}

/// The revocations in the log, oldest first.
async fn logged(server: &Server) -> Vec<Model> {
    server.log().await.into_iter().filter(|row| row.kind == ActivityKind::TokenRevoked).collect()
}

/// Proves: R-22
#[tokio::test]
async fn a_token_is_dead_at_once_and_others_of_the_key_live() {
    let (server, ada, key) = started().await;
    let (one, two) = (server.sign_in(&key).await, server.sign_in(&key).await);
    assert!(lives(&one).await && lives(&two).await);
    let answer = revoke_by(&server, &key, text(&one)).await;
    is_done(&answer);
    assert!(!lives(&one).await && lives(&two).await && lives(&server.sign_in(&key).await).await);
    let rows = logged(&server).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let jti = decoded(text(&one)).1["jti"].as_str().unwrap().to_owned();
    assert_eq!((row.outcome, row.token_id.as_deref()), (Outcome::Ok, Some(&*jti)));
    assert_eq!((row.key_id, row.owner_id), (Some(key.id.parse().unwrap()), Some(ada.account.id)));
    assert_eq!(
        (row.actor_id, row.request_id.as_deref()),
        (row.key_id.map(|key| key.0), Some(request_id(&answer)))
    );
    // Again: nothing is left to do, and nothing is written.
    is_done(&revoke_by(&server, &key, text(&one)).await);
    assert_eq!(logged(&server).await.len(), 1);
    let seen =
        ada.caller.graphql("{ activity(filter: { kinds: [TOKEN_REVOKED] }) { nodes { family tokenId } } }");
    let seen = seen.await.data()["activity"]["nodes"].take();
    assert_eq!(seen, serde_json::json!([{ "family": "TOKEN", "tokenId": jti }]));
    server.stop().await;
}

#[tokio::test]
async fn every_way_to_authenticate_will_do() {
    let (server, ada, key) = started().await;
    let reader =
        server.key_with(&ada.account, "reads", Grants::Scopes(&["keys:read"]), |new| new.read_only = true);
    let reader = reader.await;
    for key in [&key, &reader] {
        let by_basic = basic(&key.client_id, &key.secret);
        for way in ["basic", "form", "json", "another token", "itself"] {
            let (token, other) = (server.sign_in(key).await, server.sign_in(key).await);
            let bearer = |caller: &Caller| format!("Bearer {}", text(caller));
            let mut form = vec![("token", text(&token)), ("token_type_hint", "nonsense"), ("unknown", "x")];
            let authorization = match way {
                "basic" => Some(by_basic.clone()),
                "another token" => Some(bearer(&other)),
                "itself" => Some(bearer(&token)),
                _ => {
                    form.extend([("client_id", &*key.client_id), ("client_secret", &*key.secret)]);
                    None
                }
            };
            let object: serde_json::Map<_, _> =
                form.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            let json = way == "json";
            let body = if json { serde_json::Value::from(object).to_string() } else { encoded(&form) };
            let mut headers = vec![if json { JSON } else { FORM }];
            headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
            is_done(&send_to(&server, PATH, &headers, &body).await);
            assert!(!lives(&token).await && lives(&other).await, "{way}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_live_token_is_as_good_as_revoked() {
    let (server, ada, key) = started().await;
    let ended = server.sign_in(&key).await;
    server.advance(Duration::from_secs(600));
    let (killed, live) = (server.sign_in(&key).await, server.sign_in(&key).await);
    let ada = server.sign_in(&ada.key).await;
    ada.done(DISABLE, selection([&*key.id])).await;
    ada.done(ENABLE, selection([&*key.id])).await;
    let cut = &text(&live)[..text(&live).len() - 2];
    for token in ["x", "a.b.c", cut, text(&ended), text(&killed)] {
        is_done(&revoke_by(&server, &key, token).await);
    }
    assert!(logged(&server).await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_token_of_another_client_is_left_alone() {
    let (server, ada, key) = started().await;
    let token = server.sign_in(&key).await;
    // The same owner is not the same client, by secret or by token.
    assert_eq!(line(&revoke_by(&server, &ada.key, text(&token)).await), NOT_YOURS);
    let bearer = format!("Bearer {}", text(&ada.caller));
    let body = encoded(&[("token", text(&token))]);
    let answer = send_to(&server, PATH, &[FORM, ("authorization", &bearer)], &body).await;
    assert_eq!(line(&answer), NOT_YOURS);
    assert!(lives(&token).await && logged(&server).await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_or_authenticated_is_refused_as_at_the_token_endpoint() {
    let (server, _, key) = started().await;
    let token = server.sign_in(&key).await;
    let (right, wrong) = (basic(&key.client_id, &key.secret), basic(&key.client_id, &foreign_secret()));
    let (form, bearer) = (encoded(&[("token", text(&token))]), format!("Bearer {}", text(&token)));
    let twice = format!("{form}&{form}");
    let both = format!("{form}&client_id={}&client_secret={}", key.client_id, key.secret);
    let large = format!("token={}", "x".repeat(64 * 1024));
    let challenged = |text: &str| format!("{text} [challenged]");
    let cases = [
        (Some(&right), "", "400 invalid_request: The parameter token is missing.".to_owned()),
        (Some(&right), "token=", "400 invalid_request: The parameter token is missing.".to_owned()),
        (Some(&right), &twice, "400 invalid_request: A parameter is repeated.".to_owned()),
        (Some(&right), &large, "413 invalid_request: Send at most 64 KiB.".to_owned()),
        (
            Some(&bearer),
            &both,
            "400 invalid_request: Authenticate with the Authorization header or in the body, not both."
                .to_owned(),
        ),
        (
            None,
            &form,
            challenged(
                "401 invalid_client: Authenticate with HTTP Basic, or with client_id and client_secret in the body.",
            ),
        ),
        (Some(&wrong), &form, challenged("401 invalid_client: Unknown client, or wrong client secret.")),
    ];
    for (authorization, body, expected) in cases {
        let mut headers = vec![FORM];
        headers.extend(authorization.map(|value| ("authorization", &**value)));
        assert_eq!(line(&send_to(&server, PATH, &headers, body).await), expected);
    }
    let plain = send_to(&server, PATH, &[("authorization", &*right)], &form).await;
    assert_eq!(line(&plain), "400 invalid_request: Send Content-Type: application/x-www-form-urlencoded.");
    let answer = send_to(&server, PATH, &[FORM, ("authorization", "Bearer x")], &form).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &"invalid_token".into()));
    assert!(answer.challenge().starts_with("Bearer error=\"invalid_token\""), "{}", answer.challenge());
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_is_stopped_is_told_why_and_every_refusal_is_logged() {
    let (server, ada, key) = started().await;
    let token = server.sign_in(&key).await;
    let wrong = Key { secret: foreign_secret(), ..key.clone() };
    assert_eq!(revoke_by(&server, &wrong, text(&token)).await.status, 401);
    ada.caller.done(DISABLE, selection([&*key.id])).await;
    let stopped = line(&revoke_by(&server, &key, text(&token)).await);
    assert_eq!(stopped, "401 invalid_client: This API key is disabled. [challenged]");
    let refused: Vec<_> =
        server.log().await.into_iter().filter(|row| row.kind == ActivityKind::TokenRefused).collect();
    let outcomes: Vec<_> = refused.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::BadSecret, Outcome::Disabled]);
    assert!(logged(&server).await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn wrong_secrets_meet_the_limit_of_the_token_endpoint() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let wrong = basic(&ada.key.client_id, &foreign_secret());
    let headers = [FORM, ("authorization", &*wrong), ("x-forwarded-for", "203.0.113.7")];
    for _ in 0..60 {
        assert_eq!(send_to(&server, PATH, &headers, "token=x").await.status, 401);
    }
    for path in [PATH, "/oauth/introspect"] {
        let answer = send_to(&server, path, &headers, "token=x").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (429, &"rate_limited".into()));
        assert_eq!(answer.header("retry-after"), "60");
    }
    assert_eq!(server.exchange_from("203.0.113.7", &ada.key).await.status, 200);
    server.stop().await;
}

/// Another server on the same database, without its chores.
async fn second(server: &Server) -> Arc<App> {
    let config = server.place().config("");
    let clock: Clock = server.clock.clone();
    let entropy = SeededEntropy::shared(7);
    App::open(&config, server.app.issuer.clone(), clock, entropy).await.unwrap().0
}

#[tokio::test]
async fn another_server_on_the_same_database_hears_of_it() {
    let (server, _, key) = started().await;
    let token = server.sign_in(&key).await;
    assert!(lives(&token).await);
    let other = second(&server).await;
    let credential = Credential::Token(text(&token));
    let done = revoke(&other, Origin::default(), &credential, text(&token)).await.unwrap();
    assert_eq!(done, Revocation::Done);
    server.app.registry.poll_changes().await.unwrap();
    assert!(!lives(&token).await);
    // Who has not heard writes nothing twice.
    is_done(&revoke_by(&server, &key, text(&token)).await);
    assert_eq!(logged(&server).await.len(), 1);
    other.db.close().await;
    server.stop().await;
}

#[tokio::test]
async fn two_who_revoke_at_the_same_time_write_one_line() {
    let (server, _, key) = started().await;
    let token = server.sign_in(&key).await;
    let ask = || revoke_by(&server, &key, text(&token));
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    let answers = [answers.0, answers.1, answers.2, answers.3];
    answers.iter().for_each(is_done);
    assert_eq!(logged(&server).await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_revocation_is_kept_until_its_token_would_have_ended() {
    let (server, _, key) = started().await;
    let token = server.sign_in(&key).await;
    is_done(&revoke_by(&server, &key, text(&token)).await);
    let server = server.restart("").await;
    assert!(!lives(&server.bearer(text(&token))).await);
    let kept = async || {
        let (db, keys) = (server.app.db.reader(), [key.id.parse().unwrap()]);
        let kept = latchkey::store::revocations::of_keys(db, &keys, entity::Timestamp(0));
        kept.await.unwrap().len()
    };
    for (seconds, turn, left) in [(0, 600, 1), (600 + 3_600, 600, 1), (1, 599, 1), (0, 600, 0)] {
        server.advance(Duration::from_secs(seconds));
        take_turn(&server.app, turn, false).await;
        assert_eq!(kept().await, left, "{seconds} {turn}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_its_database_nothing_is_revoked() {
    let (server, _, key) = started().await;
    let token = server.sign_in(&key).await;
    server.app.db.close().await;
    let answer = revoke_by(&server, &key, text(&token)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (503, &"temporarily_unavailable".into()));
    assert_eq!(answer.header("retry-after"), "1");
    server.stop().await;
}
