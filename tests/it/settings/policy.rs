//! What the settings ask of every key: an end, how far ahead, how long its tokens live, how many an owner has.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{started, with};
use crate::harness::keys::{CREATE, DELETE, DISABLE, REGENERATE, UPDATE, detail, mistakes, selection};
use crate::harness::{Caller, Grants, setting};

const REQUIRED: &str = "POLICY_EXPIRY_REQUIRED input.expiresAt";
const TOO_FAR: &str = "POLICY_EXPIRY_TOO_FAR input.expiresAt";

/// A new key of the caller's, which must be made.
async fn made(caller: &Caller, input: Value) -> String {
    let payload = caller.change(CREATE, input.clone()).await;
    assert_eq!(mistakes(&payload), [""; 0], "{input}");
    payload["apiKey"]["id"].as_str().unwrap().to_owned()
}

/// One field of a key.
async fn field(caller: &Caller, id: &str, name: &str) -> Value {
    let query = format!("query ($id: ID!) {{ apiKey(by: {{ id: $id }}) {{ {name} }} }}");
    caller.graphql_with(&query, json!({ "id": id })).await.data()["apiKey"][name].take()
}

/// The user errors of an update of this key.
async fn update(caller: &Caller, id: &str, changes: &Value) -> Vec<String> {
    caller.mistakes(UPDATE, with(json!({ "id": id }), changes)).await
}

/// Proves: R-10
#[tokio::test]
async fn where_an_end_is_required_no_key_is_made_without_one() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    boss.caller.set(json!({ "expiryRequired": true })).await;
    let before = server.state().await;
    for input in [
        json!({ "name": "ci" }),
        json!({ "name": "ci", "expiresAt": null }),
        json!({ "name": "ci", "ownerId": ada.account.public_id }),
    ] {
        assert_eq!(boss.caller.mistakes(CREATE, input.clone()).await, [REQUIRED], "{input}");
    }
    assert_eq!(ada.caller.mistakes(CREATE, json!({ "name": "ci" })).await, [REQUIRED]);
    let passed = json!({ "name": "ci", "expiresAt": "2026-11-21T09:00:00Z" });
    assert_eq!(ada.caller.mistakes(CREATE, passed).await, ["INVALID input.expiresAt"]);
    assert_eq!(server.state().await, before);

    // However far ahead it lies.
    let end = "9999-01-01T00:00:00.000Z";
    let id = made(&ada.caller, json!({ "name": "ci", "expiresAt": end })).await;
    assert_eq!(field(&ada.caller, &id, "expiresAt").await, end);
    boss.caller.set(json!({ "expiryRequired": false })).await;
    made(&ada.caller, json!({ "name": "endless" })).await;
    server.stop().await;
}

#[tokio::test]
async fn where_an_end_is_required_it_cannot_be_cleared_and_old_keys_without_one_stay_as_they_are() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let endless = server.key(&ada.account, "endless", Grants::Inherit).await;
    boss.caller.set(json!({ "expiryRequired": true })).await;
    for untouched in [json!({ "name": "renamed" }), json!({ "description": "x", "expiresAt": null })] {
        assert_eq!(update(&ada.caller, &endless.id, &untouched).await, [""; 0], "{untouched}");
    }
    server.sign_in(&endless).await;

    assert_eq!(
        update(&ada.caller, &endless.id, &json!({ "expiresAt": "2026-12-01T00:00:00Z" })).await,
        [""; 0]
    );
    let before = server.state().await;
    assert_eq!(
        update(&ada.caller, &endless.id, &json!({ "name": "x", "expiresAt": null })).await,
        [REQUIRED]
    );
    assert_eq!(update(&boss.caller, &endless.id, &json!({ "expiresAt": null })).await, [REQUIRED]);
    assert_eq!(server.state().await, before);
    boss.caller.set(json!({ "expiryRequired": false })).await;
    assert_eq!(update(&ada.caller, &endless.id, &json!({ "expiresAt": null })).await, [""; 0]);
    server.stop().await;
}

/// Proves: R-10
#[tokio::test]
async fn a_key_made_without_an_end_gets_the_default_one() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    boss.caller.set(json!({ "defaultKeyLifetimeDays": 30 })).await;
    server.advance(Duration::from_millis(1));
    let end = "2026-12-21T09:00:00.001Z";
    for required in [false, true] {
        boss.caller.set(json!({ "expiryRequired": required })).await;
        for input in [json!({ "name": "left out" }), json!({ "name": "null", "expiresAt": null })] {
            let input = with(input.clone(), &json!({ "name": format!("{} {required}", input["name"]) }));
            let id = made(&ada.caller, input).await;
            assert_eq!(field(&ada.caller, &id, "expiresAt").await, end);
            assert_eq!(detail(&server.changes_of(&id).await[0])["after"]["expiresAt"], end);
        }
    }
    // One that is asked for comes before the default, later or earlier.
    for asked in ["2026-11-22T00:00:00.000Z", "2027-11-22T00:00:00.000Z"] {
        let id = made(&ada.caller, json!({ "name": asked, "expiresAt": asked })).await;
        assert_eq!(field(&ada.caller, &id, "expiresAt").await, asked);
    }
    // The default is for new keys: where none is required, it can be cleared.
    boss.caller.set(json!({ "expiryRequired": false })).await;
    let id = made(&ada.caller, json!({ "name": "endless" })).await;
    assert_eq!(update(&ada.caller, &id, &json!({ "expiresAt": null })).await, [""; 0]);
    assert_eq!(field(&ada.caller, &id, "expiresAt").await, Value::Null);
    server.stop().await;
}

/// Proves: R-10
#[tokio::test]
async fn an_end_lies_as_far_ahead_as_it_may_and_not_a_millisecond_further() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    boss.caller.set(json!({ "maxKeyLifetimeDays": 30 })).await;
    let (last, beyond) = ("2026-12-21T09:00:00.000Z", "2026-12-21T09:00:00.001Z");
    let before = server.state().await;
    assert_eq!(ada.caller.mistakes(CREATE, json!({ "name": "ci", "expiresAt": beyond })).await, [TOO_FAR]);
    assert_eq!(boss.caller.mistakes(CREATE, json!({ "name": "ci", "expiresAt": beyond })).await, [TOO_FAR]);
    // What never ends lies too far ahead as well.
    assert_eq!(ada.caller.mistakes(CREATE, json!({ "name": "ci" })).await, [REQUIRED]);
    assert_eq!(server.state().await, before);

    let id = made(&ada.caller, json!({ "name": "ci", "expiresAt": last })).await;
    let before = server.state().await;
    assert_eq!(update(&ada.caller, &id, &json!({ "name": "x", "expiresAt": beyond })).await, [TOO_FAR]);
    assert_eq!(update(&ada.caller, &id, &json!({ "expiresAt": null })).await, [REQUIRED]);
    assert_eq!(server.state().await, before);
    // The distance is from now, not from when the key was made.
    server.advance(Duration::from_millis(1));
    assert_eq!(update(&ada.caller, &id, &json!({ "expiresAt": beyond })).await, [""; 0]);
    assert_eq!(field(&ada.caller, &id, "expiresAt").await, beyond);
    server.stop().await;
}

#[tokio::test]
async fn an_end_from_before_the_rule_stays_until_it_is_moved() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let far = "2030-01-01T00:00:00.000Z";
    let id = made(&ada.caller, json!({ "name": "ci", "expiresAt": far })).await;
    boss.caller.set(json!({ "maxKeyLifetimeDays": 30, "defaultKeyLifetimeDays": 10 })).await;
    for untouched in [json!({ "name": "renamed" }), json!({ "description": "x", "expiresAt": far })] {
        assert_eq!(update(&ada.caller, &id, &untouched).await, [""; 0], "{untouched}");
    }
    assert_eq!(field(&ada.caller, &id, "expiresAt").await, far);
    // Earlier than before, and still too far.
    let nearer = json!({ "expiresAt": "2029-01-01T00:00:00Z" });
    assert_eq!(update(&ada.caller, &id, &nearer).await, [TOO_FAR]);
    assert_eq!(update(&ada.caller, &id, &json!({ "expiresAt": null })).await, [REQUIRED]);
    assert_eq!(update(&ada.caller, &id, &json!({ "expiresAt": "2026-12-01T00:00:00Z" })).await, [""; 0]);
    assert_eq!(update(&ada.caller, &id, &json!({ "expiresAt": far })).await, [TOO_FAR]);
    // A new key gets the default, which lies within.
    let id = made(&ada.caller, json!({ "name": "new" })).await;
    assert_eq!(field(&ada.caller, &id, "expiresAt").await, "2026-12-01T09:00:00.000Z");
    server.stop().await;
}

#[tokio::test]
async fn tokens_live_no_longer_than_the_settings_allow_not_even_those_of_old_keys() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let long = Some(3600);
    let old =
        server.key_with(&ada.account, "old", Grants::Inherit, |new| new.token_lifetime_seconds = long).await;
    boss.caller.set(json!({ "maxTokenLifetimeSeconds": 900 })).await;
    let before = server.state().await;
    let too_long = ["INVALID input.tokenLifetimeSeconds"];
    for seconds in [59, 901, 3600] {
        let input = json!({ "name": "ci", "tokenLifetimeSeconds": seconds });
        assert_eq!(ada.caller.mistakes(CREATE, input.clone()).await, too_long);
        assert_eq!(update(&ada.caller, &old.id, &input).await, too_long, "{seconds}");
    }
    assert_eq!(server.state().await, before);

    let lifetime = async |key| server.exchange(key, &[]).await.json()["expires_in"].as_i64().unwrap();
    assert_eq!(lifetime(&old).await, 900);
    assert_eq!(field(&ada.caller, &old.id, "tokenLifetimeSeconds").await, 900);
    assert_eq!(update(&ada.caller, &old.id, &json!({ "name": "renamed" })).await, [""; 0]);
    boss.caller.set(json!({ "maxTokenLifetimeSeconds": 1800 })).await;
    assert_eq!(lifetime(&old).await, 1800);
    boss.caller.set(json!({ "maxTokenLifetimeSeconds": 3600 })).await;
    assert_eq!(lifetime(&old).await, 3600);
    for seconds in [60, 3600] {
        let input = json!({ "tokenLifetimeSeconds": seconds });
        assert_eq!(update(&ada.caller, &old.id, &input).await, [""; 0]);
        assert_eq!(lifetime(&old).await, seconds);
        made(&ada.caller, with(input, &json!({ "name": format!("of {seconds}") }))).await;
    }
    server.stop().await;
}

/// Proves: X-04
#[tokio::test]
async fn one_key_for_each_owner_names_the_one_that_is_there() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    boss.caller.set(json!({ "maxKeysPerOwner": 1 })).await;
    let before = server.state().await;

    let exists = |id: &str| [format!("KEY_ALREADY_EXISTS input.ownerId {id}")];
    let payload = ada.caller.change(CREATE, json!({ "name": "second" })).await;
    assert_eq!(mistakes(&payload), exists(&ada.key.id));
    assert_eq!((&payload["apiKey"], &payload["clientSecret"]), (&Value::Null, &Value::Null));
    let for_ada = json!({ "name": "second", "ownerId": ada.account.public_id });
    for caller in [&ada.caller, &boss.caller] {
        assert_eq!(caller.mistakes(CREATE, for_ada.clone()).await, exists(&ada.key.id));
    }
    assert_eq!(boss.caller.mistakes(CREATE, json!({ "name": "second" })).await, exists(&boss.key.id));
    assert_eq!(server.state().await, before);

    // Keys of others do not count.
    for (owner, scopes) in [(&bob, Value::Null), (&build, json!(["keys:read"]))] {
        let first = json!({ "name": "first", "ownerId": owner.public_id, "scopes": scopes });
        let id = made(&boss.caller, first).await;
        let second = json!({ "name": "second", "ownerId": owner.public_id, "scopes": ["keys:read"] });
        assert_eq!(boss.caller.mistakes(CREATE, second).await, exists(&id));
    }
    // What is there can be changed and get a new secret.
    assert_eq!(update(&ada.caller, &ada.key.id, &json!({ "name": "renamed" })).await, [""; 0]);
    assert_eq!(boss.caller.mistakes(REGENERATE, selection([&*ada.key.id])).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_stands_in_the_way_is_named_only_to_whoever_may_see_it() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let robot = server.service_account("robot").await;
    let blind = server.generous_key(&ada.account, "blind", Grants::Scopes(&["keys:write"])).await;
    let narrow =
        server.generous_key(&ada.account, "narrow", Grants::Scopes(&["keys:read", "keys:write"])).await;
    let maker = server.generous_key(&robot, "maker", Grants::Scopes(&["keys:create:any", "keys:read"])).await;
    boss.caller.set(json!({ "maxKeysPerOwner": 1 })).await;
    let before = server.state().await;
    let mut told = Vec::new();
    for key in [&blind, &narrow, &maker] {
        let caller = server.sign_in(key).await;
        let input = json!({ "name": "another", "ownerId": ada.account.public_id, "scopes": [] });
        let payload = caller.change(CREATE, input).await;
        assert_eq!(payload["userErrors"][0]["code"], "KEY_ALREADY_EXISTS", "{payload}");
        told.push(payload["userErrors"][0]["targetId"].clone());
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(!message.contains("key_") && !message.contains("example.com"), "{message}");
    }
    // A key sees those of its owner that are no stronger than itself.
    assert_eq!(told[0], Value::Null);
    assert!([&*narrow.id, &*blind.id].contains(&told[1].as_str().unwrap()), "{told:?}");
    assert_eq!(told[2], Value::Null);
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn deleted_keys_make_room_and_stopped_or_ended_ones_do_not() {
    let (server, boss) = started().await;
    let bob = server.user("bob@example.com", &["member"]).await;
    boss.caller.set(json!({ "maxKeysPerOwner": 2 })).await;
    let named =
        |name: &str, expires: Value| json!({ "name": name, "ownerId": bob.public_id, "expiresAt": expires });
    let stopped = made(&boss.caller, named("stopped", Value::Null)).await;
    let ended = made(&boss.caller, named("ended", json!("2026-11-21T09:00:01Z"))).await;
    assert_eq!(boss.caller.mistakes(DISABLE, selection([&*stopped])).await, [""; 0]);
    server.advance(Duration::from_secs(5));
    for _ in 0..2 {
        let payload = boss.caller.change(CREATE, named("third", Value::Null)).await;
        assert_eq!(payload["userErrors"][0]["code"], "KEY_ALREADY_EXISTS", "{payload}");
        let target = payload["userErrors"][0]["targetId"].as_str().unwrap();
        assert!([&*stopped, &*ended].contains(&target), "{target}");
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains('2'), "{message}");
    }
    assert_eq!(boss.caller.mistakes(DELETE, selection([&*ended])).await, [""; 0]);
    let third = made(&boss.caller, named("third", Value::Null)).await;
    assert_eq!(boss.caller.mistakes(CREATE, named("fourth", Value::Null)).await.len(), 1);

    // A lower number takes nothing away, and none at all is no limit.
    boss.caller.set(json!({ "maxKeysPerOwner": 1 })).await;
    assert_eq!(update(&boss.caller, &third, &json!({ "name": "renamed" })).await, [""; 0]);
    assert_eq!(boss.caller.mistakes(DELETE, selection([&*stopped])).await, [""; 0]);
    let exists = boss.caller.mistakes(CREATE, named("fourth", Value::Null)).await;
    assert_eq!(exists, [format!("KEY_ALREADY_EXISTS input.ownerId {third}")]);
    boss.caller.set(json!({ "maxKeysPerOwner": null })).await;
    for n in 4..9 {
        made(&boss.caller, named(&format!("number {n}"), Value::Null)).await;
    }
    server.stop().await;
}

/// The payloads of 50 that want a key of this owner at once, made and refused.
async fn fifty_at_once(caller: &Caller, owner: &str) -> (Vec<Value>, Vec<Value>) {
    let mut all = JoinSet::new();
    for n in 0..50 {
        let (caller, input) = (caller.clone(), json!({ "name": format!("number {n}"), "ownerId": owner }));
        all.spawn(async move { caller.change_among_many(CREATE, input).await });
    }
    all.join_all().await.into_iter().partition(|payload| payload["apiKey"].is_object())
}

/// The ids of an owner's keys that are not deleted.
async fn keys_of(caller: &Caller, owner: &str) -> Vec<String> {
    let query =
        "query ($owner: ID!) { apiKeys(filter: { ownerIds: [$owner] }, first: 100) { nodes { id } } }";
    let found = caller.graphql_with(query, json!({ "owner": owner })).await.data();
    let nodes = found["apiKeys"]["nodes"].as_array().unwrap().clone();
    nodes.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

/// Proves: X-04
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_that_want_the_only_key_of_an_owner_at_once_exactly_one_gets_it() {
    let (server, boss) = started().await;
    boss.caller.set(json!({ "maxKeysPerOwner": 1 })).await;
    for round in 0..setting("RACE_ROUNDS").unwrap_or(3) {
        let owner = server.user(&format!("user{round}@example.com"), &["member"]).await.public_id;
        let (made, refused) = fifty_at_once(&boss.caller, &owner).await;
        assert_eq!((made.len(), refused.len()), (1, 49));
        let id = made[0]["apiKey"]["id"].as_str().unwrap();
        for payload in refused {
            assert_eq!(mistakes(&payload), [format!("KEY_ALREADY_EXISTS input.ownerId {id}")]);
        }
        assert_eq!(keys_of(&boss.caller, &owner).await, [id]);
        assert_eq!(server.changes_of(id).await.len(), 1);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_that_want_a_key_beside_their_own_as_many_get_one_as_there_is_room() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    boss.caller.set(json!({ "maxKeysPerOwner": 6 })).await;
    let (made, refused) = fifty_at_once(&ada.caller, &ada.account.public_id).await;
    assert_eq!((made.len(), refused.len()), (5, 45));
    for payload in refused {
        assert_eq!(payload["userErrors"][0]["code"], "KEY_ALREADY_EXISTS", "{payload}");
    }
    assert_eq!(keys_of(&boss.caller, &ada.account.public_id).await.len(), 6);
    let created = server.log().await.into_iter();
    let created = created.filter(|row| row.kind == entity::activity::ActivityKind::KeyCreated);
    assert_eq!(created.count(), 7);
    server.stop().await;
}
