//! `createUser`, `updateUser`, `deactivateUser`, `reactivateUser`.

use entity::activity::ActivityKind;
use serde_json::{Value, json};

use super::{each_is_refused, started, unknown, update};
use crate::harness::changes::{
    CREATE_GROUP, CREATE_USER, Change, DEACTIVATE_USER, REACTIVATE_USER, UPDATE_USER, names,
};
use crate::harness::{Caller, Grants, Server};

const DETAILS: &str = "query ($id: ID!) { node(id: $id) { ... on User {
    email handle displayName active roles { name } groups { name } effectiveScopes { name }
    createdAt lastSignInAt version
} } }";
const PASSWORD: &str = "a long walk in the rain";

/// A user's properties, lists of names as text.
async fn details(caller: &Caller, id: &str) -> Value {
    let mut user = caller.graphql_with(DETAILS, json!({ "id": id })).await.data()["node"].take();
    for list in ["roles", "groups", "effectiveScopes"] {
        user[list] = names(&user[list]).into();
    }
    user
}

/// Nothing that is kept or logged has this text.
async fn is_kept_nowhere(server: &Server, secret: &str) {
    let stored = server.place().stored().await;
    let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(!found, "a plain password was stored");
    for row in server.log().await {
        let told = row.detail.unwrap_or_default();
        assert!(!told.contains("argon2") && !told.contains(secret), "{:?} tells a password", row.kind);
    }
}

#[tokio::test]
async fn a_user_is_made_of_all_that_was_given() {
    let (server, boss) = started().await;
    let analyst = server.role("analyst").await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops", "roleIds": [analyst] })).await;
    let input = json!({
        "email": " Ada@Example.com ", "handle": " ada.l ", "displayName": " Ada Lovelace ", "password": PASSWORD,
        "roleIds": [server.role("member").await], "groupIds": [group],
    });
    let id = boss.caller.made(CREATE_USER, input).await;
    let found = details(&boss.caller, &id).await;
    insta::assert_snapshot!(found, @r#"{"active":true,"createdAt":"2026-11-21T09:00:00.000Z","displayName":"Ada Lovelace","effectiveScopes":"activity:read activity:read:any keys:read keys:use keys:write roles:read scopes:read","email":"ada@example.com","groups":"ops","handle":"ada.l","lastSignInAt":null,"roles":"member","version":1}"#);
    let told = json!({
        "email": "ada@example.com", "handle": "ada.l", "displayName": "Ada Lovelace",
        "roles": ["member"], "groups": ["ops"],
    });
    let expected = Change {
        kind: ActivityKind::UserCreated,
        actor: boss.key.id.clone(),
        detail: json!({ "after": told }),
    };
    assert_eq!(server.changes_about(&id).await, [expected]);
    is_kept_nowhere(&server, PASSWORD).await;
    server.stop().await;
}

/// Proves: D-01
#[tokio::test]
async fn a_user_is_a_member_unless_roles_are_given() {
    let (server, boss) = started().await;
    let auditor = server.role("auditor").await;
    let cases = [
        ("left-out@example.com", None, "member"),
        ("null@example.com", Some(Value::Null), "member"),
        ("none@example.com", Some(json!([])), ""),
        ("auditor@example.com", Some(json!([auditor])), "auditor"),
        ("twice@example.com", Some(json!([auditor, auditor])), "auditor"),
    ];
    for (email, roles, expected) in cases {
        let mut input = json!({ "email": email, "displayName": "x" });
        if let Some(roles) = roles {
            input["roleIds"] = roles;
        }
        let id = boss.caller.made(CREATE_USER, input).await;
        let found = details(&boss.caller, &id).await;
        assert_eq!((&found["roles"], &found["handle"]), (&json!(expected), &Value::Null), "{email}");
        assert_eq!((&found["active"], &found["version"]), (&json!(true), &json!(1)));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_group_named_twice_is_joined_once() {
    let (server, boss) = started().await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let input = json!({ "email": "ada@example.com", "displayName": "Ada", "groupIds": [group, group] });
    let id = boss.caller.made(CREATE_USER, input).await;
    assert_eq!(details(&boss.caller, &id).await["groups"], "ops");
    boss.caller.done(UPDATE_USER, json!({ "id": id, "groupIds": [group, group] })).await;
    assert_eq!(details(&boss.caller, &id).await["groups"], "ops");
    server.stop().await;
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears_the_handle_alone() {
    let (server, boss) = started().await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let input = json!({
        "email": "ada@example.com", "handle": "ada", "displayName": "Ada", "password": PASSWORD, "groupIds": [group],
    });
    let id = boss.caller.made(CREATE_USER, input).await;
    let before = details(&boss.caller, &id).await;

    boss.caller.done(UPDATE_USER, json!({ "id": id, "displayName": "Ada L." })).await;
    let mut expected = before.clone();
    (expected["displayName"], expected["version"]) = (json!("Ada L."), json!(2));
    assert_eq!(details(&boss.caller, &id).await, expected);

    let nulls = json!({
        "id": id, "email": null, "handle": null, "displayName": null, "password": null, "roleIds": null,
        "groupIds": null, "version": null,
    });
    boss.caller.done(UPDATE_USER, nulls).await;
    (expected["handle"], expected["version"]) = (Value::Null, json!(3));
    assert_eq!(details(&boss.caller, &id).await, expected);

    let none = json!({ "id": id, "roleIds": [], "groupIds": [] });
    boss.caller.done(UPDATE_USER, none).await;
    let found = details(&boss.caller, &id).await;
    assert_eq!([&found["roles"], &found["groups"], &found["effectiveScopes"]], ["", "", ""]);
    server.stop().await;
}

#[tokio::test]
async fn everything_can_be_changed_and_the_log_tells_what_was() {
    let (server, boss) = started().await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let id = boss.caller.made(CREATE_USER, json!({ "email": "ada@example.com", "displayName": "Ada" })).await;
    let changes = json!({
        "id": id, "version": 1, "email": "LOVELACE@example.com", "handle": "ada", "displayName": "Ada L.",
        "password": PASSWORD, "roleIds": [server.role("auditor").await], "groupIds": [group],
    });
    boss.caller.done(UPDATE_USER, changes).await;
    let found = details(&boss.caller, &id).await;
    insta::assert_snapshot!(found, @r#"{"active":true,"createdAt":"2026-11-21T09:00:00.000Z","displayName":"Ada L.","effectiveScopes":"activity:read activity:read:any groups:read keys:read keys:read:any roles:read scopes:read service-accounts:read settings:read users:read","email":"lovelace@example.com","groups":"ops","handle":"ada","lastSignInAt":null,"roles":"auditor","version":2}"#);
    let told = json!({
        "before": {
            "email": "ada@example.com", "handle": null, "displayName": "Ada", "roles": ["member"], "groups": [],
        },
        "after": {
            "email": "lovelace@example.com", "handle": "ada", "displayName": "Ada L.", "roles": ["auditor"],
            "groups": ["ops"],
        },
    });
    let changes = server.changes_about(&id).await;
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    let expected = [ActivityKind::UserCreated, ActivityKind::UserUpdated, ActivityKind::PasswordChanged];
    assert_eq!(kinds, expected);
    assert!(changes.iter().all(|change| change.actor == boss.key.id));
    assert_eq!((&changes[1].detail, &changes[2].detail), (&told, &Value::Null));
    is_kept_nowhere(&server, PASSWORD).await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_invalid_is_refused_with_its_field_and_changes_nothing() {
    let (server, boss) = started().await;
    let group = boss.caller.made(CREATE_GROUP, json!({ "name": "ops" })).await;
    let target = server.user("ada@example.com", &["member"]).await.public_id;
    let (no_role, no_group) = (unknown("role"), unknown("group"));
    let missing_role = format!("NOT_FOUND input.roleIds {no_role}");
    let missing_group = format!("NOT_FOUND input.groupIds {no_group}");
    let wrong = [
        (json!({ "email": "" }), "INVALID input.email"),
        (json!({ "email": "ada" }), "INVALID input.email"),
        (json!({ "email": "a\u{0}b@example.com" }), "INVALID input.email"),
        (json!({ "email": format!("{}@example.com", "a".repeat(243)) }), "TOO_LONG input.email"),
        (json!({ "handle": "" }), "INVALID input.handle"),
        (json!({ "handle": "a b" }), "INVALID input.handle"),
        (json!({ "handle": "a\u{0}" }), "INVALID input.handle"),
        (json!({ "handle": "a".repeat(101) }), "TOO_LONG input.handle"),
        (json!({ "displayName": " " }), "INVALID input.displayName"),
        (json!({ "displayName": "a\nb" }), "INVALID input.displayName"),
        (json!({ "displayName": "é".repeat(101) }), "TOO_LONG input.displayName"),
        (json!({ "password": "too short" }), "INVALID input.password"),
        (json!({ "roleIds": ["nonsense"] }), "INVALID input.roleIds"),
        (json!({ "roleIds": [group] }), "INVALID input.roleIds"),
        (json!({ "groupIds": [target] }), "INVALID input.groupIds"),
        (json!({ "roleIds": [no_role] }), &*missing_role),
        (json!({ "groupIds": [group, no_group] }), &*missing_group),
    ];
    let by = (&server, &boss.caller);
    let created = wrong.iter().map(|(with, expected)| {
        let mut input = json!({ "email": "bob@example.com", "displayName": "Bob" });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        (input, (*expected).to_owned())
    });
    each_is_refused(by, CREATE_USER, created).await;
    let updated = wrong.iter().map(|(with, expected)| (update(&target, with), (*expected).to_owned()));
    each_is_refused(by, UPDATE_USER, updated).await;
    server.stop().await;
}

#[tokio::test]
async fn an_address_and_a_handle_belong_to_one_user() {
    let (server, boss) = started().await;
    let ada = json!({ "email": "ada@example.com", "handle": "ada", "displayName": "Ada" });
    let ada = boss.caller.made(CREATE_USER, ada).await;
    let bob = json!({ "email": "bob@example.com", "handle": "bob", "displayName": "Bob" });
    let bob = boss.caller.made(CREATE_USER, bob).await;
    let by = (&server, &boss.caller);
    let (address, handle) =
        (format!("NAME_TAKEN input.email {ada}"), format!("NAME_TAKEN input.handle {ada}"));
    let created = [
        (json!({ "email": "ADA@example.com ", "displayName": "x" }), address.clone()),
        (json!({ "email": "new@example.com", "handle": "ada", "displayName": "x" }), handle.clone()),
    ];
    each_is_refused(by, CREATE_USER, created).await;
    let updated = [
        (json!({ "id": bob, "email": "Ada@example.com" }), address),
        (json!({ "id": bob, "handle": "ada" }), handle),
    ];
    each_is_refused(by, UPDATE_USER, updated).await;
    // One's own is free; so is what somebody gave up. A deactivated user keeps theirs.
    boss.caller.done(UPDATE_USER, json!({ "id": ada, "email": "ada@example.com", "handle": "ada" })).await;
    boss.caller.done(UPDATE_USER, json!({ "id": ada, "handle": "countess" })).await;
    boss.caller.done(UPDATE_USER, json!({ "id": bob, "handle": "ada" })).await;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": ada })).await;
    let taken = json!({ "email": "ada@example.com", "displayName": "x" });
    assert_eq!(boss.caller.mistakes(CREATE_USER, taken).await, [format!("NAME_TAKEN input.email {ada}")]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    let (server, boss) = started().await;
    let service = server.service_account("build").await;
    let as_user = service.public_id.replace("svc_", "user_");
    for id in [unknown("user"), as_user] {
        for mutation in [UPDATE_USER, DEACTIVATE_USER, REACTIVATE_USER] {
            let attempt = [(json!({ "id": id }), format!("NOT_FOUND input.id {id}"))];
            each_is_refused((&server, &boss.caller), mutation, attempt).await;
        }
    }
    for id in [&*service.public_id, "nonsense", ""] {
        for mutation in [UPDATE_USER, DEACTIVATE_USER, REACTIVATE_USER] {
            let attempt = [(json!({ "id": id }), "INVALID input.id".to_owned())];
            each_is_refused((&server, &boss.caller), mutation, attempt).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn of_two_who_read_the_same_version_one_is_refused() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    let one = json!({ "id": ada, "version": 1, "displayName": "one" });
    assert_eq!(boss.caller.done(UPDATE_USER, one).await["user"]["version"], 2);
    let other = json!({ "id": ada, "version": 1, "displayName": "other" });
    let expected = format!("VERSION_CONFLICT input.version {ada}");
    each_is_refused((&server, &boss.caller), UPDATE_USER, [(other, expected)]).await;
    assert_eq!(details(&boss.caller, &ada).await["displayName"], "one");
    server.stop().await;
}

/// Proves: D-03
#[tokio::test]
async fn stopping_and_letting_go_are_done_and_logged_once() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await.public_id;
    let steps = [(DEACTIVATE_USER, false, 2), (DEACTIVATE_USER, false, 2), (REACTIVATE_USER, true, 3)];
    for (mutation, active, version) in steps.into_iter().chain([(REACTIVATE_USER, true, 3)]) {
        let user = boss.caller.done(mutation, json!({ "id": ada })).await["user"].take();
        assert_eq!((&user["active"], &user["version"]), (&json!(active), &json!(version)));
        assert_eq!(details(&boss.caller, &ada).await["active"], active);
    }
    let changes = server.changes_about(&ada).await;
    let told: Vec<_> = changes.iter().map(|change| (change.kind, change.actor.as_str())).collect();
    let by = boss.key.id.as_str();
    assert_eq!(told, [(ActivityKind::UserDeactivated, by), (ActivityKind::UserReactivated, by)]);
    server.stop().await;
}

#[tokio::test]
async fn whoever_stops_a_user_is_told_of_the_machines_they_leave_behind() {
    let (server, boss) = started().await;
    let maker = server.person("maker@example.com", &["admin"]).await;
    let other = server.person("other@example.com", &["admin"]).await;
    let build = server.service_account("build").await;
    let make = |name: &'static str, owner: Option<String>| json!({ "name": name, "ownerId": owner, "scopes": ["keys:read"] });
    let create = crate::harness::keys::CREATE;
    let own = || Some(build.public_id.clone());
    maker.caller.made(create, make("deploy", own())).await;
    maker.caller.made(create, make("backup", own())).await;
    maker.caller.made(create, make("of the user", None)).await;
    other.caller.made(create, make("somebody else's", own())).await;
    server.key(&build, "the operator's", Grants::Scopes(&["keys:read"])).await;
    let gone = maker.caller.made(create, make("gone", own())).await;
    maker.caller.done(crate::harness::keys::DELETE, json!({ "selection": { "ids": [gone] } })).await;

    let id = json!({ "id": maker.account.public_id });
    let payload = boss.caller.done(DEACTIVATE_USER, id.clone()).await;
    let listed = |payload: &Value| {
        let mut names: Vec<String> =
            names(&payload["serviceAccountKeys"]).split(' ').map(str::to_owned).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(listed(&payload), "backup deploy");
    // Once more tells the same; who may see no keys of others is told of none.
    assert_eq!(listed(&boss.caller.done(DEACTIVATE_USER, id.clone()).await), "backup deploy");
    let few = server.generous_key(&boss.account, "few", Grants::Scopes(&["users:write"])).await;
    let few = server.sign_in(&few).await;
    assert_eq!(few.done(DEACTIVATE_USER, id).await["serviceAccountKeys"], json!([]));
    server.stop().await;
}
