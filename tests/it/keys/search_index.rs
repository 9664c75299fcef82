//! What `filter.search` looks in follows every change: each name that there is, and none that there was.

use std::collections::BTreeSet;
use std::time::Duration;

use latchkey::actions::users::{WantedPassword, create_administrator};
use sea_orm::EntityTrait as _;
use serde_json::json;

use super::search::{found, users};
use crate::harness::Server;
use crate::harness::changes::{
    CREATE_ACCOUNT, CREATE_USER, DEACTIVATE_USER, DELETE_ACCOUNT, REACTIVATE_USER, UPDATE_ACCOUNT,
    UPDATE_USER,
};
use crate::harness::keys::{
    CREATE, DELETE, DISABLE, ENABLE, Person, REGENERATE, UPDATE, mistakes, selection,
};

/// What can be found: each object that has names, with its names in lower case.
#[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
async fn searchable(server: &Server) -> [BTreeSet<(String, String)>; 2] {
    let db = server.app.db.reader();
    let mut expected = BTreeSet::new();
    for key in entity::api_key::Entity::find().all(db).await.unwrap() {
        expected.insert((key.id.to_string(), key.name.to_lowercase()));
    }
    for user in entity::user::Entity::find().all(db).await.unwrap() {
        for text in [Some(user.email), user.handle, Some(user.display_name)].into_iter().flatten() {
            expected.insert((user.id.to_string(), text.to_lowercase()));
        }
    }
    for account in entity::service_account::Entity::find().all(db).await.unwrap() {
        expected.insert((account.id.to_string(), account.name.to_lowercase()));
    }
    let rows = entity::search_term::Entity::find().all(db).await.unwrap();
    let written: BTreeSet<_> = rows
        .iter()
        .map(|row| {
            let object = entity::GlobalId { kind: row.object_kind, uuid: row.object_id };
            (object.to_string(), row.text.clone())
        })
        .collect();
    assert_eq!(written.len(), rows.len(), "no text twice");
    if !server.place().is_postgres() {
        // It compares the index with every row of the table, and fails if they differ.
        server.run_sql("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)").await;
    }
    [expected, written]
}

/// Changes of keys, each of which writes a name, frees one, or leaves it.
async fn change_keys(server: &Server, boss: &Person, owner: &str) {
    let mut ids = Vec::new();
    for name in ["One", "Two", "Three", "Four"] {
        server.advance(Duration::from_millis(1));
        let input = json!({ "name": name, "ownerId": owner, "scopes": ["keys:read"] });
        let made = boss.caller.change(CREATE, input).await;
        ids.push(made["apiKey"]["id"].as_str().unwrap().to_owned());
    }
    let taken = json!({ "name": "One", "ownerId": owner, "scopes": ["keys:read"] });
    assert_eq!(boss.caller.mistakes(CREATE, taken).await.len(), 1);
    for (id, change, mistakes) in [
        (&ids[0], json!({ "name": "Uno" }), 0),
        (&ids[1], json!({ "name": "Three" }), 1),
        (&ids[1], json!({ "description": "no name" }), 0),
        (&ids[2], json!({ "name": "three" }), 0),
        (&ids[2], json!({ "name": "late", "version": 1 }), 1),
    ] {
        let mut input = change.clone();
        input["id"] = json!(id);
        let payload = boss.caller.change(UPDATE, input).await;
        assert_eq!(self::mistakes(&payload).len(), mistakes, "{change}: {payload}");
    }
    boss.caller.change(DISABLE, selection([&*ids[0]])).await;
    boss.caller.change(ENABLE, selection([&*ids[0]])).await;
    boss.caller.change(DELETE, selection([&*ids[3]])).await;
    // The name is free again, and two objects may have it.
    server.advance(Duration::from_millis(1));
    let again = json!({ "name": "Four", "ownerId": owner, "scopes": ["keys:read"] });
    boss.caller.change(CREATE, again).await;
    let rotate = json!({ "selection": { "ids": [ids[0]] } });
    boss.caller.change(REGENERATE, rotate).await;
    assert_eq!(found(&boss.caller, "uno").await, "Uno");
    assert_eq!(found(&boss.caller, "one").await, "");
    assert_eq!(found(&boss.caller, "late").await, "");
}

#[tokio::test]
async fn every_change_of_a_name_is_found_and_no_old_name_is() {
    let server = Server::start().await;
    let [expected, written] = searchable(&server).await;
    assert_eq!(written, expected, "after the first start");
    assert_eq!(expected.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["operator"]);

    let password = || WantedPassword::new("correct horse battery".to_owned().into());
    create_administrator(&server.operator(), "Root@example.com", None, password()).await.unwrap();
    let boss = server.person("boss@example.com", &["admin"]).await;
    let caller = &boss.caller;
    let ada = json!({ "email": "ada@example.com", "handle": "Countess", "displayName": "ADA@example.com" });
    let ada = caller.made(CREATE_USER, ada).await;
    let bad = json!({ "email": "ada@example.com", "displayName": "Another" });
    caller.mistake(CREATE_USER, bad).await;
    let build = caller.made(CREATE_ACCOUNT, json!({ "name": "Build" })).await;
    let gone = caller.made(CREATE_ACCOUNT, json!({ "name": "Gone" })).await;
    change_keys(&server, &boss, &build).await;

    for change in [
        json!({ "displayName": "Ada Lovelace" }),
        json!({ "email": "countess@example.com", "handle": "ada" }),
        json!({ "handle": null }),
        json!({ "password": "another long password" }),
    ] {
        let mut input = change;
        input["id"] = json!(ada);
        caller.done(UPDATE_USER, input).await;
        let [expected, written] = searchable(&server).await;
        assert_eq!(written, expected);
    }
    caller.done(DEACTIVATE_USER, json!({ "id": ada })).await;
    caller.done(REACTIVATE_USER, json!({ "id": ada })).await;
    caller.done(UPDATE_ACCOUNT, json!({ "id": build, "name": "Bauhof" })).await;
    caller.done(UPDATE_ACCOUNT, json!({ "id": build, "description": "no name" })).await;
    caller.done(DELETE_ACCOUNT, json!({ "id": gone })).await;
    caller.mistake(DELETE_ACCOUNT, json!({ "id": build })).await;

    let [expected, written] = searchable(&server).await;
    assert_eq!(written, expected);
    assert_eq!(found(caller, "bauhof").await, "Uno Two three Four");
    assert_eq!(found(caller, "build").await, "");
    assert_eq!(users(caller, "lovelace").await, "countess@example.com");
    assert_eq!(users(caller, "ada@").await, "");
    let place = server.stop().await;
    // A later start changes nothing.
    let server = Server::start_at(place, "").await;
    let [_, again] = searchable(&server).await;
    assert_eq!(again, expected);
    server.stop().await;
}
