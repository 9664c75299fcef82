//! The filter by scope says what the field of scopes shows, whatever a key holds its scopes by.

use std::time::Duration;

use serde_json::{Value, json};

use super::list::matching;
use crate::harness::changes::{CREATE_GROUP, CREATE_ROLE, UPDATE_USER};
use crate::harness::{Grants, Server};

/// The names of the keys that show a scope, oldest first.
fn showing(keys: &Value, scope: &str) -> String {
    let has =
        |key: &&Value| key["effectiveScopes"].as_array().unwrap().iter().any(|one| one["name"] == scope);
    let names = keys.as_array().unwrap().iter().filter(has).map(|key| key["name"].as_str().unwrap());
    names.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_filter_by_scope_and_the_field_of_scopes_agree_on_every_kind_of_key() {
    let server = Server::start().await;
    server.api("urn:bills", &["bills:read", "bills:write"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let clerk = json!({ "name": "clerk", "scopes": ["bills:read", "bills:write", "keys:use"] });
    let clerk = boss.caller.made(CREATE_ROLE, clerk).await;
    let group = json!({ "name": "clerks", "roleIds": [clerk] });
    let group = boss.caller.made(CREATE_GROUP, group).await;
    let by_group = server.user("by-group@example.com", &[]).await;
    boss.caller.done(UPDATE_USER, json!({ "id": by_group.public_id, "groupIds": [group] })).await;
    let owners = [
        server.user("none@example.com", &[]).await,
        server.user("member@example.com", &["member"]).await,
        server.user("both@example.com", &["member", "clerk"]).await,
        server.user("admin@example.com", &["admin"]).await,
        by_group,
        server.service_account("build").await,
    ];
    let grants = [
        Grants::Roles(&["clerk"]),
        Grants::Roles(&["admin"]),
        Grants::Roles(&["member", "clerk"]),
        Grants::Scopes(&["bills:write"]),
        Grants::Scopes(&["bills:read", "keys:use"]),
        Grants::Scopes(&[]),
        Grants::Inherit,
    ];
    for (number, owner) in owners.iter().enumerate() {
        for (kind, given) in grants.iter().enumerate() {
            if owner.public_id.starts_with("svc_") && matches!(given, Grants::Inherit) {
                continue;
            }
            for read_only in [false, true] {
                server.advance(Duration::from_millis(1));
                let name = format!("{number}-{kind}-{read_only}");
                server.key_with(owner, &name, *given, |new| new.read_only = read_only).await;
            }
        }
    }
    let query = "{ apiKeys(first: 100, orderBy: { field: CREATED_AT, direction: ASC }) {
        nodes { name effectiveScopes { name } } } }";
    let keys = boss.caller.graphql(query).await.data()["apiKeys"]["nodes"].take();
    assert_eq!(keys.as_array().map(Vec::len), Some(1 + 6 * 7 * 2 - 2));
    for scope in ["bills:read", "bills:write", "keys:use", "keys:write", "settings:write", "roles:read"] {
        let shown = showing(&keys, scope);
        assert!(!shown.is_empty());
        assert_eq!(matching(&boss.caller, json!({ "scopes": [scope] })).await, shown, "{scope}");
    }
    server.stop().await;
}
