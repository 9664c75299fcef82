//! What is kept of keys in memory: read before it is asked for, shared, and never older than the last change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::KeyId;
use latchkey::app::registry::{Facts, PORTION, Warmup};
use latchkey::store::changes::{Invalidation, fence, note};
use sea_orm::ConnectionTrait as _;

use crate::harness::keys::{DISABLE, UPDATE, selection};
use crate::harness::{Grants, Key, Server};

/// Reads all keys that are left of this walk, `portion` at a time; says how many portions there were.
async fn warm(server: &Server, walk: &mut Warmup, portion: u64) -> u32 {
    server.app.registry.poll_changes().await.unwrap();
    let mut portions = 0;
    while server.app.registry.warm_up(walk, portion).await.unwrap() {
        portions += 1;
    }
    portions
}

async fn facts(server: &Server, key: &Key) -> Arc<Facts> {
    server.app.registry.client(key.client_id.parse().unwrap()).await.unwrap().unwrap()
}

/// How many reads an exchange takes that succeeds.
async fn reads_of_an_exchange(server: &Server, key: &Key) -> u64 {
    let reads = server.app.db.reads();
    let answer = server.exchange(key, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    server.app.db.reads() - reads
}

#[tokio::test]
async fn keys_that_were_read_in_the_background_cost_no_read() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    let first = server.key(&ada, "first", Grants::Inherit).await;
    let keys = server.copies(&first, 6).await;
    let machine = server.key(&build, "machine", Grants::Roles(&["member"])).await;
    let stopped = server.key(&ada, "stopped", Grants::Inherit).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    boss.caller.done(DISABLE, selection([&*stopped.id])).await;

    let server = server.restart("").await;
    assert!(reads_of_an_exchange(&server, &first).await > 0);
    // The server's own job may be quicker: whoever comes second finds the keys there.
    let mut walk = Warmup::default();
    warm(&server, &mut walk, 2).await;
    assert_eq!(server.app.registry.keys(), 9, "all but the one that is disabled");
    for key in keys.iter().chain([&first, &machine, &boss.key]) {
        assert_eq!(reads_of_an_exchange(&server, key).await, 0);
    }
    assert_eq!(warm(&server, &mut walk, 2).await, 0, "nothing is left");
    server.stop().await;
}

#[tokio::test]
async fn what_was_forgotten_as_a_whole_is_read_again() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let mut walk = Warmup::default();
    warm(&server, &mut walk, PORTION).await;
    assert_eq!(server.app.registry.keys(), 1);
    let before = facts(&server, &key).await;
    // A change of the directory.
    server.user("eve@example.com", &[]).await;
    assert_eq!(server.app.registry.keys(), 0);
    warm(&server, &mut walk, PORTION).await;
    assert_eq!(server.app.registry.keys(), 1);
    assert!(facts(&server, &key).await.directory().epoch > before.directory().epoch);
    server.stop().await;
}

#[tokio::test]
async fn a_change_of_one_key_leaves_the_others_where_they_are() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let [one, other] = [
        server.key(&boss.account, "one", Grants::Inherit).await,
        server.key(&boss.account, "other", Grants::Inherit).await,
    ];
    warm(&server, &mut Warmup::default(), PORTION).await;
    boss.caller.done(UPDATE, serde_json::json!({ "id": one.id, "scopes": ["keys:use"] })).await;
    assert_eq!(reads_of_an_exchange(&server, &other).await, 0);
    assert!(reads_of_an_exchange(&server, &one).await > 0);
    assert_eq!(facts(&server, &one).await.held().text(), "keys:use");
    server.stop().await;
}

#[tokio::test]
async fn keys_that_are_alike_share_what_is_known_of_them() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let eve = server.user("eve@example.com", &["member"]).await;
    let one = server.key(&ada, "one", Grants::Inherit).await;
    let two = server.key(&ada, "two", Grants::Roles(&["member"])).await;
    let three = server.key(&eve, "three", Grants::Inherit).await;
    let narrow = server.key(&ada, "narrow", Grants::Scopes(&["keys:use"])).await;
    warm(&server, &mut Warmup::default(), 3).await;
    let one = facts(&server, &one).await;
    let [two, three, narrow] =
        [facts(&server, &two).await, facts(&server, &three).await, facts(&server, &narrow).await];
    assert!(Arc::ptr_eq(&one.client.owner, &two.client.owner));
    assert!(Arc::ptr_eq(&one.grantable, &two.grantable) && Arc::ptr_eq(&one.grantable, &three.grantable));
    assert!(!Arc::ptr_eq(&one.grantable, &narrow.grantable));
    assert_eq!(narrow.held().text(), "keys:use");
    server.stop().await;
}

#[tokio::test]
async fn a_client_id_that_does_not_exist_is_asked_for_once() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let nobody = Key { client_id: "0".repeat(32), ..server.key(&ada, "other", Grants::Inherit).await };
    server.app.registry.poll_changes().await.unwrap();
    server.exchange(&key, &[]).await;
    for expected in [1, 0, 0] {
        let reads = server.app.db.reads();
        assert_eq!(server.exchange(&nobody, &[]).await.status, 401);
        assert_eq!(server.app.db.reads() - reads, expected);
    }
    // A key that was made here is known at once, and one that another process made as soon as that is heard.
    let new = server.key(&ada, "new", Grants::Inherit).await;
    assert_eq!(server.exchange(&new, &[]).await.status, 200);
    assert_eq!(server.exchange(&nobody, &[]).await.status, 401);
    let reads = server.app.db.reads();
    assert_eq!(server.exchange(&nobody, &[]).await.status, 401);
    assert_eq!(server.app.db.reads(), reads);
    let tx = server.app.db.begin().await.unwrap();
    let changed = Invalidation::Ids(vec![nobody.id.parse().unwrap()]);
    fence(&*tx, &changed).await.unwrap();
    let unhash = "UPDATE api_keys SET client_id = '00000000000000000000000000000000' WHERE name = 'other'";
    tx.execute_unprepared(unhash).await.unwrap();
    note(&*tx, &changed).await.unwrap();
    tx.commit().await.unwrap();
    server.app.registry.poll_changes().await.unwrap();
    let facts = facts(&server, &nobody).await;
    assert_eq!(facts.client.key.id, nobody.id.parse::<KeyId>().unwrap());
    server.stop().await;
}

/// Proven by chance: the reading in the background goes on all the time, while keys are stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_is_read_in_the_background_takes_the_place_of_something_newer() {
    let server = Arc::new(Server::start().await);
    let boss = server.person("boss@example.com", &["admin"]).await;
    let first = server.key(&boss.account, "first", Grants::Inherit).await;
    let keys = server.copies(&first, 40).await;
    let done = Arc::new(AtomicBool::new(false));
    let reading = {
        let (app, done) = (Arc::clone(&server.app), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::SeqCst) {
                app.registry.invalidate(&Invalidation::Everything);
                let mut walk = Warmup::default();
                while app.registry.warm_up(&mut walk, 20).await.unwrap() {}
            }
        })
    };
    for key in &keys {
        boss.caller.done(DISABLE, selection([&*key.id])).await;
        let facts = facts(&server, key).await;
        assert_eq!(facts.client.key.state, entity::api_key::KeyState::Disabled);
        assert_eq!(server.exchange(key, &[]).await.status, 401);
    }
    done.store(true, Ordering::SeqCst);
    reading.await.unwrap();
    Arc::into_inner(server).unwrap().stop().await;
}

/// What keys of one shape can be granted is asked for one of them: the shape must have all that matters.
#[tokio::test]
async fn what_is_read_in_the_background_is_what_would_be_read_when_asked_for() {
    let server = Server::start().await;
    let member = server.user("member@example.com", &["member"]).await;
    let auditor = server.user("auditor@example.com", &["auditor"]).await;
    let nobody = server.user("nobody@example.com", &[]).await;
    let build = server.service_account("build").await;
    let mut keys = Vec::new();
    for owner in [&member, &auditor, &nobody, &build] {
        for (name, grants) in [
            ("inherits", Grants::Inherit),
            ("nothing", Grants::Roles(&[])),
            ("member", Grants::Roles(&["member"])),
            ("auditor", Grants::Roles(&["auditor"])),
            ("both", Grants::Roles(&["member", "auditor"])),
            ("scope", Grants::Scopes(&["keys:write"])),
            ("other scope", Grants::Scopes(&["keys:read"])),
        ] {
            if owner.id == build.id && matches!(grants, Grants::Inherit) {
                continue;
            }
            for read_only in [false, true] {
                let name = format!("{name} {read_only}");
                let key = server.key_with(owner, &name, grants, |new| new.read_only = read_only).await;
                keys.push(key);
            }
        }
    }
    let told = |facts: &Facts| {
        let owner = &facts.client.owner;
        (facts.held().clone(), owner.may_use_keys, owner.public_id.clone(), facts.basis(None))
    };
    let mut asked = Vec::new();
    for key in &keys {
        server.app.registry.invalidate(&Invalidation::Everything);
        asked.push(told(&*facts(&server, key).await));
    }
    for portion in [1, 5, PORTION] {
        server.app.registry.invalidate(&Invalidation::Everything);
        warm(&server, &mut Warmup::default(), portion).await;
        assert_eq!(server.app.registry.keys(), keys.len());
        for (key, asked) in keys.iter().zip(&asked) {
            assert_eq!(told(&*facts(&server, key).await), *asked);
        }
    }
    server.stop().await;
}
