//! Who may use API keys and who may make them, for themselves and for others: roles decide it, and so groups do.

use serde_json::{Value, json};

use crate::harness::changes::{CREATE_GROUP, CREATE_ROLE, UPDATE_GROUP};
use crate::harness::keys::{CREATE, DELETE, DISABLE, Person, REGENERATE, UPDATE, selection};
use crate::harness::{Account, Caller, Grants, Key, Server};

/// A group whose one role grants one scope, and the administrator who says who is in it.
struct Club {
    boss: Person,
    group: String,
}

impl Club {
    async fn new(server: &Server, scope: &str) -> Self {
        let boss = server.person("boss@example.com", &["admin"]).await;
        let role = role(&boss, "club", &[scope]).await;
        let group = boss.caller.made(CREATE_GROUP, json!({ "name": "club", "roleIds": [role] })).await;
        Self { boss, group }
    }

    async fn admit(&self, user: &Account) {
        self.change(json!({ "id": self.group, "addMemberIds": [user.public_id] })).await;
    }

    async fn expel(&self, user: &Account) {
        self.change(json!({ "id": self.group, "removeMemberIds": [user.public_id] })).await;
    }

    async fn change(&self, input: Value) {
        self.boss.caller.done(UPDATE_GROUP, input).await;
    }
}

async fn role(boss: &Person, name: &str, scopes: &[&str]) -> String {
    boss.caller.made(CREATE_ROLE, json!({ "name": name, "scopes": scopes })).await
}

/// Proves: R-11
#[tokio::test]
async fn a_group_decides_who_may_use_keys_at_the_exchange_and_at_each_call() {
    let server = Server::start().await;
    let club = Club::new(&server, "keys:use").await;
    // An auditor reads keys, and may not use them.
    let eve = server.user("eve@example.com", &["auditor"]).await;
    let key = server.generous_key(&eve, "ci", Grants::Scopes(&["keys:read"])).await;
    let refused = async || {
        let answer = server.exchange(&key, &[]).await.json();
        assert_eq!(answer["error"], "invalid_client");
        assert_eq!(
            answer["error_description"],
            "The owner of this API key is not permitted to use API keys: it lacks the scope keys:use."
        );
    };
    refused().await;
    club.admit(&eve).await;
    let token = server.sign_in(&key).await;
    let viewer = token.graphql("{ viewer { scopes } }").await.data();
    assert_eq!(viewer["viewer"]["scopes"], json!(["keys:read"]));
    club.expel(&eve).await;
    assert_eq!(token.graphql("{ viewer { scopes } }").await.status, 401);
    refused().await;
    server.stop().await;
}

/// Proves: R-12
#[tokio::test]
async fn a_group_decides_who_may_make_keys() {
    let server = Server::start().await;
    let club = Club::new(&server, "keys:write").await;
    role(&club.boss, "user of keys", &["keys:use", "keys:read"]).await;
    let eve = server.person("eve@example.com", &["user of keys"]).await;
    let input = |name: &str| json!({ "name": name, "scopes": ["keys:read"] });
    let denied = "FORBIDDEN keys:write keys:write:any";
    assert_eq!(eve.caller.denied(CREATE, input("ci")).await, denied);
    club.admit(&eve.account).await;
    let token = server.sign_in(&eve.key).await;
    assert_eq!(token.mistakes(CREATE, input("ci")).await, [""; 0]);
    club.expel(&eve.account).await;
    for caller in [&token, &server.sign_in(&eve.key).await] {
        assert_eq!(caller.denied(CREATE, input("another")).await, denied);
    }
    server.stop().await;
}

/// Proves
#[tokio::test]
async fn a_group_decides_who_may_make_keys_for_others_and_both_are_named() {
    let server = Server::start().await;
    let club = Club::new(&server, "keys:create:any").await;
    let eve = server.person("eve@example.com", &["member"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    let input =
        |owner: &Account| json!({ "name": "ci", "ownerId": owner.public_id, "scopes": ["keys:read"] });
    let denied = "FORBIDDEN keys:create:any";
    assert_eq!(eve.caller.denied(CREATE, input(&bob)).await, denied);
    club.admit(&eve.account).await;
    let token = server.sign_in(&eve.key).await;
    for owner in [&bob, &build] {
        let payload = token.done(CREATE, input(owner)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = Key {
            id: text(&payload["apiKey"]["id"]),
            client_id: text(&payload["apiKey"]["clientId"]),
            secret: text(&payload["clientSecret"]),
        };
        let query = "query ($id: ID!) { apiKey(by: { id: $id }) {
            owner { ... on User { id } ... on ServiceAccount { id } } createdBy { ... on ApiKey { id } } } }";
        let found = club.boss.caller.graphql_with(query, json!({ "id": key.id })).await.data();
        let both = json!({ "owner": { "id": owner.public_id }, "createdBy": { "id": eve.key.id } });
        assert_eq!(found["apiKey"], both);
        let row = server.changes_of(&key.id).await.remove(0);
        assert_eq!(row.owner_id, Some(owner.id));
        assert_eq!(row.actor_id, eve.key.id.parse::<entity::KeyId>().ok().map(|id| id.0));
        server.sign_in(&key).await.graphql("{ viewer { scopes } }").await.data();
    }
    club.expel(&eve.account).await;
    // For herself she still may.
    token.done(CREATE, input(&eve.account)).await;
    assert_eq!(token.denied(CREATE, input(&bob)).await, denied);
    server.stop().await;
}

/// The names of all keys that a caller is shown without asking for anybody's, in order.
async fn shown(caller: &Caller) -> Vec<String> {
    let query = "{ apiKeys(first: 100, orderBy: { field: NAME, direction: ASC }) { nodes { name } } }";
    let keys = caller.graphql(query).await.data()["apiKeys"]["nodes"].take();
    keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

/// Proves: D-02
#[tokio::test]
async fn administrators_see_and_manage_everybodys_keys() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let build = server.service_account("build").await;
    let machine = server.key(&build, "deploy", Grants::Scopes(&["keys:read"])).await;
    let all = ["ada@example.com's own", "boss@example.com's own", "deploy"];
    assert_eq!(shown(&boss.caller).await, all);
    assert_eq!(shown(&ada.caller).await, all[..1]);
    for key in [&ada.key, &machine] {
        boss.caller.done(UPDATE, json!({ "id": key.id, "description": "seen" })).await;
        let issued = boss.caller.done(REGENERATE, selection([&*key.id])).await["issued"][0].take();
        let secret = issued["clientSecret"].as_str().unwrap().to_owned();
        server.sign_in(&Key { secret, ..key.clone() }).await;
        let disabled = boss.caller.done(DISABLE, selection([&*key.id])).await;
        assert_eq!(disabled["apiKeys"][0]["status"], "DISABLED");
        let deleted = boss.caller.done(DELETE, selection([&*key.id])).await;
        assert_eq!(deleted["deletedIds"], json!([key.id]));
    }
    assert_eq!(shown(&boss.caller).await, all[1..2]);
    server.stop().await;
}

/// Proves: D-17
#[tokio::test]
async fn a_viewer_is_told_beforehand_which_keys_they_can_make() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    role(&boss, "user of keys", &["keys:use"]).await;
    let bob = server.user("bob@example.com", &["member"]).await;
    let query = "{ viewer { can { createApiKeys createApiKeysForOthers } } }";
    for (roles, own, others) in [
        (&["user of keys"][..], false, false),
        (&["user of keys", "auditor"], false, false),
        (&["member"], true, false),
        (&["analyst"], true, false),
        (&["key-manager"], true, true),
        (&["admin"], true, true),
    ] {
        let person = server.person(&format!("{}@example.com", roles.concat()), roles).await;
        let can = person.caller.graphql(query).await.data()["viewer"]["can"].take();
        assert_eq!(can, json!({ "createApiKeys": own, "createApiKeysForOthers": others }), "{roles:?}");
        // What is told is what happens; and the refusal names what is missing.
        for (owner, can, scopes) in
            [(None, own, "keys:write keys:write:any"), (Some(&bob.public_id), others, "keys:create:any")]
        {
            let input = json!({ "name": roles.concat(), "ownerId": owner, "scopes": [] });
            if can {
                assert_eq!(person.caller.mistakes(CREATE, input).await, [""; 0], "{roles:?}");
            } else {
                assert_eq!(person.caller.denied(CREATE, input).await, format!("FORBIDDEN {scopes}"));
            }
        }
    }
    server.stop().await;
}
