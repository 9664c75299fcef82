//! Somebody always can administer the server: the last administrator is neither stopped nor stripped.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{each_is_refused, started};
use crate::harness::changes::{
    CREATE_GROUP, CREATE_USER, DEACTIVATE_USER, REACTIVATE_USER, UPDATE_GROUP, UPDATE_USER,
};
use crate::harness::keys::mistakes;
use crate::harness::{Caller, Grants, Server};

/// The addresses of the active users who hold the role `admin`.
async fn administrators(server: &Server, caller: &Caller) -> Value {
    let query =
        "query ($role: ID!) { users(filter: { active: true, roleIds: [$role] }) { nodes { email } } }";
    let role = server.role("admin").await;
    caller.graphql_with(query, json!({ "role": role })).await.data()["users"]["nodes"].take()
}

#[tokio::test]
async fn the_last_one_is_neither_stopped_nor_stripped() {
    let (server, boss) = started().await;
    let id = &boss.account.public_id;
    // Neither a deactivated administrator nor a machine with the role counts.
    let former = server.user("former@example.com", &["admin"]).await.public_id;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": former })).await;
    let build = server.service_account("build").await;
    let machine = server.generous_key(&build, "machine", Grants::Roles(&["admin"])).await;
    let machine = server.sign_in(&machine).await;
    let member = server.role("member").await;
    for caller in [&boss.caller, &machine] {
        let stop = [(json!({ "id": id }), "LAST_ADMINISTRATOR input.id".to_owned())];
        each_is_refused((&server, caller), DEACTIVATE_USER, stop).await;
        let strip = [json!([]), json!([member])].map(|roles| {
            (json!({ "id": id, "roleIds": roles }), "LAST_ADMINISTRATOR input.roleIds".to_owned())
        });
        each_is_refused((&server, caller), UPDATE_USER, strip).await;
    }
    // With another one it can be done.
    boss.caller.done(REACTIVATE_USER, json!({ "id": former })).await;
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [member] })).await;
    assert_eq!(administrators(&server, &machine).await, json!([{ "email": "former@example.com" }]));
    server.stop().await;
}

#[tokio::test]
async fn one_who_is_it_through_a_group_counts_and_stays_in_it() {
    let (server, boss) = started().await;
    let (admin, member) = (server.role("admin").await, server.role("member").await);
    let id = &boss.account.public_id;
    let group = json!({ "name": "admins", "roleIds": [admin], "memberIds": [id] });
    let group = boss.caller.made(CREATE_GROUP, group).await;
    // Twice an administrator: the role can go.
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [member] })).await;

    let leave = [
        (json!({ "id": id, "groupIds": [] }), "LAST_ADMINISTRATOR input.groupIds".to_owned()),
        (json!({ "id": id, "groupIds": [], "roleIds": [] }), "LAST_ADMINISTRATOR input.groupIds".to_owned()),
    ];
    each_is_refused((&server, &boss.caller), UPDATE_USER, leave).await;
    let stop = [(json!({ "id": id }), "LAST_ADMINISTRATOR input.id".to_owned())];
    each_is_refused((&server, &boss.caller), DEACTIVATE_USER, stop).await;
    let empty = [
        (
            json!({ "id": group, "removeMemberIds": [id] }),
            "LAST_ADMINISTRATOR input.removeMemberIds".to_owned(),
        ),
        (json!({ "id": group, "roleIds": [] }), "LAST_ADMINISTRATOR input.roleIds".to_owned()),
        (json!({ "id": group, "roleIds": [member] }), "LAST_ADMINISTRATOR input.roleIds".to_owned()),
    ];
    each_is_refused((&server, &boss.caller), UPDATE_GROUP, empty).await;

    // Somebody else in the group is enough, as long as they are active.
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": ada })).await;
    boss.caller.done(UPDATE_GROUP, json!({ "id": group, "addMemberIds": [ada] })).await;
    let leave = json!({ "id": group, "removeMemberIds": [id] });
    let last = "LAST_ADMINISTRATOR input.removeMemberIds".to_owned();
    each_is_refused((&server, &boss.caller), UPDATE_GROUP, [(leave.clone(), last)]).await;
    boss.caller.done(REACTIVATE_USER, json!({ "id": ada })).await;
    boss.caller.done(UPDATE_GROUP, leave).await;
    assert_eq!(
        boss.caller.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_has_none_can_still_be_changed() {
    // A machine of the operator's keeps the users; nobody was ever made an administrator.
    let server = Server::start().await;
    let build = server.service_account("build").await;
    let machine = server.generous_key(&build, "machine", Grants::Roles(&["admin"])).await;
    let machine = server.sign_in(&machine).await;
    let ada = machine.made(CREATE_USER, json!({ "email": "ada@example.com", "displayName": "Ada" })).await;
    let group = machine.made(CREATE_GROUP, json!({ "name": "ops", "memberIds": [ada] })).await;
    let analyst = server.role("analyst").await;
    for (mutation, input) in [
        (UPDATE_GROUP, json!({ "id": group, "description": "Operations" })),
        (UPDATE_GROUP, json!({ "id": group, "roleIds": [analyst] })),
        (UPDATE_GROUP, json!({ "id": group, "removeMemberIds": [ada] })),
        (UPDATE_USER, json!({ "id": ada, "roleIds": [analyst] })),
        (DEACTIVATE_USER, json!({ "id": ada })),
    ] {
        assert_eq!(machine.mistakes(mutation, input.clone()).await, [""; 0], "{input}");
    }
    server.stop().await;
}

/// Both send their mutation at the same time; says what each was told.
async fn at_once(attempts: [(Caller, &'static str, Value); 2]) -> Vec<Vec<String>> {
    let mut running = JoinSet::new();
    for (caller, mutation, input) in attempts {
        running.spawn(async move {
            let answer = caller.graphql_with(mutation, json!({ "input": input })).await;
            // Whoever was stopped first is nobody any more.
            match answer.status.as_u16() {
                401 => vec!["UNAUTHENTICATED".to_owned()],
                _ if answer.json().get("errors").is_some() => vec![answer.code()],
                _ => mistakes(&answer.data()["change"]),
            }
        });
    }
    running.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_stop_or_strip_each_other_one_remains() {
    for round in 0..6 {
        let server = Server::start().await;
        let ada = server.person("ada@example.com", &["admin"]).await;
        let bob = server.person("bob@example.com", &["admin"]).await;
        let watcher = server.service_account("watcher").await;
        let watcher = server.generous_key(&watcher, "watcher", Grants::Roles(&["auditor"])).await;
        let watcher = server.sign_in(&watcher).await;
        let against = |id: &str| match round % 3 {
            0 => (DEACTIVATE_USER, json!({ "id": id })),
            _ => (UPDATE_USER, json!({ "id": id, "roleIds": [] })),
        };
        let (to_bob, to_ada) = (against(&bob.account.public_id), against(&ada.account.public_id));
        // In every third round both are stripped by themselves.
        let (first, second) =
            if round % 3 == 2 { (&bob.caller, &ada.caller) } else { (&ada.caller, &bob.caller) };
        let told = at_once([(first.clone(), to_bob.0, to_bob.1), (second.clone(), to_ada.0, to_ada.1)]).await;
        let left = administrators(&server, &watcher).await;
        assert_eq!(left.as_array().unwrap().len(), 1, "round {round}: {told:?}, left {left}");
        assert!(told.iter().any(Vec::is_empty), "round {round}: {told:?}");
        server.stop().await;
    }
}
