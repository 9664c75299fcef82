//! Every way in which a weaker caller could come to hold a stronger one's powers through users, groups, roles and scopes.
//! Each is tried and refused, and leaves everything as it was; whoever holds enough may do the same.

use serde_json::{Value, json};

use crate::harness::changes::{
    CREATE_API, CREATE_GROUP, CREATE_ROLE, CREATE_SCOPE, CREATE_USER, DEACTIVATE_USER, REACTIVATE_USER,
    UPDATE_GROUP, UPDATE_ROLE, UPDATE_SCOPE, UPDATE_USER,
};
use crate::harness::keys::Person;
use crate::harness::{Caller, Grants, Server};

const PASSWORD: &str = "a long walk in the rain";
/// What somebody holds who keeps the directory and is no administrator.
const CLERK: &[&str] = &[
    "keys:use",
    "keys:read",
    "keys:write",
    "users:read",
    "users:write",
    "groups:read",
    "groups:write",
    "roles:read",
    "roles:write",
    "scopes:read",
    "scopes:write",
    "service-accounts:write",
    "activity:read",
];

/// An administrator, and a clerk who is weaker in one thing or another.
struct Office {
    server: Server,
    boss: Person,
    clerk: Person,
    /// The role that makes the clerk.
    role: String,
}

impl Office {
    async fn open() -> Self {
        let server = Server::start().await;
        let boss = server.person("boss@example.com", &["admin"]).await;
        let role = boss.caller.made(CREATE_ROLE, json!({ "name": "clerk", "scopes": CLERK })).await;
        let clerk = server.person("clerk@example.com", &["clerk"]).await;
        Self { server, boss, clerk, role }
    }

    /// The clerk is refused with this user error and nothing changes.
    async fn refused(&self, mutation: &str, input: Value, expected: &str) {
        refused(&self.server, &self.clerk.caller, (mutation, input), expected).await;
    }

    /// The clerk is refused with this user error and nothing changes; the administrator may.
    async fn for_the_boss_alone(&self, mutation: &str, input: Value, expected: &str) {
        self.refused(mutation, input.clone(), expected).await;
        self.boss.caller.done(mutation, input).await;
    }
}

async fn refused(server: &Server, caller: &Caller, (mutation, input): (&str, Value), expected: &str) {
    let before = server.whole_state().await;
    assert_eq!(caller.mistakes(mutation, input.clone()).await, [expected], "{input}");
    assert!(server.whole_state().await == before, "{input} has changed something");
}

fn user(email: &str, with: Value) -> Value {
    let mut input = with;
    (input["email"], input["displayName"]) = (json!(email), json!("x"));
    input
}

#[tokio::test]
async fn nobody_makes_a_user_who_is_stronger() {
    let office = Office::open().await;
    let server = &office.server;
    let mut strong = Vec::new();
    for role in ["admin", "auditor", "key-manager", "analyst"] {
        strong.push(server.role(role).await);
    }
    for (n, role) in strong.iter().enumerate() {
        let input = user(&format!("r{n}@example.com"), json!({ "roleIds": [office.role, role] }));
        office.for_the_boss_alone(CREATE_USER, input, "SCOPE_NOT_HELD input.roleIds").await;
        let group = json!({ "name": format!("g{n}"), "roleIds": [role] });
        let group = office.boss.caller.made(CREATE_GROUP, group).await;
        let input = user(&format!("g{n}@example.com"), json!({ "roleIds": [], "groupIds": [group] }));
        office.for_the_boss_alone(CREATE_USER, input, "SCOPE_NOT_HELD input.groupIds").await;
    }
    // As strong as the clerk they may be.
    let input = user("equal@example.com", json!({ "roleIds": [office.role] }));
    office.clerk.caller.done(CREATE_USER, input).await;
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_gives_themselves_or_others_a_stronger_role_or_group() {
    let office = Office::open().await;
    let admins = json!({ "name": "admins", "roleIds": [office.server.role("admin").await] });
    let admins = office.boss.caller.made(CREATE_GROUP, admins).await;
    let auditor = office.server.role("auditor").await;
    let weak = office.server.user("weak@example.com", &["member"]).await.public_id;
    let stopped = office.server.user("stopped@example.com", &["clerk"]).await.public_id;
    office.boss.caller.done(DEACTIVATE_USER, json!({ "id": stopped })).await;
    for id in [&weak, &stopped, &office.clerk.account.public_id] {
        let roles = json!({ "id": id, "roleIds": [office.role, auditor] });
        office.for_the_boss_alone(UPDATE_USER, roles, "SCOPE_NOT_HELD input.roleIds").await;
        office.boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [office.role] })).await;
        let groups = json!({ "id": id, "groupIds": [admins] });
        office.for_the_boss_alone(UPDATE_USER, groups, "SCOPE_NOT_HELD input.groupIds").await;
        office.boss.caller.done(UPDATE_USER, json!({ "id": id, "groupIds": [] })).await;
        let both = json!({ "id": id, "roleIds": [office.role], "groupIds": [admins] });
        office.refused(UPDATE_USER, both, "SCOPE_NOT_HELD input.groupIds").await;
    }
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_becomes_a_stronger_user_by_password_or_address() {
    let office = Office::open().await;
    let strong = [
        office.boss.account.public_id.clone(),
        office.server.user("auditor@example.com", &["auditor"]).await.public_id,
        office.server.user("stopped@example.com", &["admin"]).await.public_id,
    ];
    office.boss.caller.done(DEACTIVATE_USER, json!({ "id": strong[2] })).await;
    for (n, id) in strong.iter().enumerate() {
        let (password, mail) = ("SCOPE_NOT_HELD input.password", "SCOPE_NOT_HELD input.email");
        // Together with what would make the user weaker it is the same.
        let weaker = json!({ "id": id, "password": PASSWORD, "roleIds": [], "groupIds": [] });
        office.refused(UPDATE_USER, weaker, password).await;
        office.for_the_boss_alone(UPDATE_USER, json!({ "id": id, "password": PASSWORD }), password).await;
        let address = json!({ "id": id, "email": format!("mine{n}@example.com") });
        office.for_the_boss_alone(UPDATE_USER, address, mail).await;
        // The name alone yields nothing.
        office.clerk.caller.done(UPDATE_USER, json!({ "id": id, "displayName": "x" })).await;
    }
    let weak = office.server.user("weak@example.com", &["clerk"]).await.public_id;
    let input = json!({ "id": weak, "password": PASSWORD, "email": "new@example.com" });
    office.clerk.caller.done(UPDATE_USER, input).await;
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_reactivates_a_stronger_user() {
    let office = Office::open().await;
    let admins = json!({ "name": "admins", "roleIds": [office.server.role("admin").await] });
    let admins = office.boss.caller.made(CREATE_GROUP, admins).await;
    let direct = office.server.user("direct@example.com", &["auditor"]).await.public_id;
    let through = user("through@example.com", json!({ "groupIds": [admins] }));
    let through = office.boss.caller.made(CREATE_USER, through).await;
    let weak = office.server.user("weak@example.com", &["clerk"]).await.public_id;
    for id in [&direct, &through, &weak] {
        office.boss.caller.done(DEACTIVATE_USER, json!({ "id": id })).await;
    }
    for id in [&direct, &through] {
        office.for_the_boss_alone(REACTIVATE_USER, json!({ "id": id }), "SCOPE_NOT_HELD input.id").await;
    }
    office.clerk.caller.done(REACTIVATE_USER, json!({ "id": weak })).await;
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_joins_or_makes_a_stronger_group() {
    let office = Office::open().await;
    let auditor = office.server.role("auditor").await;
    let own = office.clerk.account.public_id.clone();
    let other = office.server.user("weak@example.com", &[]).await.public_id;
    let strong =
        office.boss.caller.made(CREATE_GROUP, json!({ "name": "strong", "roleIds": [auditor] })).await;
    let without = "SCOPE_NOT_HELD input.roleIds";
    for (n, member) in [&own, &other].into_iter().enumerate() {
        let made = json!({ "name": format!("g{n}"), "roleIds": [auditor], "memberIds": [member] });
        office.for_the_boss_alone(CREATE_GROUP, made, without).await;
        let joined = json!({ "id": strong, "addMemberIds": [member] });
        office.for_the_boss_alone(UPDATE_GROUP, joined.clone(), "SCOPE_NOT_HELD input.addMemberIds").await;
        let left = json!({ "id": strong, "removeMemberIds": [member] });
        office.boss.caller.done(UPDATE_GROUP, left).await;
        // In and out in one change, or in while the role is put back: refused as well.
        let back = json!({ "id": strong, "roleIds": [auditor], "addMemberIds": [member] });
        office.refused(UPDATE_GROUP, back, "SCOPE_NOT_HELD input.addMemberIds").await;
    }
    // An empty group for later is refused too.
    office.refused(CREATE_GROUP, json!({ "name": "later", "roleIds": [auditor] }), without).await;
    // Taking the role away and joining what is left yields nothing.
    let harmless = json!({ "id": strong, "roleIds": [], "addMemberIds": [own] });
    office.clerk.caller.done(UPDATE_GROUP, harmless).await;
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_puts_a_stronger_role_on_a_group() {
    let office = Office::open().await;
    let own = &office.clerk.account.public_id;
    let mine = office.clerk.caller.made(CREATE_GROUP, json!({ "name": "mine", "memberIds": [own] })).await;
    let empty = office.clerk.caller.made(CREATE_GROUP, json!({ "name": "empty" })).await;
    for group in [&mine, &empty] {
        for role in ["admin", "auditor"] {
            let role = office.server.role(role).await;
            let input = json!({ "id": group, "roleIds": [role, office.role] });
            office.for_the_boss_alone(UPDATE_GROUP, input, "SCOPE_NOT_HELD input.roleIds").await;
            office.boss.caller.done(UPDATE_GROUP, json!({ "id": group, "roleIds": [] })).await;
        }
        office.clerk.caller.done(UPDATE_GROUP, json!({ "id": group, "roleIds": [office.role] })).await;
    }
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_puts_a_scope_into_a_role_that_they_do_not_hold() {
    let office = Office::open().await;
    let unused = json!({ "name": "unused", "scopes": ["keys:read"] });
    let unused = office.clerk.caller.made(CREATE_ROLE, unused).await;
    let without = "SCOPE_NOT_HELD input.scopes";
    let build = office.server.service_account("build").await;
    let machine = office.server.generous_key(&build, "machine", Grants::Roles(&["clerk"])).await;
    for more in ["settings:write", "keys:write:any", "activity:read:any"] {
        let scopes = [CLERK, &[more]].concat();
        office.refused(UPDATE_ROLE, json!({ "id": office.role, "scopes": scopes }), without).await;
        office.refused(UPDATE_ROLE, json!({ "id": unused, "scopes": [more] }), without).await;
        office.refused(CREATE_ROLE, json!({ "name": "new", "scopes": ["keys:read", more] }), without).await;
    }
    // What was refused has reached nobody.
    for key in [&machine, &office.clerk.key] {
        let caller = office.server.sign_in(key).await;
        let held = caller.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"].take();
        assert_eq!(held.as_array().unwrap().len(), CLERK.len());
    }
    let scopes = [CLERK, &["settings:write"]].concat();
    office.boss.caller.done(UPDATE_ROLE, json!({ "id": office.role, "scopes": scopes })).await;
    // Less, and what the role has already, is nothing that is given.
    let strong = json!({ "name": "strong", "scopes": ["settings:read", "keys:read"] });
    let strong = office.boss.caller.made(CREATE_ROLE, strong).await;
    office.clerk.caller.done(UPDATE_ROLE, json!({ "id": strong, "scopes": ["settings:read"] })).await;
    office.server.stop().await;
}

#[tokio::test]
async fn nobody_changes_the_kind_of_a_scope_that_they_do_not_hold() {
    let office = Office::open().await;
    let api =
        office.clerk.caller.made(CREATE_API, json!({ "identifier": "urn:bills", "name": "Bills" })).await;
    let boss = |key| office.server.sign_in(key);
    for (name, kind, other) in [("bills:read", "READ", "WRITE"), ("bills:write", "WRITE", "READ")] {
        let scope = json!({ "apiId": api, "name": name, "kind": kind });
        let scope = office.clerk.caller.made(CREATE_SCOPE, scope).await;
        let input = json!({ "id": scope, "kind": other });
        let without = "SCOPE_NOT_HELD input.kind";
        office.refused(UPDATE_SCOPE, input.clone(), without).await;
        // Who made it does not hold it, nor does a token from before it was made.
        refused(&office.server, &office.boss.caller, (UPDATE_SCOPE, input.clone()), without).await;
        boss(&office.boss.key).await.done(UPDATE_SCOPE, input).await;
        let same = json!({ "id": scope, "kind": other, "description": "x" });
        office.clerk.caller.done(UPDATE_SCOPE, same).await;
        // Nor does making a scope put it within reach.
        office
            .refused(CREATE_ROLE, json!({ "name": "x", "scopes": [name] }), "SCOPE_NOT_HELD input.scopes")
            .await;
    }
    office.server.stop().await;
}

#[tokio::test]
async fn everything_that_there_is_today_is_not_what_an_administrator_holds() {
    // A role of all scopes is less than `admin`, which has those of tomorrow too.
    let office = Office::open().await;
    let all = latchkey::access::builtin::SCOPES.map(|scope| scope.name);
    office.boss.caller.made(CREATE_ROLE, json!({ "name": "today", "scopes": all })).await;
    let today = office.server.person("today@example.com", &["today"]).await;
    let own = &today.account.public_id;
    let admin = office.server.role("admin").await;
    let roles = "SCOPE_NOT_HELD input.roleIds";
    let group = office.boss.caller.made(CREATE_GROUP, json!({ "name": "admins", "roleIds": [admin] })).await;
    let mine = today.caller.made(CREATE_GROUP, json!({ "name": "mine", "memberIds": [own] })).await;
    let attempts = [
        (UPDATE_USER, json!({ "id": own, "roleIds": [admin] }), roles),
        (CREATE_USER, user("new@example.com", json!({ "roleIds": [admin] })), roles),
        (CREATE_GROUP, json!({ "name": "x", "roleIds": [admin], "memberIds": [own] }), roles),
        (
            UPDATE_USER,
            json!({ "id": office.boss.account.public_id, "password": PASSWORD }),
            "SCOPE_NOT_HELD input.password",
        ),
        (UPDATE_GROUP, json!({ "id": mine, "roleIds": [admin] }), roles),
        (UPDATE_USER, json!({ "id": own, "groupIds": [group] }), "SCOPE_NOT_HELD input.groupIds"),
        (UPDATE_GROUP, json!({ "id": group, "addMemberIds": [own] }), "SCOPE_NOT_HELD input.addMemberIds"),
    ];
    let mut wrong = Vec::new();
    for (mutation, input, expected) in attempts {
        let told = today.caller.mistakes(mutation, input.clone()).await;
        if told != [expected] {
            wrong.push((input, told));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    office.server.stop().await;
}

#[tokio::test]
async fn a_narrowed_key_gives_no_more_than_it_has() {
    let office = Office::open().await;
    let boss = &office.boss.account;
    let (own, member) = (&boss.public_id, office.server.role("member").await);
    let unused = office.boss.caller.made(CREATE_ROLE, json!({ "name": "unused", "scopes": [] })).await;
    let group = json!({ "name": "members", "roleIds": [member] });
    let group = office.boss.caller.made(CREATE_GROUP, group).await;
    let weak = office.server.user("weak@example.com", &["member"]).await.public_id;
    office.boss.caller.done(DEACTIVATE_USER, json!({ "id": weak })).await;
    let attempts: [(&[&str], _, _, _); 11] = [
        (&["roles:write"], UPDATE_ROLE, json!({ "id": unused, "scopes": ["keys:read"] }), "scopes"),
        (&["roles:write"], CREATE_ROLE, json!({ "name": "x", "scopes": ["roles:read"] }), "scopes"),
        (&["users:write"], CREATE_USER, user("a@example.com", json!({})), "roleIds"),
        (&["users:write"], CREATE_USER, user("b@example.com", json!({ "roleIds": [member] })), "roleIds"),
        (&["users:write"], UPDATE_USER, json!({ "id": own, "password": PASSWORD }), "password"),
        (&["users:write"], UPDATE_USER, json!({ "id": own, "email": "c@example.com" }), "email"),
        (&["users:write"], UPDATE_USER, json!({ "id": weak, "password": PASSWORD }), "password"),
        (&["users:write"], REACTIVATE_USER, json!({ "id": weak }), "id"),
        (&["groups:write"], CREATE_GROUP, json!({ "name": "x", "roleIds": [member] }), "roleIds"),
        (&["groups:write"], UPDATE_GROUP, json!({ "id": group, "addMemberIds": [weak] }), "addMemberIds"),
        (
            &["groups:write", "keys:use", "keys:read"],
            UPDATE_GROUP,
            json!({ "id": group, "addMemberIds": [own] }),
            "addMemberIds",
        ),
    ];
    for (n, (scopes, mutation, input, field)) in attempts.into_iter().enumerate() {
        let key = office.server.generous_key(boss, &format!("narrow {n}"), Grants::Scopes(scopes)).await;
        let asked = scopes.join(" ");
        let by_key = office.server.sign_in(&key).await;
        let by_token = office.server.sign_in_with(&office.boss.key, &[("scope", &asked)]).await;
        for caller in [by_key, by_token] {
            let attempt = (mutation, input.clone());
            refused(&office.server, &caller, attempt, &format!("SCOPE_NOT_HELD input.{field}")).await;
        }
        // The same person with all that they hold may.
        office.boss.caller.done(mutation, input).await;
    }
    office.server.stop().await;
}

#[tokio::test]
async fn a_read_only_key_and_one_without_the_scope_change_nothing() {
    let office = Office::open().await;
    let server = &office.server;
    let key = server
        .key_with(&office.boss.account, "reports", Grants::Roles(&["admin"]), |new| new.read_only = true);
    let reader = server.sign_in(&key.await).await;
    let member = server.person("ada@example.com", &["member"]).await;
    let id = &office.boss.account.public_id;
    let attempts = [
        (CREATE_USER, user("a@example.com", json!({})), "users:write"),
        (UPDATE_USER, json!({ "id": id, "displayName": "x" }), "users:write"),
        (UPDATE_USER, json!({ "id": member.account.public_id, "displayName": "x" }), "users:write"),
        (DEACTIVATE_USER, json!({ "id": id }), "users:write"),
        (REACTIVATE_USER, json!({ "id": id }), "users:write"),
        (CREATE_GROUP, json!({ "name": "x" }), "groups:write"),
        (UPDATE_ROLE, json!({ "id": office.role, "scopes": [] }), "roles:write"),
        (CREATE_ROLE, json!({ "name": "x", "scopes": [] }), "roles:write"),
        (CREATE_API, json!({ "identifier": "urn:x", "name": "x" }), "scopes:write"),
    ];
    let before = server.whole_state().await;
    for (mutation, input, scope) in attempts {
        assert_eq!(reader.denied(mutation, input.clone()).await, "READ_ONLY");
        assert_eq!(member.caller.denied(mutation, input).await, format!("FORBIDDEN {scope}"));
    }
    assert!(server.whole_state().await == before);
    office.server.stop().await;
}
