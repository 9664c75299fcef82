//! Refused exchanges that are many: five of a minute are rows of the log, the rest is one row with their number.

use std::time::Duration;

use entity::activity::{ActivityKind, Model, Outcome};
use latchkey::serve::jobs::take_turn;
use serde_json::json;

use super::wire::{FORM, GRANT, basic, foreign_secret, line, send};
use crate::harness::keys::detail;
use crate::harness::{Grants, Key, Server};

const UNKNOWN: &str = "0123456789ABCDEF0123456789ABCDEF";

async fn refused(server: &Server) -> Vec<Model> {
    let refused = |row: &Model| row.kind == ActivityKind::TokenRefused;
    server.log().await.into_iter().filter(refused).collect()
}

/// How many refusals with this outcome are in the log, row by row.
async fn counts(server: &Server, outcome: Outcome) -> Vec<i64> {
    let rows = refused(server).await.into_iter();
    rows.filter(|row| row.outcome == outcome).map(|row| row.count).collect()
}

async fn robot_with_key(server: &Server) -> Key {
    let robot = server.service_account("robot").await;
    server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await
}

#[tokio::test]
async fn of_many_wrong_secrets_in_a_minute_five_are_rows_and_the_rest_is_one_when_it_has_ended() {
    let server = Server::start().await;
    let key = robot_with_key(&server).await;
    let wrong = Key { secret: foreign_secret(), ..key.clone() };
    for _ in 0..60 {
        assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    }
    for _ in 0..8 {
        assert_eq!(server.exchange(&wrong, &[]).await.status, 429);
    }
    assert_eq!(counts(&server, Outcome::BadSecret).await, [1; 5]);
    assert_eq!(counts(&server, Outcome::RateLimited).await, [1; 5]);

    // The minute has not ended yet.
    server.advance(Duration::from_millis(59_999));
    take_turn(&server.app, 1, false).await;
    assert_eq!(refused(&server).await.len(), 10);
    let last = server.app.clock.now();
    assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    server.advance(Duration::from_millis(1));
    take_turn(&server.app, 2, false).await;
    assert_eq!(counts(&server, Outcome::BadSecret).await, [1, 1, 1, 1, 1, 56]);
    assert_eq!(counts(&server, Outcome::RateLimited).await, [1, 1, 1, 1, 1, 3]);
    let rows = refused(&server).await;
    let row = rows.iter().find(|row| row.count == 56).unwrap();
    assert_eq!((row.at, row.ip.as_deref()), (last, Some("127.0.0.1")));
    assert_eq!((row.key_id, row.actor_id), (Some(key.id.parse().unwrap()), None));
    assert_eq!((row.request_id.as_deref(), row.token_id.as_deref()), (None, None));
    assert_eq!(detail(row), json!({ "since": "2026-11-21T09:00:00.000Z", "network": "127.0.0.1" }));

    // And so it goes on in the next.
    assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    assert_eq!(counts(&server, Outcome::BadSecret).await, [1, 1, 1, 1, 1, 56, 1]);
    server.stop().await;
}

#[tokio::test]
async fn what_was_counted_is_written_when_the_server_stops() {
    let server = Server::start().await;
    let key = robot_with_key(&server).await;
    let wrong = Key { secret: foreign_secret(), ..key };
    for _ in 0..9 {
        assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    }
    let server = server.restart("").await;
    assert_eq!(counts(&server, Outcome::BadSecret).await, [1, 1, 1, 1, 1, 4]);
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_of_a_client_that_has_proven_its_secret_is_counted_too() {
    let server = Server::start().await;
    let key = robot_with_key(&server).await;
    for _ in 0..7 {
        let refused = server.exchange(&key, &[("scope", "keys:write")]).await;
        assert!(line(&refused).starts_with("400 invalid_scope"));
    }
    let server = server.restart("").await;
    assert_eq!(counts(&server, Outcome::InvalidScope).await, [1, 1, 1, 1, 1, 2]);
    let row = refused(&server).await.pop().unwrap();
    assert_eq!((row.key_id, row.actor_id), (Some(key.id.parse().unwrap()), row.key_id.map(|id| id.0)));
    server.stop().await;
}

#[tokio::test]
async fn each_network_and_outcome_is_counted_by_itself_and_a_minute_has_a_thousand_rows() {
    let server = Server::start_with("trusted_proxies = ['127.0.0.0/8']").await;
    let key = robot_with_key(&server).await;
    let [bad, unknown] = [&*key.client_id, UNKNOWN].map(|id| basic(id, &foreign_secret()));
    let mut sent = 0;
    for network in 0..120 {
        let from = format!("10.0.{network}.1");
        for n in 0..7 {
            for authorization in [&bad, &unknown] {
                let headers = [FORM, ("authorization", authorization), ("x-forwarded-for", &from)];
                let answer = send(&server, &headers, GRANT).await;
                assert_eq!(answer.status, 401, "{network} {n}");
                sent += 1;
            }
        }
    }
    let server = server.restart("trusted_proxies = ['127.0.0.0/8']").await;
    let rows = refused(&server).await;
    assert!((900..=1_000).contains(&rows.len()), "{}", rows.len());
    assert_eq!(rows.iter().map(|row| row.count).sum::<i64>(), sent);
    let first = |outcome| {
        let of = |row: &&Model| row.outcome == outcome && row.ip.as_deref() == Some("10.0.0.1");
        rows.iter().filter(of).map(|row| row.count).collect::<Vec<_>>()
    };
    assert_eq!(first(Outcome::BadSecret), [1, 1, 1, 1, 1, 2]);
    assert_eq!(first(Outcome::UnknownClient), [1, 1, 1, 1, 1, 2]);
    server.stop().await;
}

#[tokio::test]
async fn the_log_says_how_many_a_row_stands_for() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let wrong = Key { secret: foreign_secret(), ..boss.key.clone() };
    for _ in 0..8 {
        assert_eq!(server.exchange(&wrong, &[]).await.status, 401);
    }
    server.advance(Duration::from_secs(60));
    take_turn(&server.app, 1, false).await;
    let query =
        "{ activity(filter: { outcomes: [BAD_SECRET] }, first: 1) { nodes { count detail apiKey { id } } } }";
    let rows = boss.caller.graphql(query).await.data();
    let detail = json!({ "since": "2026-11-21T09:00:00.000Z", "network": "127.0.0.1" });
    let row = json!({ "count": 3, "detail": detail, "apiKey": { "id": boss.key.id } });
    assert_eq!(rows["activity"]["nodes"], json!([row]));
    server.stop().await;
}
