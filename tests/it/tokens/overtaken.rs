//! The last word on a token: its event is written only if nothing has stopped the key since it was looked up.

use entity::KeyId;
use entity::activity::{ActivityKind, Outcome};
use latchkey::context::Origin;
use latchkey::journal::Written;
use latchkey::store::activity::Event;

use crate::harness::keys::{DISABLE, REGENERATE, selection};
use crate::harness::{Grants, Key, Server};

/// What an exchange writes that looked its key up when this was its generation.
fn issued(server: &Server, key: &Key, generation: i64) -> Event {
    let id: KeyId = key.id.parse().unwrap();
    Event {
        key: Some(id),
        actor: Some(id.into()),
        token_id: Some(format!("late {generation}")),
        only_at_generation: Some(generation),
        ..Origin::default().event(server.app.clock.now(), ActivityKind::TokenIssued, Outcome::Ok)
    }
}

async fn write(server: &Server, key: &Key, generation: i64) -> Written {
    server.app.journal.record(issued(server, key, generation)).await.unwrap()
}

#[tokio::test]
async fn an_event_is_written_only_at_its_generation() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    assert_eq!(write(&server, &key, 0).await, Written::Committed);
    ada.caller.change(REGENERATE, selection([&*key.id])).await;
    assert_eq!(write(&server, &key, 0).await, Written::Overtaken);
    assert_eq!(write(&server, &key, 1).await, Written::Committed);
    ada.caller.change(DISABLE, selection([&*key.id])).await;
    for generation in [0, 1, 2] {
        assert_eq!(write(&server, &key, generation).await, Written::Overtaken);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_owner_who_is_deactivated_stops_what_is_on_its_way() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    server.deactivate(&ada).await;
    for generation in [0, 1] {
        assert_eq!(write(&server, &key, generation).await, Written::Overtaken);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_was_overtaken_in_a_batch_leaves_the_others_alone() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let receipts =
        [0, 7, 0, 8, 0].map(|generation| server.app.journal.submit(issued(&server, &key, generation)));
    let mut written = Vec::new();
    for receipt in receipts {
        written.push(receipt.unwrap().wait().await.unwrap());
    }
    use Written::{Committed, Overtaken};
    assert_eq!(written, [Committed, Overtaken, Committed, Overtaken, Committed]);
    let query = "query ($keys: [ID!]) { activity(filter: { apiKeyIds: $keys, kinds: [TOKEN_ISSUED] }) { nodes { tokenId } } }";
    let log = ada.caller.graphql_with(query, serde_json::json!({ "keys": [key.id] })).await.data();
    let late = log["activity"]["nodes"].as_array().unwrap();
    assert_eq!(late.iter().map(|row| row["tokenId"].as_str().unwrap()).collect::<Vec<_>>(), ["late 0"; 3]);
    server.stop().await;
}
