//! `latchkey apply`: on the database of a server that runs meanwhile.

mod refused;

use entity::ObjectKind;
use entity::activity::ActivityFamily;
use serde_json::{Value, json};

use super::command::{Command, latchkey};
use crate::harness::changes::{CREATE_GROUP, CREATE_ROLE, UPDATE_GROUP};
use crate::harness::{Grants, Place, Server};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/apply.toml");

/// What most tests begin with.
const BILLING: &str = r#"
    [[apis]]
    identifier = "https://billing.example.com"
    name = "Billing"
    description = "Invoices"
    scopes = [
        { name = "invoices:read", kind = "read", description = "See invoices" },
        { name = "invoices:write", kind = "write" },
    ]
    [[roles]]
    name = "clerk"
    description = "By hand"
    scopes = ["invoices:read", "invoices:write", "keys:use"]
    [[groups]]
    name = "Billing team"
    roles = ["clerk", "member"]
"#;

/// The command with this file on its standard input.
fn apply(place: &Place, file: &str) -> Command {
    latchkey(place, &["apply", "-"]).input(file)
}

fn dry_run(place: &Place, file: &str) -> Command {
    latchkey(place, &["apply", "-", "--dry-run"]).input(file)
}

/// What the log says the system has changed, oldest first.
async fn changes(server: &Server) -> Vec<String> {
    let log = server.log().await.into_iter().filter(|row| row.kind.family() == ActivityFamily::Change);
    let by_system = log.filter(|row| row.actor_kind == Some(ObjectKind::System));
    by_system.map(|row| format!("{:?}", row.kind)).collect()
}

/// Everything that a file can say, as an administrator sees it; without what came with the server.
async fn directory(server: &Server) -> Value {
    let watcher = server.service_account("watcher").await;
    let watcher = server.generous_key(&watcher, "watcher", Grants::Roles(&["admin"])).await;
    let query = "{
        apis { nodes { identifier name description builtIn scopes { name kind description } } }
        roles(first: 100) { nodes { name description builtIn scopes { name } } }
        groups { nodes { name description roles { name } members { nodes { email } } } }
    }";
    let mut all = server.sign_in(&watcher).await.graphql(query).await.data();
    for list in ["apis", "roles"] {
        all[list]["nodes"].as_array_mut().unwrap().retain(|one| one["builtIn"] == json!(false));
    }
    all
}

/// The same, an object a line; sorted, because the command has another clock than the server of a test.
fn lines(directory: &Value) -> String {
    let mut lines = Vec::new();
    for list in ["apis", "roles", "groups"] {
        let nodes = directory[list]["nodes"].as_array().unwrap();
        lines.extend(nodes.iter().map(|one| format!("{list}: {one}")));
    }
    lines.sort();
    lines.join("\n")
}

#[tokio::test]
async fn the_example_of_the_documentation_is_applied_once() {
    let server = Server::start().await;
    let file = latchkey(server.place(), &["apply", EXAMPLE]);
    insta::assert_snapshot!(file.succeed().await, @"
    create API https://billing.example.com
    create scope invoices:read
    create scope invoices:write
    create role billing-clerk
    create role billing-reader
    create group billing
    Applied 6 changes.
    ");
    insta::assert_snapshot!(changes(&server).await.join("\n"), @"
    ApiCreated
    ScopeCreated
    ScopeCreated
    RoleCreated
    RoleCreated
    GroupCreated
    ");
    let before = server.whole_state().await;
    let again = latchkey(server.place(), &["apply", EXAMPLE]).succeed().await;
    assert_eq!(again, format!("Nothing to do: the server already matches {EXAMPLE}.\n"));
    assert!(server.whole_state().await == before, "the second time has changed something");
    insta::assert_snapshot!(lines(&directory(&server).await), @r#"
    apis: {"builtIn":false,"description":"Invoices and payments","identifier":"https://billing.example.com","name":"Billing","scopes":[{"description":"See invoices","kind":"READ","name":"invoices:read"},{"description":"Create and cancel invoices","kind":"WRITE","name":"invoices:write"}]}
    groups: {"description":"The billing department","members":{"nodes":[]},"name":"billing","roles":[{"name":"billing-clerk"},{"name":"member"}]}
    roles: {"builtIn":false,"description":"Invoices by hand, and API keys of one's own for it","name":"billing-clerk","scopes":[{"name":"invoices:read"},{"name":"invoices:write"},{"name":"keys:read"},{"name":"keys:use"},{"name":"keys:write"}]}
    roles: {"builtIn":false,"description":"Seeing invoices","name":"billing-reader","scopes":[{"name":"invoices:read"},{"name":"keys:use"}]}
    "#);
    server.stop().await;
}

/// What is on a server and in no file: another role, another group, a member of a group.
async fn others_use_it(server: &Server) {
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &[]).await;
    let group = boss.caller.graphql("{ groups { nodes { id } } }").await.data();
    let join = json!({ "id": group["groups"]["nodes"][0]["id"], "addMemberIds": [ada.public_id] });
    boss.caller.done(UPDATE_GROUP, join).await;
    let role = json!({ "name": "courier", "scopes": ["parcels:read"], "description": "Outside" });
    boss.caller.done(CREATE_ROLE, role).await;
    boss.caller.done(CREATE_GROUP, json!({ "name": "couriers" })).await;
}

#[tokio::test]
async fn what_the_file_names_becomes_as_it_says_and_the_rest_stays() {
    let server = Server::start().await;
    server.api("https://other.example.com", &["parcels:read"]).await;
    apply(server.place(), BILLING).succeed().await;
    others_use_it(&server).await;
    let before = changes(&server).await.len();

    // Left out: one scope, descriptions, a role's and a group's list.
    let file = r#"
        [[apis]]
        identifier = "https://billing.example.com"
        name = "Billing and \"more\""
        [[apis.scopes]]
        name = "invoices:read"
        kind = "write"
        [[roles]]
        name = "clerk"
        scopes = ["parcels:read", "invoices:read"]
        [[roles]]
        name = "reader"
        [[groups]]
        name = "Billing team"
        description = "Two\nlines"
        roles = ["reader", "courier", "member"]
    "#;
    insta::assert_snapshot!(apply(server.place(), file).succeed().await, @r#"
    update API https://billing.example.com: name "Billing" -> "Billing and \"more\"", description "Invoices" -> none
    update scope invoices:read: kind read -> write, description "See invoices" -> none
    update role clerk: scopes +parcels:read -invoices:write -keys:use, description "By hand" -> none
    create role reader
    update group "Billing team": roles +courier +reader -clerk, description none -> "Two\nlines"
    Applied 5 changes.
    "#);
    insta::assert_snapshot!(changes(&server).await.split_off(before).join("\n"), @"
    ApiUpdated
    ScopeUpdated
    RoleUpdated
    RoleCreated
    GroupUpdated
    ");
    insta::assert_snapshot!(lines(&directory(&server).await), @r#"
    apis: {"builtIn":false,"description":null,"identifier":"https://billing.example.com","name":"Billing and \"more\"","scopes":[{"description":null,"kind":"WRITE","name":"invoices:read"},{"description":null,"kind":"WRITE","name":"invoices:write"}]}
    apis: {"builtIn":false,"description":null,"identifier":"https://other.example.com","name":"https://other.example.com","scopes":[{"description":null,"kind":"READ","name":"parcels:read"}]}
    groups: {"description":"Two\nlines","members":{"nodes":[{"email":"ada@example.com"}]},"name":"Billing team","roles":[{"name":"courier"},{"name":"member"},{"name":"reader"}]}
    groups: {"description":null,"members":{"nodes":[]},"name":"couriers","roles":[]}
    roles: {"builtIn":false,"description":"Outside","name":"courier","scopes":[{"name":"parcels:read"}]}
    roles: {"builtIn":false,"description":null,"name":"clerk","scopes":[{"name":"invoices:read"},{"name":"parcels:read"}]}
    roles: {"builtIn":false,"description":null,"name":"reader","scopes":[]}
    "#);
    server.stop().await;
}

#[tokio::test]
async fn order_and_spaces_around_names_make_no_difference() {
    let server = Server::start().await;
    apply(server.place(), BILLING).succeed().await;
    let same = r#"
        [[groups]]
        name = " Billing team "
        description = "  "
        roles = ["member", " clerk "]
        [[roles]]
        name = "clerk"
        description = " By hand "
        scopes = ["keys:use", "invoices:write", "invoices:read"]
    "#;
    let nothing = "Nothing to do: the server already matches standard input.\n";
    for file in [same, BILLING, "", "roles = []"] {
        assert_eq!(apply(server.place(), file).succeed().await, nothing, "{file}");
        assert_eq!(dry_run(server.place(), file).succeed().await, nothing, "{file}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_log_tells_what_differs() {
    let server = Server::start().await;
    apply(server.place(), BILLING).succeed().await;
    let file = "[[roles]]\nname = 'clerk'\ndescription = 'By hand'\nscopes = ['invoices:read']";
    assert_eq!(
        apply(server.place(), file).succeed().await,
        "update role clerk: scopes -invoices:write -keys:use\nApplied 1 change.\n"
    );
    let told = server.changes_about(&server.role("clerk").await).await;
    let all = json!(["invoices:read", "invoices:write", "keys:use"]);
    let details: Vec<_> = told.into_iter().map(|change| change.detail).collect();
    let made = json!({ "after": { "name": "clerk", "description": "By hand", "scopes": all } });
    let changed = json!({ "before": { "scopes": all }, "after": { "scopes": ["invoices:read"] } });
    assert_eq!(details, [made, changed]);
    server.stop().await;
}

#[tokio::test]
async fn a_dry_run_tells_the_same_and_changes_nothing() {
    let file = format!("{BILLING}\n[[roles]]\nname = 'reader'\nscopes = ['invoices:read']");
    for (start, changes) in [("", "6 changes"), (BILLING, "1 change")] {
        let server = Server::start().await;
        apply(server.place(), start).succeed().await;
        let before = server.whole_state().await;
        let told = dry_run(server.place(), &file).succeed().await;
        assert!(server.whole_state().await == before, "{told}");
        let done = apply(server.place(), &file).succeed().await;
        let steps = done.strip_suffix(&format!("Applied {changes}.\n")).unwrap();
        let steps: String = steps.lines().map(|line| format!("would {line}\n")).collect();
        assert_eq!(told, format!("{steps}Dry run: {changes} to apply. Nothing was changed.\n"));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_role_that_loses_scopes_takes_them_from_tokens_as_soon_as_the_server_hears_of_it() {
    let server = Server::start().await;
    apply(server.place(), BILLING).succeed().await;
    let build = server.service_account("build").await;
    let key = server.key(&build, "ci", Grants::Roles(&["clerk", "member"])).await;
    let caller = server.sign_in(&key).await;
    let scopes =
        async || caller.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"].to_string();
    assert!(scopes().await.contains("invoices:write"));
    apply(server.place(), "[[roles]]\nname = 'clerk'\nscopes = ['invoices:read']").succeed().await;
    server.app.registry.poll_changes().await.unwrap();
    let left = scopes().await;
    assert!(left.contains("invoices:read") && !left.contains("invoices:write"), "{left}");
    server.stop().await;
}

#[tokio::test]
async fn what_fails_halfway_says_how_far_it_came_and_goes_on_the_next_time() {
    let server = Server::start().await;
    server.run_sql("ALTER TABLE group_members RENAME TO hidden").await;
    let ended = apply(server.place(), BILLING).run().await;
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stdout, @"
    create API https://billing.example.com
    create scope invoices:read
    create scope invoices:write
    create role clerk
    ");
    let (told, cause) = ended.stderr.split_once("): ").unwrap();
    insta::assert_snapshot!(told, @r#"latchkey: cannot create group "Billing team" (4 of 5 changes made; apply the file again for the rest"#);
    assert!(cause.contains("group_members"), "{cause}");
    server.run_sql("ALTER TABLE hidden RENAME TO group_members").await;
    insta::assert_snapshot!(apply(server.place(), BILLING).succeed().await, @r#"
    create group "Billing team"
    Applied 1 change.
    "#);
    server.stop().await;
}

#[tokio::test]
async fn whoever_does_not_listen_does_not_stop_it_halfway() {
    let place = Place::new().await;
    // A place that takes nothing, as a pipe that nobody reads any more.
    let deaf = "exec \"$0\" apply \"$1\" > /dev/full";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", deaf, env!("CARGO_BIN_EXE_latchkey"), EXAMPLE]).current_dir(place.path()).env_clear();
    let ended = shell.envs(place.environment()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("No space left on device"));
    let again = latchkey(&place, &["apply", EXAMPLE]).succeed().await;
    assert!(again.starts_with("Nothing to do"), "{again}");
}

#[tokio::test]
async fn of_two_at_once_each_change_is_made_once() {
    let server = Server::start().await;
    let (one, other) =
        tokio::join!(apply(server.place(), BILLING).run(), apply(server.place(), BILLING).run());
    for ended in [&one, &other] {
        let stopped = ended.code == Some(1) && ended.stderr.contains("apply the file again for the rest");
        assert!(ended.code == Some(0) || stopped, "{ended:?}");
    }
    apply(server.place(), BILLING).succeed().await;
    assert_eq!(changes(&server).await.len(), 5);
    server.stop().await;
}

#[tokio::test]
async fn more_than_a_page_of_everything_is_compared() {
    let server = Server::start().await;
    let mut file = String::from("[[apis]]\nidentifier = 'urn:x'\nname = 'X'\n");
    (0..120).for_each(|n| file += &format!("[[apis.scopes]]\nname = 'part-{n}:read'\nkind = 'read'\n"));
    (0..120).for_each(|n| file += &format!("[[roles]]\nname = 'r{n}'\nscopes = ['part-{n}:read']\n"));
    (0..120).for_each(|n| file += &format!("[[groups]]\nname = 'g{n}'\nroles = ['r{n}']\n"));
    let told = apply(server.place(), &file).succeed().await;
    assert!(told.ends_with("\nApplied 361 changes.\n"), "{told}");
    let again = apply(server.place(), &file).succeed().await;
    assert_eq!(again, "Nothing to do: the server already matches standard input.\n");
    server.stop().await;
}
