//! Files that cannot be applied: each mistake is told, and nothing is changed.

use serde_json::{Value, json};

use super::super::command::latchkey;
use super::{BILLING, apply, dry_run};
use crate::harness::changes::{CREATE_GROUP, UPDATE_USER};
use crate::harness::{Place, Server};

/// Files that are wrong whatever is on the server.
const WRONG: [(&str, &str); 20] = [
    ("no TOML", "[[roles]\nname = 'x'"),
    ("no end", "[[roles]]\nname = 'x"),
    ("twice the same key", "[[roles]]\nname = 'x'\nname = 'y'"),
    ("an unknown list", "[[users]]\nname = 'ada'"),
    ("one instead of a list", "[roles]\nname = 'x'"),
    ("an unknown field", "[[roles]]\nname = 'x'\nscope = ['a:b']"),
    ("an unknown field of an API", "[[apis]]\nidentifier = 'urn:x'\nname = 'X'\naudience = 'y'"),
    ("a group with members", "[[groups]]\nname = 'x'\nmembers = ['ada@example.com']"),
    ("a role without a name", "\n[[roles]]\nscopes = ['a:b']"),
    ("an API without an identifier", "[[apis]]\nname = 'X'"),
    ("a scope without a kind", "[[apis]]\nidentifier = 'urn:x'\nname = 'X'\n[[apis.scopes]]\nname = 'a:b'"),
    (
        "a wrong kind",
        "[[apis]]\nidentifier = 'urn:x'\nname = 'X'\n[[apis.scopes]]\nname = 'a:b'\nkind = 'admin'",
    ),
    ("a list that is none", "[[roles]]\nname = 'x'\nscopes = 'a:b'"),
    ("a number for a name", "[[roles]]\nname = 7"),
    ("names that are none", "[[roles]]\nname = ' '\n[[groups]]\nname = \"a\\u0007\"\n[[roles]]\nname = ''"),
    (
        "wrong identifiers",
        "[[apis]]\nidentifier = 'billing'\nname = 'X'\n[[apis]]\nidentifier = ''\nname = ''",
    ),
    (
        "wrong scopes",
        "[[apis]]\nidentifier = 'urn:x'\nname = 'X'\nscopes = [\n{ name = 'read', kind = 'read' },\n{ name = 'keys:all', kind = 'read' }]",
    ),
    (
        "everything twice",
        "apis = [{ identifier = 'urn:x', name = 'X', scopes = [{ name = 'a:b', kind = 'read' }] },\n\
         { identifier = 'urn:y', name = 'Y', scopes = [{ name = 'a:b', kind = 'read' }] },\n\
         { identifier = 'urn:x', name = 'Z' }]\nroles = [{ name = 'x', scopes = ['a:b', 'a:b'] },\n{ name = ' x' }]\n\
         groups = [{ name = 'g g', roles = ['x',\n'x ']},\n{ name = 'g g' }]",
    ),
    ("a wrong description", "[[roles]]\nname = 'x'\ndescription = \"bell \\u0007\""),
    ("a command for a terminal", "\"\\u001b[2J\\n\" = 1"),
];

#[tokio::test]
async fn a_file_that_is_wrong_by_itself_is_refused_before_there_is_a_database() {
    let place = Place::new().await;
    let mut said = String::new();
    for (what, file) in WRONG {
        said += &format!("{what}\n{}", apply(&place, file).fail().await);
        let dry = dry_run(&place, file).fail().await;
        assert!(said.ends_with(&dry), "{what}: {dry}");
    }
    let long = format!("[[roles]]\nname = '{}'\ndescription = '{}'", "x".repeat(101), "x".repeat(1001));
    said += &apply(&place, &long).fail().await;
    insta::assert_snapshot!(said);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

/// Files that are wrong on a server that has what `BILLING` says and another API. ADDRESS is its own.
const UNFIT: [(&str, &str); 8] = [
    ("an unknown scope", "[[roles]]\nname = 'x'\nscopes = [\n'invoices:read',\n'invoices:raed',\n'a b']"),
    ("an unknown role", "[[groups]]\nname = 'x'\nroles = ['clerk', 'emperor', '']"),
    ("a role and a scope confused", "[[groups]]\nname = 'x'\nroles = ['invoices:read']"),
    ("a built-in role", "[[roles]]\nname = 'admin'\nscopes = []\n[[roles]]\nname = 'member'"),
    ("the built-in API", "[[apis]]\nidentifier = 'ADDRESS'\nname = 'Mine'"),
    (
        "a scope that moves",
        "[[apis]]\nidentifier = 'https://billing.example.com'\nname = 'Billing'\n\
             scopes = [{ name = 'parcels:read', kind = 'read' }]",
    ),
    (
        "a scope that moves to a new API",
        "[[apis]]\nidentifier = 'urn:new'\nname = 'New'\nscopes = [{ name = 'invoices:read', kind = 'read' }]",
    ),
    (
        "all at once, in the order of lines",
        "[[groups]]\nname = 'x'\nroles = ['emperor']\n[[roles]]\nname = 'auditor'\nscopes = ['a:c']\n\
             [[apis]]\nidentifier = 'urn:new'\nname = 'New'\nscopes = [{ name = 'a:b', kind = 'read' },\n\
             { name = 'parcels:read', kind = 'write' }]",
    ),
];

#[tokio::test]
async fn a_file_that_does_not_fit_the_server_changes_nothing() {
    let server = Server::start().await;
    server.api("https://other.example.com", &["parcels:read"]).await;
    apply(server.place(), BILLING).succeed().await;
    let before = server.whole_state().await;
    let mut said = String::new();
    for (what, file) in UNFIT {
        let file = &file.replace("ADDRESS", &server.url);
        // The address of the command is that of the server, so that both have the same API built in.
        let address = server.url.clone();
        let refused = apply(server.place(), file).set("LATCHKEY_PUBLIC_URL", &address).fail().await;
        let dry = dry_run(server.place(), file).set("LATCHKEY_PUBLIC_URL", &address).fail().await;
        assert_eq!(refused, dry, "{what}");
        said += &format!("{what}\n{}", refused.replace(&address, "ADDRESS"));
    }
    insta::assert_snapshot!(said);
    assert!(server.whole_state().await == before);
    server.stop().await;
}

#[tokio::test]
async fn the_last_administrators_keep_their_role() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let (admin, member) = (server.role("admin").await, server.role("member").await);
    let id = &boss.account.public_id;
    let group = async |name: &str, roles: Value, members: Value| {
        let group = json!({ "name": name, "roleIds": roles, "memberIds": members });
        boss.caller.done(CREATE_GROUP, group).await;
    };
    group("admins", json!([admin]), json!([id])).await;
    group("backup", json!([admin]), json!([])).await;
    group("others", json!([]), json!([id])).await;
    let file = "[[groups]]\nname = 'admins'\nroles = ['member']\n[[groups]]\nname = 'backup'\n";

    // An administrator by themselves is enough.
    let told = dry_run(server.place(), file).succeed().await;
    assert!(told.contains("would update group admins: roles +member -admin\n"), "{told}");
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [member] })).await;
    let before = server.whole_state().await;
    for command in [dry_run(server.place(), file), apply(server.place(), file)] {
        let said = command.fail().await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(said, @"
            latchkey: cannot apply standard input, nothing was changed:
              line 2: This would leave nobody to administer the server: this group is the last one with the role `admin`. Assign the role to another group or user first.
              line 5: This would leave nobody to administer the server: this group is the last one with the role `admin`. Assign the role to another group or user first.
            ");
        }
    }
    assert!(server.whole_state().await == before);

    // A new group has no members; whoever is not active does not count.
    let left = server.user("left@example.com", &[]).await;
    server.deactivate(&left).await;
    group("former", json!([]), json!([left.public_id])).await;
    let before = server.whole_state().await;
    for group in ["new", "former"] {
        let file = format!("{file}[[groups]]\nname = '{group}'\nroles = ['admin']");
        apply(server.place(), &file).fail().await;
    }
    assert!(server.whole_state().await == before);

    // Another group with somebody in it is enough, and is given the role first.
    let other = format!("{file}[[groups]]\nname = 'others'\nroles = ['admin']");
    insta::assert_snapshot!(apply(server.place(), &other).succeed().await, @"
    update group others: roles +admin
    update group admins: roles +member -admin
    update group backup: roles -admin
    Applied 3 changes.
    ");
    server.stop().await;
}

#[tokio::test]
async fn where_nobody_administers_a_group_may_lose_the_role() {
    let place = Place::new().await;
    let group = |roles: &str| format!("[[groups]]\nname = 'admins'\nroles = [{roles}]");
    apply(&place, &group("'admin'")).succeed().await;
    let told = apply(&place, &group("")).succeed().await;
    assert_eq!(told, "update group admins: roles -admin\nApplied 1 change.\n");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let place = Place::new().await;
    std::fs::write(place.path().join("latin.toml"), b"name = '\xe9'").unwrap();
    std::fs::create_dir(place.path().join("directory")).unwrap();
    let mut said = String::new();
    for file in ["absent.toml", "directory", "latin.toml"] {
        said += &latchkey(&place, &["apply", file]).fail().await;
    }
    insta::assert_snapshot!(said, @"
    latchkey: cannot read absent.toml: No such file or directory (os error 2)
    latchkey: cannot read directory: Is a directory (os error 21)
    latchkey: cannot read latin.toml: stream did not contain valid UTF-8
    ");
    let ended = latchkey(&place, &["apply"]).run().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("<FILE>"), "{}", ended.stderr);
}
