//! How long the activity log lasts.

use std::time::Duration;

use entity::Timestamp;
use entity::activity::{ActivityKind, Outcome};
use latchkey::app::context::Origin;
use latchkey::app::retention::AT_ONCE;
use latchkey::entropy::{SeededEntropy, Sequence};
use latchkey::serve::jobs::take_turn;
use latchkey::store::log::append;
use serde_json::json;

use crate::harness::keys::Person;
use crate::harness::{Grants, Server};

const DAY: Duration = Duration::from_secs(86_400);
const MILLISECOND: Duration = Duration::from_millis(1);
/// The turn of the chores at which old events are removed for the first time; the next is an hour later.
const FIRST: u32 = 600;

async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    (server, boss)
}

/// The instants of all events, oldest first.
async fn instants(server: &Server) -> Vec<Timestamp> {
    server.log().await.into_iter().map(|row| row.at).collect()
}

async fn keep(boss: &Person, days: i32) {
    let mutation = "mutation ($input: UpdateSettingsInput!) { change: updateSettings(input: $input) {
        userErrors { code } } }";
    let payload = boss.caller.change(mutation, json!({ "activityRetentionDays": days })).await;
    assert_eq!(payload["userErrors"], json!([]));
}

/// Writes so many events of this instant.
async fn happen(server: &Server, count: u64, at: Timestamp) {
    let event = Origin::default().event(at, ActivityKind::TokenRefused, Outcome::BadSecret);
    let events = vec![event; usize::try_from(count).unwrap()];
    let tx = server.app.db.begin().await.unwrap();
    // The server's own ids only go up, and these events are late.
    let ids = Sequence::new(SeededEntropy::shared(at.0.unsigned_abs()));
    append(&*tx, &ids, &events).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn events_are_removed_when_they_are_older_than_the_settings_say() {
    let (server, boss) = started().await;
    let key = server.key(&boss.account, "ci", Grants::Inherit).await;
    let begun = server.app.clock.now();
    server.advance(DAY);
    server.exchange(&key, &[]).await;
    let all = instants(&server).await;
    let (old, young) = (all.iter().filter(|at| **at == begun).count(), begun.plus_seconds(86_400));
    assert!(old > 0 && all[old..] == [young], "{all:?}");

    server.advance(89 * DAY);
    assert!(!take_turn(&server.app, FIRST, false).await);
    assert_eq!(instants(&server).await, all, "ninety days have not passed");
    server.advance(MILLISECOND);
    for turn in [1, FIRST - 1, FIRST + 1, 3600] {
        assert!(!take_turn(&server.app, turn, false).await);
    }
    assert_eq!(instants(&server).await, all, "it was not the turn");
    assert!(!take_turn(&server.app, FIRST + 3600, false).await);
    assert_eq!(instants(&server).await, [young]);

    // The setting acts on the next occasion; keys and their last use do not hang on the log.
    let boss = Person { caller: server.sign_in(&boss.key).await, ..boss };
    keep(&boss, 1).await;
    let today = server.app.clock.now();
    take_turn(&server.app, FIRST, false).await;
    assert!(instants(&server).await.iter().all(|at| *at == today));
    let query = "query ($id: ID!) { node(id: $id) { ... on ApiKey { name lastUsed { at } } } }";
    let known = boss.caller.graphql_with(query, json!({ "id": key.id })).await.data();
    assert_eq!(known["node"]["name"], "ci");
    assert!(known["node"]["lastUsed"]["at"].is_string(), "{known}");
    server.stop().await;
}

#[tokio::test]
async fn of_many_the_oldest_go_first_some_each_turn() {
    let (server, _boss) = started().await;
    let now = server.app.clock.now();
    let days_ago = |days: i64| now.plus_seconds(-days * 86_400);
    let kept = instants(&server).await;
    happen(&server, AT_ONCE, days_ago(100)).await;
    happen(&server, AT_ONCE, days_ago(95)).await;
    happen(&server, 1, days_ago(91)).await;
    happen(&server, 1, days_ago(89)).await;
    let old =
        async || instants(&server).await.into_iter().filter(|at| *at < days_ago(90)).collect::<Vec<_>>();

    assert!(take_turn(&server.app, FIRST, false).await, "there are more");
    let left = old().await;
    assert_eq!(left.len() as u64, AT_ONCE + 1);
    assert!(left.iter().all(|at| *at >= days_ago(95)));
    assert!(take_turn(&server.app, FIRST + 1, true).await);
    assert_eq!(old().await, [days_ago(91)]);
    assert!(!take_turn(&server.app, FIRST + 2, true).await, "that was the last");
    assert_eq!(old().await, []);
    assert_eq!(instants(&server).await.len(), kept.len() + 1);
    server.stop().await;
}

/// A page that was read before goes on where it ended, though its last event is gone.
#[tokio::test]
async fn a_list_goes_on_behind_an_event_that_was_removed() {
    let (server, boss) = started().await;
    let old = server.app.clock.now();
    happen(&server, 3, old.plus_seconds(60)).await;
    let query = "query ($before: String) { activity(last: 2, before: $before) {
        nodes { id } pageInfo { startCursor hasPreviousPage } } }";
    server.advance(90 * DAY + Duration::from_secs(1));
    let boss = Person { caller: server.sign_in(&boss.key).await, ..boss };
    let oldest = boss.caller.graphql_with(query, json!({})).await.data()["activity"].take();
    take_turn(&server.app, FIRST, false).await;
    let gone = boss
        .caller
        .graphql_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": oldest["nodes"][0]["id"] }));
    assert_eq!(gone.await.data()["node"], json!(null));
    let cursor = &oldest["pageInfo"]["startCursor"];
    let next = boss.caller.graphql_with(query, json!({ "before": cursor })).await.data()["activity"].take();
    assert_eq!(next["nodes"].as_array().unwrap().len(), 2, "{next}");
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_fails_is_tried_again_later() {
    let (server, _boss) = started().await;
    happen(&server, 1, Timestamp(0)).await;
    server.run_sql("ALTER TABLE activity RENAME TO elsewhere").await;
    assert!(!take_turn(&server.app, FIRST, false).await);
    server.run_sql("ALTER TABLE elsewhere RENAME TO activity").await;
    assert_eq!(instants(&server).await[0], Timestamp(0));
    take_turn(&server.app, FIRST + 3600, false).await;
    assert_ne!(instants(&server).await[0], Timestamp(0));
    server.stop().await;
}
