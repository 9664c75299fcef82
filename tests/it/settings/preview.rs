//! `permissionPreview`: what a key would be granted, and whether a key that is made so is granted just that.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{started, with};
use crate::harness::keys::{CREATE, Person, UPDATE, mistakes};
use crate::harness::{Account, Caller, Grants, Key, Server};

const PREVIEW: &str = "query ($input: PermissionPreviewInput!) { permissionPreview(input: $input) {
    grants { scope { name } grantedBy { name } direct } withheld { scope { name } because } } }";

/// The names in a list, in its order.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

/// A preview as text: `scope: its roles, direct` for what is granted, `scope - why not` for what is not.
async fn preview(caller: &Caller, input: Value) -> String {
    let found =
        caller.graphql_with(PREVIEW, json!({ "input": input })).await.data()["permissionPreview"].take();
    let granted = found["grants"].as_array().unwrap().iter().map(|grant| {
        let mut by = names(&grant["grantedBy"]);
        by.sort_unstable();
        by.extend(grant["direct"].as_bool().unwrap().then_some("direct"));
        format!("{}: {}\n", grant["scope"]["name"].as_str().unwrap(), by.join(", "))
    });
    let withheld = found["withheld"].as_array().unwrap().iter().map(|withheld| {
        format!(
            "{} - {}\n",
            withheld["scope"]["name"].as_str().unwrap(),
            withheld["because"].as_str().unwrap()
        )
    });
    granted.chain(withheld).collect()
}

/// The top-level error of a preview that is refused: its code, and what it names.
async fn refused(caller: &Caller, input: Value) -> String {
    let answer = caller.graphql_with(PREVIEW, json!({ "input": input })).await;
    let body = answer.json();
    assert_eq!(body["data"]["permissionPreview"], Value::Null, "{body:#}");
    let extensions = &body["errors"][0]["extensions"];
    let named = ["requiredScopes", "field"].into_iter().flat_map(|name| extensions[name].as_array());
    let named = named.flatten().filter_map(Value::as_str);
    [answer.code().as_str()].into_iter().chain(named).collect::<Vec<_>>().join(" ")
}

/// Puts a user into a group of its own that carries a role.
async fn add_to_group(server: &Server, boss: &Person, member: &Account, role: &str) {
    let create = "mutation ($input: CreateGroupInput!) { change: createGroup(input: $input) {
        group { id } userErrors { code field } } }";
    let input = json!({
        "name": format!("{role} by group"), "roleIds": [server.role(role).await], "memberIds": [member.public_id],
    });
    assert_eq!(boss.caller.mistakes(create, input).await, [""; 0]);
}

/// Proves: I-06
#[tokio::test]
async fn every_role_that_grants_a_scope_is_named_and_so_is_what_is_given_directly() {
    let (server, boss) = started().await;
    let (member, analyst) = (server.role("member").await, server.role("analyst").await);
    let roles = preview(&boss.caller, json!({ "roleIds": [analyst, member, analyst] })).await;
    insta::assert_snapshot!(roles, @r"
    activity:read: analyst, member
    activity:read:any: analyst
    keys:read: analyst, member
    keys:use: analyst, member
    keys:write: analyst, member
    roles:read: analyst, member
    scopes:read: analyst, member
    ");
    let scopes = preview(&boss.caller, json!({ "scopes": ["users:read", "keys:read", "users:read"] })).await;
    insta::assert_snapshot!(scopes, @r"
    keys:read: direct
    users:read: direct
    ");
    let both = json!({ "roleIds": [member], "scopes": ["users:read", "keys:read"] });
    insta::assert_snapshot!(preview(&boss.caller, both).await, @r"
    activity:read: member
    keys:read: member, direct
    keys:use: member
    keys:write: member
    roles:read: member
    scopes:read: member
    users:read: direct
    ");
    server.stop().await;
}

#[tokio::test]
async fn with_neither_roles_nor_scopes_it_is_all_that_the_owner_holds_directly_and_through_groups() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    add_to_group(&server, &boss, &ada.account, "analyst").await;
    let expected = "activity:read: analyst, member
activity:read:any: analyst
keys:read: analyst, member
keys:use: analyst, member
keys:write: analyst, member
roles:read: analyst, member
scopes:read: analyst, member
";
    let id = &ada.account.public_id;
    for input in
        [json!({}), json!({ "ownerId": id }), json!({ "roleIds": null, "scopes": null, "readOnly": null })]
    {
        assert_eq!(preview(&ada.caller, input.clone()).await, expected, "{input}");
    }
    assert_eq!(preview(&boss.caller, json!({ "ownerId": id })).await, expected);
    // An empty list is not the same as none: it ends the inheritance.
    for input in [json!({ "roleIds": [] }), json!({ "scopes": [] }), json!({ "roleIds": [], "scopes": [] })] {
        assert_eq!(preview(&ada.caller, input.clone()).await, "", "{input}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_is_granted_what_comes_later_too() {
    let (server, boss) = started().await;
    let before = preview(&boss.caller, json!({})).await;
    assert_eq!(before.lines().count(), latchkey::access::builtin::SCOPES.len());
    server.api("https://billing.example.com", &["invoices:read", "invoices:write"]).await;
    let after = preview(&boss.caller, json!({})).await;
    let new: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(new, ["invoices:read: admin", "invoices:write: admin"]);
    server.stop().await;
}

/// Proves: I-06
#[tokio::test]
async fn a_read_only_key_and_an_owner_who_lacks_a_scope_withhold_it() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let member = server.role("member").await;
    let input = json!({ "roleIds": [member], "scopes": ["users:read", "users:write", "keys:write"] });
    insta::assert_snapshot!(preview(&ada.caller, input.clone()).await, @r"
    activity:read: member
    keys:read: member
    keys:use: member
    keys:write: member, direct
    roles:read: member
    scopes:read: member
    users:read - OWNER_LACKS_SCOPE
    users:write - OWNER_LACKS_SCOPE
    ");
    let read_only = with(input.clone(), &json!({ "readOnly": true }));
    let withheld = preview(&ada.caller, read_only.clone()).await;
    insta::assert_snapshot!(withheld, @r"
    activity:read: member
    keys:read: member
    keys:use: member
    roles:read: member
    scopes:read: member
    keys:write - READ_ONLY
    users:read - OWNER_LACKS_SCOPE
    users:write - READ_ONLY
    ");
    // It is the owner who counts, not who asks.
    let for_ada = with(read_only, &json!({ "ownerId": ada.account.public_id }));
    assert_eq!(preview(&boss.caller, for_ada).await, withheld);
    // Inherited scopes are withheld too.
    let inherited = preview(&ada.caller, json!({ "readOnly": true })).await;
    assert_eq!(inherited.lines().last(), Some("keys:write - READ_ONLY"));
    // What the owner loses meanwhile is withheld.
    server.take_role(&ada.account, "member").await;
    let for_ada = json!({ "ownerId": ada.account.public_id, "scopes": ["keys:read"] });
    assert_eq!(preview(&boss.caller, for_ada).await, "keys:read - OWNER_LACKS_SCOPE\n");
    server.stop().await;
}

#[tokio::test]
async fn a_service_accounts_key_would_hold_what_it_is_given() {
    let (server, boss) = started().await;
    let robot = server.service_account("robot").await;
    let given = json!({
        "ownerId": robot.public_id, "roleIds": [server.role("member").await], "scopes": ["users:write"],
        "readOnly": true,
    });
    let expected = "activity:read: member
keys:read: member
keys:use: member
roles:read: member
scopes:read: member
keys:write - READ_ONLY
users:write - READ_ONLY
";
    assert_eq!(preview(&boss.caller, given.clone()).await, expected);
    assert_eq!(preview(&boss.caller, json!({ "ownerId": robot.public_id })).await, "");

    let asking = server.generous_key(&robot, "asking", Grants::Scopes(&["roles:read", "scopes:read"])).await;
    let asking = server.sign_in(&asking).await;
    assert_eq!(preview(&asking, given).await, expected);
    assert_eq!(preview(&asking, json!({ "scopes": ["users:read"] })).await, "users:read: direct\n");
    assert_eq!(preview(&asking, json!({})).await, "");
    server.stop().await;
}

#[tokio::test]
async fn it_asks_for_what_is_read_and_for_others_for_what_making_such_a_key_would_take() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let robot = server.service_account("robot").await;
    let for_others = "FORBIDDEN keys:create:any";
    for owner in [&*boss.account.public_id, &robot.public_id, "user_00000000000000000000000001"] {
        assert_eq!(refused(&ada.caller, json!({ "ownerId": owner })).await, for_others, "{owner}");
    }
    let bearer = async |scopes: &[&str]| {
        let key = server.generous_key(&ada.account, &scopes.join(" "), Grants::Scopes(scopes)).await;
        server.sign_in(&key).await
    };
    let input = json!({ "scopes": ["keys:read"] });
    assert_eq!(
        refused(&bearer(&["scopes:read", "keys:write"]).await, input.clone()).await,
        "FORBIDDEN roles:read"
    );
    assert_eq!(
        refused(&bearer(&["roles:read", "keys:write"]).await, input.clone()).await,
        "FORBIDDEN scopes:read"
    );
    assert_eq!(
        preview(&bearer(&["roles:read", "scopes:read"]).await, input.clone()).await,
        "keys:read: direct\n"
    );
    assert_eq!(refused(&server.guest(), input.clone()).await, "UNAUTHENTICATED");

    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let for_ada = with(input.clone(), &json!({ "ownerId": ada.account.public_id }));
    assert_eq!(preview(&manager.caller, for_ada).await, "keys:read: direct\n");
    // It changes nothing, so a read-only key may ask.
    let still = server.key_with(&ada.account, "still", Grants::Inherit, |new| new.read_only = true).await;
    assert_eq!(preview(&server.sign_in(&still).await, input).await, "keys:read: direct\n");
    server.stop().await;
}

/// Proves: I-06
#[tokio::test]
async fn what_is_not_there_is_named_and_nothing_is_saved() {
    let (server, boss) = started().await;
    let member = server.role("member").await;
    let no_role = "role_00000000000000000000000001";
    let before = server.state().await;
    for (input, field) in [
        (json!({ "roleIds": [no_role] }), "roleIds"),
        (json!({ "roleIds": [member, no_role] }), "roleIds"),
        (json!({ "roleIds": ["member"] }), "roleIds"),
        (json!({ "roleIds": [boss.account.public_id] }), "roleIds"),
        (json!({ "scopes": ["keys:read", "keys:reed"] }), "scopes"),
        (json!({ "scopes": [""] }), "scopes"),
        (json!({ "scopes": ["keys:read\u{0}"] }), "scopes"),
        (json!({ "scopes": ["KEYS:READ"] }), "scopes"),
        (json!({ "ownerId": "ada" }), "ownerId"),
        (json!({ "ownerId": boss.key.id }), "ownerId"),
        (json!({ "ownerId": "user_00000000000000000000000001" }), "ownerId"),
        (json!({ "ownerId": "svc_00000000000000000000000001" }), "ownerId"),
    ] {
        let expected = format!("BAD_USER_INPUT {field}");
        assert_eq!(refused(&boss.caller, input.clone()).await, expected, "{input}");
    }
    preview(&boss.caller, json!({ "roleIds": [member], "scopes": ["keys:read"] })).await;
    assert_eq!(server.state().await, before);
    server.stop().await;
}

/// What a key of this owner's could be given, as the inputs of a preview and of a mutation share it.
async fn combinations(server: &Server, owner: &Account) -> Vec<Value> {
    let mut roles = vec![Value::Null, json!([])];
    for names in [&["member"][..], &["analyst", "auditor"], &["key-manager"], &["admin"]] {
        let mut ids = Vec::new();
        for name in names {
            ids.push(server.role(name).await);
        }
        roles.push(json!(ids));
    }
    let scopes = [
        Value::Null,
        json!([]),
        json!(["keys:read"]),
        json!(["keys:write", "users:read", "invoices:read", "invoices:write"]),
    ];
    let mut all = Vec::new();
    for role_ids in &roles {
        for scopes in &scopes {
            for read_only in [false, true] {
                all.push(json!({
                    "ownerId": owner.public_id, "roleIds": role_ids, "scopes": scopes, "readOnly": read_only,
                }));
            }
        }
    }
    all
}

/// Everything that is in the preview, and the part that would be granted.
async fn previewed(caller: &Caller, input: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = preview(caller, input.clone()).await;
    let granted = text.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name.to_owned());
    let all = text.lines().map(|line| line.split_once(": ").or(line.split_once(" - ")).unwrap().0.to_owned());
    (all.collect(), granted.collect())
}

/// The scopes that a key is granted: as the key says, and as its token does.
async fn granted(server: &Server, caller: &Caller, key: &Key) -> [BTreeSet<String>; 2] {
    let query = "query ($id: ID!) { apiKey(by: { id: $id }) { effectiveScopes { name } } }";
    let found = caller.graphql_with(query, json!({ "id": key.id })).await.data();
    let said = names(&found["apiKey"]["effectiveScopes"]).into_iter().map(str::to_owned).collect();
    let answer = server.exchange(key, &[]).await;
    let body = answer.json();
    let issued = match answer.status {
        StatusCode::OK => body["scope"].as_str().unwrap().split(' ').map(str::to_owned).collect(),
        _ => {
            assert_eq!(body["error_description"], "This API key holds no scope that can be granted.");
            BTreeSet::new()
        }
    };
    [said, issued]
}

/// Proves: I-05, I-06, I-11
#[tokio::test]
async fn a_key_that_is_made_so_or_changed_so_is_granted_just_what_the_preview_says() {
    let (server, mut boss) = started().await;
    server.api("https://billing.example.com", &["invoices:read", "invoices:write"]).await;
    // To hold the new scopes too.
    boss.caller = server.sign_in(&boss.key).await;
    let member = server.user("member@example.com", &["member"]).await;
    let grouped = server.user("grouped@example.com", &["member"]).await;
    add_to_group(&server, &boss, &grouped, "auditor").await;
    let robot = server.service_account("robot").await;
    let mut different = BTreeSet::new();
    for owner in [&member, &grouped, &boss.account, &robot] {
        let changing = server.key(owner, "changing", Grants::Scopes(&["keys:read"])).await;
        for (n, input) in combinations(&server, owner).await.into_iter().enumerate() {
            let bare = input["roleIds"].is_null() && input["scopes"].is_null();
            let (all, expected) = previewed(&boss.caller, &input).await;
            let payload =
                boss.caller.change(CREATE, with(input.clone(), &json!({ "name": n.to_string() }))).await;
            if bare && owner.public_id.starts_with("svc_") {
                assert_eq!((mistakes(&payload).concat(), all.len()), ("INVALID input.roleIds".to_owned(), 0));
                continue;
            }
            assert_eq!(mistakes(&payload), [""; 0], "{input}");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let key = Key {
                id: text(&payload["apiKey"]["id"]),
                client_id: text(&payload["apiKey"]["clientId"]),
                secret: text(&payload["clientSecret"]),
            };
            let both = [expected.clone(), expected.clone()];
            assert_eq!(granted(&server, &boss.caller, &key).await, both, "{} {input}", owner.name);

            let mut change = with(input, &json!({ "id": changing.id }));
            change.as_object_mut().unwrap().remove("ownerId");
            assert_eq!(boss.caller.mistakes(UPDATE, change.clone()).await, [""; 0], "{change}");
            // An exchange a second is what a key without a limit of its own has.
            server.advance(std::time::Duration::from_secs(1));
            assert_eq!(granted(&server, &boss.caller, &changing).await, both, "{} {change}", owner.name);
            different.insert((all.len(), expected.len()));
        }
    }
    // The table is not of one kind: keys that get all, keys that get a part, keys that get nothing.
    assert!(different.len() > 20, "{different:?}");
    assert!(different.contains(&(0, 0)) && different.contains(&(23, 23)) && different.contains(&(23, 6)));
    server.stop().await;
}
