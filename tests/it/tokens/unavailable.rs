//! A database that has no time or no room: whoever asks is told to try again, and it goes on by itself.

use std::collections::HashSet;
use std::time::Duration;

use entity::activity::ActivityKind;
use latchkey::timeouts::Timeouts;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::json;

use super::wire::decoded;
use crate::harness::keys::UPDATE;
use crate::harness::{Answer, Grants, Server, hold_log, sqlite_only};

#[track_caller]
fn told_to_try_again(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn whoever_waits_too_long_for_the_log_is_told_to_try_again() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let key = server.key(&boss.account, "ci", Grants::Inherit).await;
    let server = server.restart_with("", Timeouts { log: Duration::ZERO, ..Timeouts::never() }).await;
    let held = hold_log(&server.app.db).await.unwrap();
    told_to_try_again(&server.exchange(&key, &[]).await);
    let before = server.log().await.len();
    drop(held);
    let server = server.restart("").await;
    assert_eq!(server.log().await.len(), before + 1, "the log may know of a token that nobody got");
    assert_eq!(server.exchange(&key, &[]).await.status, 200);
    server.stop().await;
}

mod sqlite_only {
    use super::*;

    #[tokio::test]
    async fn while_another_program_holds_the_database_nothing_is_issued_and_reading_goes_on() {
        sqlite_only();
        let server = Server::start().await;
        let boss = server.person("boss@example.com", &["admin"]).await;
        let key = server.key(&boss.account, "ci", Grants::Inherit).await;
        let settings = "public_url = 'https://keys.example.com'";
        let server = server.restart(settings).await;
        let token = server.sign_in(&boss.key).await.token.unwrap();
        // Whoever has to wait at all waits too long.
        let timeouts = Timeouts { write: Duration::ZERO, ..Timeouts::never() };
        let server = server.restart_with(settings, timeouts).await;
        let boss = server.bearer(&token);
        let file = server.place().path().join("latchkey.db");
        let other = Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
        other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
        let before = server.log().await.len();
        let (answer, change) = tokio::join!(
            server.exchange(&key, &[]),
            boss.graphql_with(UPDATE, json!({ "input": { "id": key.id, "name": "other" } }))
        );
        told_to_try_again(&answer);
        assert_eq!(change.code(), "UNAVAILABLE");
        assert_eq!(boss.graphql("{ viewer { scopes } }").await.status, 200);
        assert_eq!(server.log().await.len(), before);

        other.execute_unprepared("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
        assert_eq!(server.exchange(&key, &[]).await.status, 200);
        server.stop().await;
    }

    /// As on a full disk: the connection of the journal may use so many pages and no more.
    async fn room_for(server: &Server, pages: u32) {
        let limit = format!("PRAGMA max_page_count = {pages}");
        server.app.db.journal(Statement::from_string(DbBackend::Sqlite, limit)).await.unwrap();
    }

    #[tokio::test]
    async fn on_a_full_disk_no_token_is_given_out_that_is_not_in_the_log_and_then_it_goes_on() {
        sqlite_only();
        let server = Server::start().await;
        let robot = server.service_account("robot").await;
        let key = server.generous_key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
        let mut told = HashSet::new();
        for _ in 0..3 {
            room_for(&server, 1).await;
            // As long as there is room in the pages that there are, it goes well.
            let refused = loop {
                let answer = server.exchange(&key, &[]).await;
                if answer.status != 200 {
                    break answer;
                }
                let token = answer.json()["access_token"].as_str().unwrap().to_owned();
                told.insert(decoded(&token).1["jti"].as_str().unwrap().to_owned());
            };
            told_to_try_again(&refused);
            // The connection that failed is not used again, and its limit is gone with it.
            assert_eq!(server.exchange(&key, &[]).await.status, 200);
        }
        let log = server.log().await;
        let issued = log.iter().filter(|row| row.kind == ActivityKind::TokenIssued);
        let issued: HashSet<String> = issued.filter_map(|row| row.token_id.clone()).collect();
        assert!(told.is_subset(&issued) && !told.is_empty());
        server.stop().await;
    }
}
