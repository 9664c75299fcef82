//! The last word on a token: its event is written only if nothing has stopped the key since it was looked up.

use entity::KeyId;
use entity::activity::{ActivityKind, Outcome};
use latchkey::app::context::Origin;
use latchkey::app::journal::Written;
use latchkey::store::activity::{Basis, Event};
use serde_json::json;

use crate::harness::changes::{CREATE_ROLE, CREATE_USER, UPDATE_USER};
use crate::harness::keys::{DISABLE, FINISH, REGENERATE, UPDATE, selection};
use crate::harness::{Grants, Key, Server};

const UPDATE_SETTINGS: &str =
    "mutation ($input: UpdateSettingsInput!) { change: updateSettings(input: $input) {
    settings { version } userErrors { code field message targetId } } }";

/// What the key rests on now; whatever has changed before is not taken into account.
async fn basis(server: &Server, key: &Key) -> Basis {
    server.app.registry.client(key.client_id.parse().unwrap()).await.unwrap().unwrap().basis(None)
}

/// What an exchange writes that looked its key up when this was so.
fn issued(server: &Server, key: &Key, basis: Basis) -> Event {
    let id: KeyId = key.id.parse().unwrap();
    Event {
        key: Some(id),
        actor: Some(id.into()),
        token_id: Some(format!("late {}", basis.version)),
        only_on: Some(basis),
        ..Origin::default().event(server.app.clock.now(), ActivityKind::TokenIssued, Outcome::Ok)
    }
}

async fn write(server: &Server, key: &Key, basis: Basis) -> Written {
    server.app.journal.record(issued(server, key, basis)).await.unwrap()
}

#[tokio::test]
async fn an_event_is_written_only_while_what_it_rests_on_is_so() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let admin = server.role("admin").await;
    let mut basis_before = basis(&server, &key).await;
    let changes = [
        (REGENERATE, selection([&*key.id])),
        (FINISH, selection([&*key.id])),
        (UPDATE, json!({ "id": key.id, "scopes": ["keys:read"] })),
        (CREATE_ROLE, json!({ "name": "new", "scopes": ["keys:read"] })),
        (UPDATE_USER, json!({ "id": ada.account.public_id, "roleIds": [admin] })),
        (UPDATE_SETTINGS, json!({ "supportUrl": "https://help.example.com" })),
    ];
    for (mutation, mut input) in changes {
        if mutation == REGENERATE {
            input["gracePeriodSeconds"] = json!(60);
        }
        assert_eq!(write(&server, &key, basis_before).await, Written::Committed, "{mutation}");
        ada.caller.done(mutation, input).await;
        assert_eq!(write(&server, &key, basis_before).await, Written::Overtaken, "{mutation}");
        basis_before = basis(&server, &key).await;
    }
    ada.caller.done(CREATE_USER, json!({ "email": "new@example.com", "displayName": "New" })).await;
    assert_eq!(write(&server, &key, basis_before).await, Written::Committed, "a new user concerns nobody");
    ada.caller.done(DISABLE, selection([&*key.id])).await;
    for basis in [basis_before, basis(&server, &key).await] {
        assert_eq!(write(&server, &key, basis).await, Written::Overtaken);
    }
    server.stop().await;
}

#[tokio::test]
async fn where_nothing_has_changed_at_all_the_key_is_not_looked_at_again() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let [key, other] = [
        server.key(&ada.account, "ci", Grants::Inherit).await,
        server.key(&ada.account, "other", Grants::Inherit).await,
    ];
    server.app.registry.poll_changes().await.unwrap();
    let as_of = server.app.registry.last_change();
    let now = Basis { as_of, ..basis(&server, &key).await };
    let wrong = Basis { version: 7, ..now };
    for basis in [now, wrong] {
        assert_eq!(write(&server, &key, basis).await, Written::Committed);
    }
    // Now it is.
    ada.caller.done(DISABLE, selection([&*other.id])).await;
    assert_eq!(write(&server, &key, now).await, Written::Committed);
    assert_eq!(write(&server, &key, wrong).await, Written::Overtaken);
    server.app.registry.poll_changes().await.unwrap();
    let later = server.app.registry.last_change();
    assert_eq!(later, as_of.map(|number| number + 1));
    ada.caller.done(DISABLE, selection([&*key.id])).await;
    for as_of in [as_of, later] {
        assert_eq!(write(&server, &key, Basis { as_of, ..now }).await, Written::Overtaken);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_owner_who_is_deactivated_stops_what_is_on_its_way() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let before = basis(&server, &key).await;
    server.deactivate(&ada).await;
    for basis in [before, basis(&server, &key).await] {
        assert_eq!(write(&server, &key, basis).await, Written::Overtaken);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_was_overtaken_in_a_batch_leaves_the_others_alone() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let now = basis(&server, &key).await;
    let receipts = [1, 7, 1, 8, 1]
        .map(|version| server.app.journal.submit(issued(&server, &key, Basis { version, ..now })));
    let mut written = Vec::new();
    for receipt in receipts {
        written.push(receipt.unwrap().wait().await.unwrap());
    }
    use Written::{Committed, Overtaken};
    assert_eq!(written, [Committed, Overtaken, Committed, Overtaken, Committed]);
    let query = "query ($keys: [ID!]) { activity(filter: { apiKeyIds: $keys, kinds: [TOKEN_ISSUED] }) { nodes { tokenId } } }";
    let log = ada.caller.graphql_with(query, serde_json::json!({ "keys": [key.id] })).await.data();
    let late = log["activity"]["nodes"].as_array().unwrap();
    assert_eq!(late.iter().map(|row| row["tokenId"].as_str().unwrap()).collect::<Vec<_>>(), ["late 1"; 3]);
    server.stop().await;
}
