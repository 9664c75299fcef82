//! `createGroup`, `updateGroup`, `deleteGroup`.

use entity::activity::ActivityKind;
use serde_json::{Value, json};

use super::{each_is_refused, started, unknown, update};
use crate::harness::Caller;
use crate::harness::changes::{CREATE_GROUP, Change, DELETE_GROUP, UPDATE_GROUP, UPDATE_USER, names};

/// A group's properties: the names of its roles as text, the addresses of its members.
async fn details(caller: &Caller, id: &str) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on Group {
        name description roles { name } members { totalCount nodes { email } } version
    } } }";
    let mut group = caller.graphql_with(query, json!({ "id": id })).await.data()["node"].take();
    group["roles"] = names(&group["roles"]).into();
    let members = group["members"]["nodes"].take();
    let members = members.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap());
    let members = members.collect::<Vec<_>>().join(" ");
    assert_eq!(group["members"]["totalCount"], json!(members.split_whitespace().count()));
    group["members"] = members.into();
    group
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "this is one story, from the making to the end")]
async fn a_group_is_made_changed_and_deleted_and_the_log_tells_it() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    let bob = server.user("bob@example.com", &["member"]).await.public_id;
    let input = json!({
        "name": " ops ", "description": " Operations ", "roleIds": [server.role("analyst").await],
        "memberIds": [bob, ada, bob],
    });
    let id = boss.caller.made(CREATE_GROUP, input).await;
    let made = json!({
        "name": "ops", "description": "Operations", "roles": "analyst",
        "members": "ada@example.com bob@example.com", "version": 1,
    });
    assert_eq!(details(&boss.caller, &id).await, made);

    let changes = json!({
        "id": id, "version": 1, "name": "sre", "description": null,
        "roleIds": [server.role("auditor").await, server.role("member").await],
        "addMemberIds": [boss.account.public_id, ada], "removeMemberIds": [bob],
    });
    boss.caller.done(UPDATE_GROUP, changes).await;
    let changed = json!({
        "name": "sre", "description": null, "roles": "auditor member",
        "members": "ada@example.com boss@example.com", "version": 2,
    });
    assert_eq!(details(&boss.caller, &id).await, changed);
    boss.caller
        .done(UPDATE_GROUP, json!({ "id": id, "removeMemberIds": [boss.account.public_id, ada] }))
        .await;
    assert_eq!(boss.caller.done(DELETE_GROUP, json!({ "id": id })).await["deletedId"], json!(id));
    assert_eq!(
        boss.caller
            .graphql_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": id }))
            .await
            .data()["node"],
        Value::Null
    );

    let told = server.changes_about(&id).await;
    assert!(told.iter().all(|change| change.actor == boss.key.id));
    let told: Vec<_> = told.into_iter().map(|Change { kind, detail, .. }| (kind, detail)).collect();
    let created = json!({ "after": {
        "name": "ops", "description": "Operations", "roles": ["analyst"], "members": [bob, ada],
    } });
    let updated = json!({
        "before": { "name": "ops", "description": "Operations", "roles": ["analyst"] },
        "after": { "name": "sre", "description": null, "roles": ["auditor", "member"] },
        "addedMembers": [boss.account.public_id], "removedMembers": [bob],
    });
    let emptied = json!({
        "before": {}, "after": {}, "addedMembers": [], "removedMembers": [boss.account.public_id, ada],
    });
    let deleted = json!({ "before": { "name": "sre", "description": null, "roles": ["auditor", "member"] } });
    let expected = [
        (ActivityKind::GroupCreated, created),
        (ActivityKind::GroupUpdated, updated),
        (ActivityKind::GroupUpdated, emptied),
        (ActivityKind::GroupDeleted, deleted),
    ];
    assert_eq!(told, expected);
    server.stop().await;
}

#[tokio::test]
async fn the_log_names_as_removed_those_alone_who_were_members() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    let bob = server.user("bob@example.com", &["member"]).await.public_id;
    let id = boss.caller.made(CREATE_GROUP, json!({ "name": "ops", "memberIds": [ada] })).await;
    boss.caller.done(UPDATE_GROUP, json!({ "id": id, "removeMemberIds": [ada, ada, bob] })).await;
    assert_eq!(server.changes_about(&id).await[1].detail["removedMembers"], json!([ada]));
    server.stop().await;
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears_the_description_alone() {
    let (server, boss) = started().await;
    let analyst = server.role("analyst").await;
    let full = json!({
        "name": "ops", "description": "Operations", "roleIds": [analyst], "memberIds": [boss.account.public_id],
    });
    let id = boss.caller.made(CREATE_GROUP, full).await;
    let mut expected = details(&boss.caller, &id).await;
    let steps = [
        json!({ "name": "sre" }),
        json!({
            "name": null, "description": null, "roleIds": null, "addMemberIds": null, "removeMemberIds": null,
            "version": null,
        }),
        json!({ "description": "  " }),
        json!({ "roleIds": [] }),
    ];
    for (n, step) in steps.iter().enumerate() {
        boss.caller.done(UPDATE_GROUP, update(&id, step)).await;
        match n {
            0 => expected["name"] = json!("sre"),
            3 => expected["roles"] = json!(""),
            _ => expected["description"] = Value::Null,
        }
        expected["version"] = json!(n + 2);
        assert_eq!(details(&boss.caller, &id).await, expected, "{step}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let other = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let id = boss.caller.made(CREATE_GROUP, json!({ "name": "sre" })).await;
    let service = server.service_account("build").await.public_id;
    let taken = format!("NAME_TAKEN input.name {other}");
    let (no_role, nobody) = (unknown("role"), unknown("user"));
    let missing = format!("NOT_FOUND input.roleIds {no_role}");
    let both = [
        (json!({ "name": "" }), "INVALID input.name"),
        (json!({ "name": "a\u{0}b" }), "INVALID input.name"),
        (json!({ "name": "é".repeat(101) }), "TOO_LONG input.name"),
        (json!({ "name": " ops " }), taken.as_str()),
        (json!({ "description": "bell\u{7}" }), "INVALID input.description"),
        (json!({ "description": "x".repeat(1001) }), "TOO_LONG input.description"),
        (json!({ "roleIds": [no_role] }), missing.as_str()),
        (json!({ "roleIds": [other] }), "INVALID input.roleIds"),
    ];
    let by = (&server, &boss.caller);
    let created = both.iter().map(|(with, expected)| {
        let mut input = json!({ "name": "new" });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        (input, (*expected).to_owned())
    });
    each_is_refused(by, CREATE_GROUP, created).await;
    let members = |ids: Value| json!({ "name": "new", "memberIds": ids });
    let created = [
        (members(json!([service])), "INVALID input.memberIds".to_owned()),
        (members(json!([boss.account.public_id, nobody])), format!("NOT_FOUND input.memberIds {nobody}")),
    ];
    each_is_refused(by, CREATE_GROUP, created).await;
    let updated = both.iter().map(|(with, expected)| (update(&id, with), (*expected).to_owned()));
    each_is_refused(by, UPDATE_GROUP, updated).await;
    let updated = [
        (json!({ "id": id, "addMemberIds": [nobody] }), format!("NOT_FOUND input.addMemberIds {nobody}")),
        (json!({ "id": id, "addMemberIds": [service] }), "INVALID input.addMemberIds".to_owned()),
        (json!({ "id": id, "removeMemberIds": ["x"] }), "INVALID input.removeMemberIds".to_owned()),
        (json!({ "id": id, "version": 2 }), format!("VERSION_CONFLICT input.version {id}")),
        (json!({ "id": unknown("group") }), format!("NOT_FOUND input.id {}", unknown("group"))),
        (json!({ "id": boss.account.public_id }), "INVALID input.id".to_owned()),
    ];
    each_is_refused(by, UPDATE_GROUP, updated).await;
    let gone = [(json!({ "id": unknown("group") }), format!("NOT_FOUND input.id {}", unknown("group")))];
    each_is_refused(by, DELETE_GROUP, gone).await;
    server.stop().await;
}

#[tokio::test]
async fn a_service_account_in_the_disguise_of_a_user_is_nobody() {
    let (server, boss) = started().await;
    let disguised = server.service_account("build").await.public_id.replace("svc_", "user_");
    let id = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let by = (&server, &boss.caller);
    let created = (
        json!({ "name": "new", "memberIds": [disguised] }),
        format!("NOT_FOUND input.memberIds {disguised}"),
    );
    each_is_refused(by, CREATE_GROUP, [created]).await;
    let added = (
        json!({ "id": id, "addMemberIds": [disguised] }),
        format!("NOT_FOUND input.addMemberIds {disguised}"),
    );
    each_is_refused(by, UPDATE_GROUP, [added]).await;
    server.stop().await;
}

#[tokio::test]
async fn a_group_with_members_stays_and_its_members_are_named() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    let id = boss.caller.made(CREATE_GROUP, json!({ "name": "ops", "memberIds": [ada] })).await;
    let before = server.whole_state().await;
    let mistake = boss.caller.mistake(DELETE_GROUP, json!({ "id": id })).await;
    let told = ["code", "field", "targetId", "relatedIds"].map(|name| mistake[name].clone());
    assert_eq!(told, [json!("IN_USE"), json!(["input", "id"]), json!(id), json!([ada])]);
    assert!(server.whole_state().await == before);

    // At most 100 are named.
    let mut many = Vec::new();
    for n in 0..101 {
        many.push(server.user(&format!("u{n:03}@example.com"), &[]).await.public_id);
    }
    boss.caller.done(UPDATE_GROUP, json!({ "id": id, "addMemberIds": many })).await;
    let mistake = boss.caller.mistake(DELETE_GROUP, json!({ "id": id })).await;
    assert_eq!(mistake["relatedIds"].as_array().unwrap().len(), 100);
    server.stop().await;
}

#[tokio::test]
async fn a_users_groups_can_be_chosen_at_the_user_too() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    let ops = boss.caller.made(CREATE_GROUP, json!({ "name": "ops", "memberIds": [ada] })).await;
    let sre = boss.caller.made(CREATE_GROUP, json!({ "name": "sre" })).await;
    boss.caller.done(UPDATE_USER, json!({ "id": ada, "groupIds": [sre] })).await;
    assert_eq!(details(&boss.caller, &ops).await["members"], "");
    assert_eq!(details(&boss.caller, &sre).await["members"], "ada@example.com");
    let unknown = unknown("group");
    let mistake = boss.caller.mistake(UPDATE_USER, json!({ "id": ada, "groupIds": [sre, unknown] })).await;
    assert_eq!((&mistake["targetId"], &mistake["code"]), (&json!(unknown), &json!("NOT_FOUND")));
    assert_eq!(mistake["message"], format!("There is no {unknown}."));
    server.stop().await;
}
