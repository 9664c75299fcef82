//! What a page costs the database: statements grow with what is selected, not with the rows.

use std::time::Duration;

use latchkey::store::usage::KeyUse;
use serde_json::json;

use crate::harness::Server;
use crate::harness::keys::{CREATE, Person};

const KEYS: &str =
    "query ($owners: [ID!], $first: Int) { page: apiKeys(filter: { ownerIds: $owners }, first: $first) {
    nodes {
        name status tokenLifetimeSeconds tokenRateLimit { requests }
        owner { ... on User { email } ... on ServiceAccount { name } }
        createdBy { ... on ApiKey { name } }
        roles { name scopes { name } } scopes { name } effectiveScopes { name } secrets { hint lastUsedAt }
        lastUsed { at ip userAgent operation }
    }
} }";

const ACTIVITY: &str = "query ($owners: [ID!], $first: Int) {
    page: activity(filter: { ownerIds: $owners, kinds: [KEY_CREATED] }, first: $first) {
        nodes {
            kind
            apiKey { name readOnly }
            owner { ... on User { email } ... on ServiceAccount { name } }
            actor { ... on ApiKey { name } }
            target { id ... on ApiKey { name secrets { hint } } }
        }
    } }";

/// A hundred and five keys of seven owners, made by three administrators; each with a role and a scope.
async fn populated(server: &Server) -> (Person, Vec<String>) {
    let mut bosses = Vec::new();
    for index in 0..3 {
        bosses.push(server.person(&format!("boss{index}@example.com"), &["admin"]).await);
    }
    let mut owners = Vec::new();
    for index in 0..7 {
        owners.push(match index % 2 {
            0 => server.user(&format!("user{index}@example.com"), &["member"]).await.public_id,
            _ => server.service_account(&format!("build{index}")).await.public_id,
        });
    }
    let roles = [server.role("member").await, server.role("analyst").await, server.role("auditor").await];
    for index in 0..105 {
        let input = json!({
            "name": format!("ci {index}"), "ownerId": owners[index % 7],
            "roleIds": [roles[index % 3]], "scopes": ["keys:use"],
        });
        let payload = bosses[index % 3].caller.change(CREATE, input).await;
        assert_eq!(payload["userErrors"], json!([]));
        server.advance(Duration::from_millis(1));
    }
    use_all(server).await;
    (bosses.remove(0), owners)
}

/// Every key was used, and every secret.
async fn use_all(server: &Server) {
    for secret in server.secret_rows().await {
        let last = KeyUse {
            at: secret.created_at.0,
            ip: Some("203.0.113.7".parse().unwrap()),
            user_agent: Some("curl/8".into()),
            operation: Some("token exchange".into()),
        };
        server.app.usage.key(secret.key_id, last);
        server.app.usage.secret(secret.id, secret.created_at);
    }
    server.app.usage.write(&server.app.db).await.unwrap();
}

/// The statements that the query needs for pages of 1, 20 and 100 rows.
async fn statements(server: &Server, boss: &Person, owners: &[String], query: &str) -> Vec<u64> {
    let mut counts = Vec::new();
    for first in [1, 20, 100] {
        server.advance(Duration::from_secs(60));
        let before = server.reads_before(&boss.caller).await;
        let variables = json!({ "owners": owners, "first": first });
        let data = boss.caller.graphql_with(query, variables).await.data();
        counts.push(server.app.db.reads() - before);
        let nodes = data["page"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), first);
        let dark = nodes.iter().find(|node| node.to_string().contains("null"));
        assert_eq!(dark, None, "something was out of sight");
    }
    counts
}

#[tokio::test]
async fn a_page_of_a_hundred_keys_needs_the_statements_of_one_key() {
    let server = Server::start().await;
    let (boss, owners) = populated(&server).await;
    let counts = statements(&server, &boss, &owners, KEYS).await;
    assert_eq!(counts, [counts[0]; 3]);
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_a_hundred_rows_of_the_log_needs_the_statements_of_one_row() {
    let server = Server::start().await;
    let (boss, owners) = populated(&server).await;
    let counts = statements(&server, &boss, &owners, ACTIVITY).await;
    assert_eq!(counts, [counts[0]; 3]);
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_objects_by_their_ids_need_the_statements_of_one_of_each_kind() {
    let server = Server::start().await;
    let (boss, owners) = populated(&server).await;
    let all = "query ($owners: [ID!]) {
        apiKeys(filter: { ownerIds: $owners }, first: 40) { nodes { id } }
        roles { nodes { id } } scopes(first: 40) { nodes { id api { id } } }
        activity(first: 10) { nodes { id } } }";
    let data = boss.caller.graphql_with(all, json!({ "owners": owners })).await.data();
    let kinds = [
        ids(&data["apiKeys"]["nodes"]),
        ids(&data["roles"]["nodes"]),
        ids(&data["scopes"]["nodes"]),
        ids(&data["activity"]["nodes"]),
        vec![data["scopes"]["nodes"][0]["api"]["id"].as_str().unwrap().to_owned()],
        owners.clone(),
    ];
    let one_of_each: Vec<String> =
        kinds.iter().map(|ids| ids[0].clone()).chain([owners[1].clone()]).collect();
    let mut many: Vec<String> = kinds.concat();
    many.truncate(100);
    assert!(many.len() > 70, "there is enough to compare");
    let mut counts = Vec::new();
    for wanted in [one_of_each, many] {
        server.advance(Duration::from_secs(60));
        let before = server.reads_before(&boss.caller).await;
        let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
        let data = boss.caller.graphql_with(query, json!({ "ids": wanted })).await.data();
        counts.push(server.app.db.reads() - before);
        assert_eq!(ids(&data["nodes"]), wanted, "each in its place");
    }
    assert_eq!(counts[0], counts[1]);
    server.stop().await;
}

fn ids(nodes: &serde_json::Value) -> Vec<String> {
    nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}
