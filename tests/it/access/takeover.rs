//! Every way in which a weaker caller could come to hold more than it was given. Each is tried and refused, and leaves
//! everything as it was.

use serde_json::{Value, json};

use crate::harness::keys::{
    CREATE, DELETE, DISABLE, ENABLE, Person, REGENERATE, UPDATE, mistakes, selection,
};
use crate::harness::{Caller, Grants, Key, Server};

const SIX: [&str; 6] = ["keys:read", "keys:write", "keys:use", "roles:read", "scopes:read", "activity:read"];
const PART: &[&str] = &["keys:read", "keys:write", "activity:read"];

/// An attempt is refused with this user error, and nothing has changed.
async fn refused(server: &Server, caller: &Caller, (mutation, input): (&str, Value), expected: &str) {
    let before = server.state().await;
    let payload = caller.change(mutation, input.clone()).await;
    assert_eq!(mistakes(&payload), [expected], "{input}");
    let text = payload.to_string();
    assert!(!text.contains("lk_sk_"), "a secret was handed out for {input}");
    assert!(server.state().await == before, "{input} has changed something");
}

/// An update of this key.
fn update(key: &Key, with: &Value) -> (&'static str, Value) {
    let mut input = with.clone();
    input["id"] = json!(key.id);
    (UPDATE, input)
}

/// What a key's token can do now.
async fn held(server: &Server, key: &Key) -> Value {
    server.sign_in(key).await.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"].take()
}

/// A key of this person with part of what the person holds, and its token.
async fn narrowed(server: &Server, person: &Person, scopes: &[&str]) -> (Key, Caller) {
    let key = server.generous_key(&person.account, "narrow", Grants::Scopes(scopes)).await;
    let caller = server.sign_in(&key).await;
    (key, caller)
}

#[tokio::test]
async fn a_member_makes_no_key_with_a_role_or_scope_beyond_its_own() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for role in ["admin", "key-manager", "analyst", "auditor"] {
        let input = json!({ "name": "ci", "roleIds": [server.role(role).await] });
        refused(&server, &ada.caller, (CREATE, input), "SCOPE_NOT_HELD input.roleIds").await;
    }
    let mixed = json!({ "name": "ci", "roleIds": [server.role("member").await, server.role("admin").await] });
    refused(&server, &ada.caller, (CREATE, mixed), "SCOPE_NOT_HELD input.roleIds").await;
    for scope in ["keys:write:any", "keys:read:any", "settings:write", "tokens:introspect"] {
        let input = json!({ "name": "ci", "scopes": ["keys:read", scope] });
        refused(&server, &ada.caller, (CREATE, input), "SCOPE_NOT_HELD input.scopes").await;
    }
    // Without a secret and with an end it would still be there for later.
    let later = json!({ "name": "ci", "scopes": ["users:read"], "issueSecret": false, "expiresAt": "2026-11-21T09:00:01Z" });
    refused(&server, &ada.caller, (CREATE, later), "SCOPE_NOT_HELD input.scopes").await;
    server.stop().await;
}

#[tokio::test]
async fn scopes_of_other_apis_are_no_exception() {
    let server = Server::start().await;
    server.api("https://orders.example.com", &["orders:read", "orders:write"]).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let input = json!({ "name": "ci", "scopes": ["orders:read"] });
    refused(&server, &ada.caller, (CREATE, input), "SCOPE_NOT_HELD input.scopes").await;
    // A role with all scopes has those of every API, and those alone are missing here.
    let all = [&SIX[..], &["orders:write"]].concat();
    let strong = server.key(&ada.account, "strong", Grants::Scopes(&all)).await;
    let gone = format!("NOT_FOUND input.selection {}", strong.id);
    refused(&server, &ada.caller, (REGENERATE, selection([&*strong.id])), &gone).await;
    server.stop().await;
}

#[tokio::test]
async fn a_read_only_key_cannot_be_made_strong_by_what_it_would_hold_later() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    // Read-only takes the WRITE scopes away, so making it is allowed; making it writable is not.
    let payload =
        ada.caller.change(CREATE, json!({ "name": "ci", "scopes": ["users:write"], "readOnly": true })).await;
    assert_eq!(payload["userErrors"], json!([]));
    let key = Key {
        id: payload["apiKey"]["id"].as_str().unwrap().to_owned(),
        client_id: payload["apiKey"]["clientId"].as_str().unwrap().to_owned(),
        secret: payload["clientSecret"].as_str().unwrap().to_owned(),
    };
    let attempt = update(&key, &json!({ "readOnly": false }));
    refused(&server, &ada.caller, attempt, "SCOPE_NOT_HELD input.readOnly").await;
    let fewer = update(&key, &json!({ "readOnly": false, "scopes": ["keys:read"] }));
    assert_eq!(ada.caller.mistakes(fewer.0, fewer.1).await, [""; 0]);
    assert_eq!(held(&server, &key).await, json!(["keys:read"]));
    server.stop().await;
}

#[tokio::test]
async fn a_narrowed_key_makes_no_key_that_inherits() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let (_, caller) = narrowed(&server, &ada, PART).await;
    let ways = [
        json!({ "name": "ci" }),
        json!({ "name": "ci", "roleIds": null, "scopes": null }),
        json!({ "name": "ci", "ownerId": ada.account.public_id }),
        json!({ "name": "ci", "readOnly": true }),
        json!({ "name": "ci", "roleIds": [server.role("member").await] }),
    ];
    for input in ways {
        refused(&server, &caller, (CREATE, input), "SCOPE_NOT_HELD input.roleIds").await;
    }
    let input = json!({ "name": "ci", "scopes": ["keys:read", "keys:use"] });
    refused(&server, &caller, (CREATE, input), "SCOPE_NOT_HELD input.scopes").await;
    // Within its own scopes it may.
    assert_eq!(caller.mistakes(CREATE, json!({ "name": "ci", "scopes": PART })).await, [""; 0]);
    server.stop().await;
}

/// Nothing that the caller can ask shows the key or lets it be changed.
async fn does_not_exist_for(server: &Server, caller: &Caller, key: &Key) {
    let query = "query ($id: ID!, $client: String!) {
        apiKey(by: { id: $id }) { name } node(id: $id) { id } by: apiKey(by: { clientId: $client }) { name }
        apiKeys(filter: { ids: [$id] }) { totalCount nodes { name } }
        viewer { apiKeys(filter: { ids: [$id] }) { totalCount nodes { name } } }
        activity(filter: { apiKeyIds: [$id] }) { nodes { apiKey { name } target { id } actor { __typename ... on ApiKey { id } } } }
    }";
    let found = caller.graphql_with(query, json!({ "id": key.id, "client": key.client_id })).await.data();
    assert_eq!([&found["apiKey"], &found["node"], &found["by"]], [&Value::Null; 3]);
    let nothing = json!({ "totalCount": 0, "nodes": [] });
    assert_eq!((&found["apiKeys"], &found["viewer"]["apiKeys"]), (&nothing, &nothing));
    for row in found["activity"]["nodes"].as_array().unwrap() {
        assert_eq!((&row["apiKey"], &row["target"]), (&Value::Null, &Value::Null));
        assert_ne!(row["actor"]["__typename"], "ApiKey");
    }
    cannot_be_changed_by(server, caller, key).await;
}

/// No mutation reaches the key.
async fn cannot_be_changed_by(server: &Server, caller: &Caller, key: &Key) {
    for mutation in [REGENERATE, DISABLE, ENABLE, DELETE] {
        let gone = format!("NOT_FOUND input.selection {}", key.id);
        refused(server, caller, (mutation, selection([&*key.id])), &gone).await;
    }
    let changes = [
        json!({ "name": "mine" }),
        json!({ "expiresAt": null }),
        json!({ "readOnly": true }),
        // Even what would make it weak enough.
        json!({ "roleIds": [], "scopes": [] }),
        json!({ "roleIds": [], "scopes": ["keys:read"] }),
    ];
    for change in changes {
        refused(server, caller, update(key, &change), &format!("NOT_FOUND input.id {}", key.id)).await;
    }
}

#[tokio::test]
async fn for_a_narrowed_key_its_owners_stronger_keys_do_not_exist() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let (_, caller) = narrowed(&server, &ada, PART).await;
    let by_role = server.key(&ada.account, "by role", Grants::Roles(&["member"])).await;
    let by_scope = server.key(&ada.account, "by scope", Grants::Scopes(&["roles:read"])).await;
    for key in [&ada.key, &by_role, &by_scope] {
        does_not_exist_for(&server, &caller, key).await;
        // It still works with the secret it had.
        server.sign_in(key).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_narrowed_key_sees_itself_and_what_is_weaker() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let (own, caller) = narrowed(&server, &ada, PART).await;
    let weak = server.key(&ada.account, "weak", Grants::Scopes(&["keys:read"])).await;
    let list = caller.graphql("{ apiKeys { nodes { name } } viewer { apiKey { name } } }").await.data();
    let mut names: Vec<_> = list["apiKeys"]["nodes"].as_array().unwrap().iter().collect();
    names.sort_by_key(|node| node["name"].as_str());
    assert_eq!(names, [&json!({ "name": "narrow" }), &json!({ "name": "weak" })]);
    assert_eq!(list["viewer"]["apiKey"]["name"], "narrow");

    let issued = caller.change(REGENERATE, selection([&*weak.id])).await;
    assert_eq!(issued["userErrors"], json!([]));
    // It cannot make itself, or a weaker one, stronger.
    for key in [&own, &weak] {
        let strong = json!({ "scopes": ["keys:read", "roles:read"] });
        refused(&server, &caller, update(key, &strong), "SCOPE_NOT_HELD input.scopes").await;
        let roles = json!({ "roleIds": [server.role("member").await] });
        refused(&server, &caller, update(key, &roles), "SCOPE_NOT_HELD input.roleIds").await;
        let inherit = json!({ "roleIds": null, "scopes": null });
        refused(&server, &caller, update(key, &inherit), "SCOPE_NOT_HELD input.roleIds").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_narrowed_at_the_exchange_is_as_weak_as_a_narrowed_key() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let caller = server.sign_in_with(&ada.key, &[("scope", "keys:read keys:write activity:read")]).await;
    // The key itself is stronger than this token of it: it sees itself, and that is all.
    cannot_be_changed_by(&server, &caller, &ada.key).await;
    let itself = caller.graphql("{ viewer { apiKey { id } apiKeys { nodes { id } } } }").await.data();
    assert_eq!(itself["viewer"]["apiKey"]["id"], ada.key.id);
    assert_eq!(itself["viewer"]["apiKeys"]["nodes"], json!([{ "id": ada.key.id }]));
    let other = server.key(&ada.account, "other", Grants::Inherit).await;
    does_not_exist_for(&server, &caller, &other).await;
    refused(&server, &caller, (CREATE, json!({ "name": "ci" })), "SCOPE_NOT_HELD input.roleIds").await;
    let input = json!({ "name": "ci", "scopes": ["keys:use"] });
    refused(&server, &caller, (CREATE, input), "SCOPE_NOT_HELD input.scopes").await;
    let weak = server.key(&ada.account, "weak", Grants::Scopes(&["keys:read"])).await;
    let inherit = json!({ "roleIds": null, "scopes": null });
    refused(&server, &caller, update(&weak, &inherit), "SCOPE_NOT_HELD input.roleIds").await;
    server.stop().await;
}

#[tokio::test]
async fn a_key_manager_gets_at_no_secret_of_an_administrator() {
    let server = Server::start().await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let build = server.service_account("build").await;
    let by_role = server.key(&boss.account, "by role", Grants::Roles(&["admin"])).await;
    let by_scope = server.key(&boss.account, "by scope", Grants::Scopes(&["settings:write"])).await;
    let off = server.key(&boss.account, "off", Grants::Inherit).await;
    boss.caller.change(DISABLE, selection([&*off.id])).await;
    let machine = server.key(&build, "machine", Grants::Roles(&["admin"])).await;
    for key in [&boss.key, &by_role, &by_scope, &off, &machine] {
        for grace in [0, 3600] {
            let mut input = selection([&*key.id]);
            input["gracePeriodSeconds"] = json!(grace);
            let expected = format!("SCOPE_NOT_HELD input.selection {}", key.id);
            refused(&server, &manager.caller, (REGENERATE, input), &expected).await;
        }
    }
    for key in [&boss.key, &by_role, &by_scope, &machine] {
        server.sign_in(key).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_key_manager_makes_no_key_that_acts_with_more_than_its_own_scopes() {
    let server = Server::start().await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let boss = server.user("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    let admin = server.role("admin").await;
    let attempts = [
        (json!({ "name": "ci", "ownerId": boss.public_id }), "SCOPE_NOT_HELD input.roleIds"),
        (
            json!({ "name": "ci", "ownerId": boss.public_id, "readOnly": true }),
            "SCOPE_NOT_HELD input.roleIds",
        ),
        (
            json!({ "name": "ci", "ownerId": boss.public_id, "roleIds": [admin] }),
            "SCOPE_NOT_HELD input.roleIds",
        ),
        (
            json!({ "name": "ci", "ownerId": build.public_id, "roleIds": [admin] }),
            "SCOPE_NOT_HELD input.roleIds",
        ),
        (
            json!({ "name": "ci", "ownerId": build.public_id, "scopes": ["users:write"] }),
            "SCOPE_NOT_HELD input.scopes",
        ),
        // Ada does not hold it, but may one day.
        (
            json!({ "name": "ci", "ownerId": ada.public_id, "scopes": ["users:write"] }),
            "SCOPE_NOT_HELD input.scopes",
        ),
    ];
    for (input, expected) in attempts {
        refused(&server, &manager.caller, (CREATE, input), expected).await;
    }
    // For others within its own scopes it may: that is what the role is for.
    for (owner, grants) in
        [(&ada, Value::Null), (&boss, json!(["keys:read"])), (&build, json!(["keys:read"]))]
    {
        let input = json!({ "name": "fine", "ownerId": owner.public_id, "scopes": grants });
        assert_eq!(manager.caller.mistakes(CREATE, input).await, [""; 0]);
    }
    server.stop().await;
}

#[tokio::test]
async fn updating_adds_nothing_that_the_caller_does_not_hold() {
    let server = Server::start().await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let boss = server.user("boss@example.com", &["admin"]).await;
    let weak = server.key(&boss, "weak", Grants::Scopes(&["keys:read"])).await;
    let sealed =
        server.key_with(&boss, "sealed", Grants::Roles(&["admin"]), |new| new.read_only = true).await;
    let admin = server.role("admin").await;
    let attempts = [
        (&weak, json!({ "roleIds": [admin] }), "SCOPE_NOT_HELD input.roleIds"),
        (&weak, json!({ "scopes": ["keys:read", "settings:write"] }), "SCOPE_NOT_HELD input.scopes"),
        (&weak, json!({ "roleIds": null, "scopes": null }), "SCOPE_NOT_HELD input.roleIds"),
        (&weak, json!({ "roleIds": [admin], "readOnly": true }), "SCOPE_NOT_HELD input.roleIds"),
        (&sealed, json!({ "readOnly": false }), "SCOPE_NOT_HELD input.readOnly"),
        (&sealed, json!({ "readOnly": false, "name": "open" }), "SCOPE_NOT_HELD input.readOnly"),
        // The READ scopes were there before; the WRITE scopes would be new.
        (
            &sealed,
            json!({ "readOnly": false, "roleIds": null, "scopes": null }),
            "SCOPE_NOT_HELD input.roleIds",
        ),
    ];
    for (key, with, expected) in attempts {
        refused(&server, &manager.caller, update(key, &with), expected).await;
    }
    // What a key holds already may stay while something else changes.
    let rename = update(&sealed, &json!({ "name": "renamed" }));
    assert_eq!(manager.caller.mistakes(rename.0, rename.1).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn clearing_roles_and_scopes_gives_no_more_than_the_caller_has() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member", "analyst"]).await;
    let (_, caller) = narrowed(&server, &ada, &["keys:read", "keys:write"]).await;
    let empty = server.key(&ada.account, "empty", Grants::Scopes(&[])).await;
    let attempt = update(&empty, &json!({ "roleIds": null, "scopes": null }));
    refused(&server, &caller, attempt.clone(), "SCOPE_NOT_HELD input.roleIds").await;
    // One of them alone leaves it empty.
    for with in [json!({ "roleIds": null }), json!({ "scopes": null })] {
        let half = update(&empty, &with);
        assert_eq!(caller.mistakes(half.0, half.1).await, [""; 0]);
    }
    let answer = server.exchange(&empty, &[]).await;
    assert_eq!(answer.json()["error"], "invalid_scope");
    // The inheriting key of the same person may.
    assert_eq!(ada.caller.mistakes(attempt.0, attempt.1).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn a_key_keeps_no_scope_that_its_owner_has_lost() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member", "key-manager"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let others = server.key(&bob, "bobs", Grants::Inherit).await;
    server.take_role(&ada.account, "key-manager").await;
    // The token still lists what was lost.
    let gone = format!("NOT_FOUND input.selection {}", others.id);
    refused(&server, &ada.caller, (REGENERATE, selection([&*others.id])), &gone).await;
    let input = json!({ "name": "ci", "scopes": ["users:read"] });
    refused(&server, &ada.caller, (CREATE, input), "SCOPE_NOT_HELD input.scopes").await;
    let input = json!({ "name": "ci", "ownerId": bob.public_id });
    assert_eq!(ada.caller.denied(CREATE, input).await, "FORBIDDEN keys:create:any");
    server.stop().await;
}

/// Proves: R-14
#[tokio::test]
async fn a_read_only_key_runs_no_mutation_however_it_is_written() {
    let server = Server::start().await;
    let boss = server.user("boss@example.com", &["admin"]).await;
    let key = server.key_with(&boss, "reports", Grants::Roles(&["admin"]), |new| new.read_only = true).await;
    let caller = server.sign_in(&key).await;
    let before = server.state().await;
    let select = selection([&*key.id]);
    let open = json!({ "id": key.id, "readOnly": false });
    for (mutation, input) in [
        (CREATE, json!({ "name": "ci" })),
        (UPDATE, open),
        (REGENERATE, select.clone()),
        (ENABLE, select.clone()),
        (DISABLE, select.clone()),
        (DELETE, select),
    ] {
        assert_eq!(caller.denied(mutation, input).await, "READ_ONLY");
    }
    for document in [
        "mutation { __typename }",
        "mutation M { ... on Mutation { createApiKey(input: { name: \"ci\" }) { clientSecret } } }",
        "mutation M { ...F } fragment F on Mutation { createApiKey(input: { name: \"ci\" }) { clientSecret } }",
    ] {
        assert_eq!(caller.graphql(document).await.code(), "READ_ONLY", "{document}");
    }
    // Two operations: the one that is named decides.
    let both =
        "query Q { viewer { scopes } } mutation M { createApiKey(input: { name: \"ci\" }) { clientSecret } }";
    for (name, code) in [("Q", None), ("M", Some("READ_ONLY"))] {
        let body = json!({ "query": both, "operationName": name });
        let answer = caller.send(caller.post("/graphql").json(&body)).await.json();
        assert_eq!(answer["errors"][0]["extensions"]["code"].as_str(), code, "{answer}");
    }
    assert!(server.state().await == before);
    server.stop().await;
}
