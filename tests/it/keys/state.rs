//! `enableApiKeys` and `disableApiKeys`, and what all mutations of a selection have in common.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::keys::{DELETE, DISABLE, ENABLE, REGENERATE, detail, mistakes, selection};
use crate::harness::{Grants, Server};

const ALL: [&str; 4] = [ENABLE, DISABLE, DELETE, REGENERATE];

#[tokio::test]
async fn a_disabled_key_is_refused_and_works_again_when_enabled_but_its_old_tokens_do_not() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let old = server.sign_in(&key).await;

    let disabled = ada.caller.change(DISABLE, selection([&*key.id])).await;
    assert_eq!(disabled["userErrors"], json!([]));
    assert_eq!(
        (&disabled["apiKeys"][0]["status"], &disabled["apiKeys"][0]["version"]),
        (&json!("DISABLED"), &json!(2))
    );
    assert_eq!(old.graphql("{ viewer { scopes } }").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.exchange(&key, &[]).await.json()["error"], "invalid_client");

    let enabled = ada.caller.change(ENABLE, selection([&*key.id])).await;
    assert_eq!(enabled["apiKeys"][0]["status"], "ACTIVE");
    assert_eq!(old.graphql("{ viewer { scopes } }").await.status, StatusCode::UNAUTHORIZED);
    server.sign_in(&key).await.graphql("{ viewer { scopes } }").await.data();
    server.stop().await;
}

#[tokio::test]
async fn each_change_of_state_is_one_row_with_its_reason_before_and_after() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let one = server.key(&ada.account, "one", Grants::Inherit).await.id;
    let two = server.key(&ada.account, "two", Grants::Inherit).await.id;
    let mut input = selection([&*one, &two]);
    input["reason"] = json!("leaked?");
    ada.caller.change(DISABLE, input).await;
    ada.caller.change(ENABLE, selection([&*two])).await;

    use entity::activity::ActivityKind::{KeyCreated, KeyDisabled, KeyEnabled};
    let rows = server.changes_of(&one).await;
    assert_eq!(rows.iter().map(|row| row.kind).collect::<Vec<_>>(), [KeyCreated, KeyDisabled]);
    let expected = json!({
        "name": "one", "reason": "leaked?", "before": { "state": "ENABLED" }, "after": { "state": "DISABLED" },
    });
    assert_eq!(detail(&rows[1]), expected);
    let rows = server.changes_of(&two).await;
    assert_eq!(rows.iter().map(|row| row.kind).collect::<Vec<_>>(), [KeyCreated, KeyDisabled, KeyEnabled]);
    let expected = json!({
        "name": "two", "reason": null, "before": { "state": "DISABLED" }, "after": { "state": "ENABLED" },
    });
    assert_eq!(detail(&rows[2]), expected);
    server.stop().await;
}

#[tokio::test]
async fn keys_that_are_already_so_are_answered_and_left_as_they_are() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let on = server.key(&ada.account, "on", Grants::Inherit).await.id;
    let off = server.key(&ada.account, "off", Grants::Inherit).await.id;
    ada.caller.change(DISABLE, selection([&*off])).await;
    let before = server.state().await;
    for (mutation, id, status) in [(ENABLE, &on, "ACTIVE"), (DISABLE, &off, "DISABLED")] {
        let payload = ada.caller.change(mutation, selection([&**id])).await;
        assert_eq!((&payload["apiKeys"][0]["status"], &payload["userErrors"]), (&json!(status), &json!([])));
    }
    assert_eq!(server.state().await, before);

    // Together with one that it does apply to.
    let payload = ada.caller.change(DISABLE, selection([&*on, &off])).await;
    assert_eq!(payload["apiKeys"].as_array().map(Vec::len), Some(2));
    assert_eq!(server.changes_of(&off).await.len(), 2);
    assert_eq!(server.changes_of(&on).await.len(), 2);
    server.stop().await;
}

/// Proves: X-24
#[tokio::test]
async fn of_several_keys_those_in_reach_change_and_the_others_are_told() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let own = server.key(&ada.account, "own", Grants::Inherit).await.id;
    let deleted = server.key(&ada.account, "deleted", Grants::Inherit).await.id;
    let foreign = server.key(&bob, "bobs", Grants::Inherit).await.id;
    ada.caller.change(DELETE, selection([&*deleted])).await;
    let unknown = "key_00000000000000000000000001";
    for mutation in [DISABLE, ENABLE] {
        let payload = ada.caller.change(mutation, selection([unknown, &foreign, &own, &deleted, &own])).await;
        assert_eq!(payload["apiKeys"].as_array().map(Vec::len), Some(1));
        assert_eq!(payload["apiKeys"][0]["id"], own);
        let missing = [unknown, &foreign, &deleted].map(|id| format!("NOT_FOUND input.selection {id}"));
        assert_eq!(mistakes(&payload), missing);
        for error in payload["userErrors"].as_array().unwrap() {
            let id = error["targetId"].as_str().unwrap();
            assert_eq!(error["message"], format!("There is no {id} that you can change."));
        }
    }
    assert_eq!(server.changes_of(&foreign).await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_selection_has_at_most_a_thousand_keys() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let ids: Vec<String> = (0..1001).map(|number| format!("key_{number:026}")).collect();
    let before = server.state().await;
    for mutation in ALL {
        let all = ids.iter().map(String::as_str);
        assert_eq!(
            ada.caller.mistakes(mutation, selection(all.clone())).await,
            ["SELECTION_TOO_LARGE input.selection"]
        );
        // The same key twice counts once.
        let thousand = all.take(1000).chain([&*ids[0]]);
        let missing = ada.caller.mistakes(mutation, selection(thousand)).await;
        assert_eq!(missing.len(), 1000);
        assert!(missing.iter().all(|error| error.starts_with("NOT_FOUND input.selection key_")));
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn what_is_invalid_is_refused_with_its_field_and_changes_nothing() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let before = server.state().await;
    for mutation in ALL {
        for id in ["", "ci", &ada.account.public_id, &ada.key.client_id, &ada.key.id.to_uppercase()] {
            let invalid = ada.caller.mistakes(mutation, selection([&*ada.key.id, id])).await;
            assert_eq!(invalid, ["INVALID input.selection"], "{id}");
        }
        for (reason, expected) in
            [("x".repeat(1001), "TOO_LONG input.reason"), ("\u{1b}".to_owned(), "INVALID input.reason")]
        {
            let mut input = selection([&*ada.key.id]);
            input["reason"] = json!(reason);
            assert_eq!(ada.caller.mistakes(mutation, input).await, [expected]);
        }
        let none = ada.caller.graphql_with(mutation, json!({ "input": { "selection": {} } })).await;
        assert_eq!(none.json()["data"]["change"], Value::Null, "{}", none.text);
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn without_the_scope_or_with_a_read_only_key_it_is_denied() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "reader", Grants::Scopes(&["keys:read"])).await;
    let reader = server.sign_in(&key).await;
    let still = server.key_with(&ada.account, "still", Grants::Inherit, |new| new.read_only = true).await;
    let still = server.sign_in(&still).await;
    let before = server.state().await;
    for mutation in ALL {
        let input = selection([&*key.id]);
        assert_eq!(reader.denied(mutation, input.clone()).await, "FORBIDDEN keys:write keys:write:any");
        assert_eq!(still.denied(mutation, input.clone()).await, "READ_ONLY");
        assert_eq!(server.guest().denied(mutation, input).await, "UNAUTHENTICATED");
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn enabling_at_the_same_time_never_brings_a_deleted_key_back() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for round in 0..5 {
        let key = server.key(&ada.account, &format!("ci {round}"), Grants::Inherit).await;
        ada.caller.change(DISABLE, selection([&*key.id])).await;
        let mut all = JoinSet::new();
        for mutation in [ENABLE, DISABLE, REGENERATE, DELETE].into_iter().cycle().take(32) {
            let (caller, input) = (ada.caller.clone(), selection([&*key.id]));
            all.spawn(async move { caller.change_among_many(mutation, input).await });
        }
        all.join_all().await;
        let query = "query ($id: ID!) { apiKey(by: { id: $id }) { status } }";
        let found = ada.caller.graphql_with(query, json!({ "id": key.id })).await.data();
        assert_eq!(found["apiKey"]["status"], "DELETED");

        // Every change was made to what the one before had left.
        let rows = server.changes_of(&key.id).await;
        use entity::activity::ActivityKind::{KeyDeleted, KeyDisabled, KeyEnabled};
        let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
        assert_eq!(kinds.last(), Some(&KeyDeleted), "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == KeyDeleted).count(), 1);
        let states = kinds.into_iter().filter(|kind| [KeyEnabled, KeyDisabled].contains(kind));
        let states: Vec<_> = states.collect();
        assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "{states:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_the_same_keys_in_any_order_do_not_stand_in_each_others_way() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let mut ids = Vec::new();
    for index in 0..40 {
        ids.push(server.key(&ada.account, &format!("ci {index}"), Grants::Inherit).await.id);
    }
    let mut all = JoinSet::new();
    for index in 0..24 {
        ids.rotate_left(7);
        if index % 2 == 0 {
            ids.reverse();
        }
        let mutation = [DISABLE, ENABLE, REGENERATE][index % 3];
        let (caller, input) = (ada.caller.clone(), selection(ids.iter().map(String::as_str)));
        all.spawn(async move { mistakes(&caller.change_among_many(mutation, input).await) });
    }
    for mistakes in all.join_all().await {
        assert_eq!(mistakes, [""; 0]);
    }
    server.stop().await;
}
