//! `ApiKey.viewerCan`: it promises exactly what the mutations do.

use serde_json::{Value, json};

use crate::harness::keys::{
    APPROVE, CREATE, DELETE, DISABLE, ENABLE, FINISH, REGENERATE, REJECT, UPDATE, mistakes, selection,
};
use crate::harness::{Caller, Grants, Server};

const VERBS: [(&str, &str); 8] = [
    ("update", UPDATE),
    ("regenerateSecrets", REGENERATE),
    ("finishRotation", FINISH),
    ("enable", ENABLE),
    ("disable", DISABLE),
    ("approve", APPROVE),
    ("reject", REJECT),
    ("delete", DELETE),
];

/// What the caller is told, as the names of the verbs; nothing for a key out of sight.
async fn told(caller: &Caller, id: &str) -> Vec<String> {
    let query = "query ($id: ID!) { node(id: $id) { ... on ApiKey { viewerCan {
        update regenerateSecrets finishRotation enable disable approve reject delete } } } }";
    let answer = caller.graphql_with(query, json!({ "id": id })).await.data();
    let verbs = VERBS.iter().filter(|(name, _)| answer["node"]["viewerCan"][name] == true);
    verbs.map(|(name, _)| (*name).to_owned()).collect()
}

/// Whether a mutation does it, on a key in this state.
async fn does(caller: &Caller, mutation: &str, id: &str) -> bool {
    let input = if mutation == UPDATE { json!({ "id": id }) } else { selection([id]) };
    let answer = caller.graphql_with(mutation, json!({ "input": input })).await.json();
    let payload = &answer["data"]["change"];
    !payload.is_null() && mistakes(payload).is_empty()
}

/// Proves: R-23
#[tokio::test]
async fn what_is_promised_is_done_and_nothing_else() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let auditor = server.person("auditor@example.com", &["member", "auditor"]).await;
    let narrow = server
        .sign_in(&server.key(&ada.account, "narrow", Grants::Scopes(&["keys:read", "keys:write"])).await)
        .await;
    boss.caller.set(json!({ "keyApprovalRequired": true })).await;
    let callers = [&boss.caller, &manager.caller, &ada.caller, &auditor.caller, &narrow];
    let mut seen = Vec::new();
    for state in ["active", "disabled", "waiting"] {
        for (at, caller) in callers.into_iter().enumerate() {
            for (verb, mutation) in VERBS {
                // A key of its own for each try, in the state that is wanted.
                let name = format!("{state} {at} {verb}");
                let id = match state {
                    "waiting" => ada.caller.made(CREATE, json!({ "name": name })).await,
                    _ => server.key(&ada.account, &name, Grants::Inherit).await.id,
                };
                if state == "disabled" {
                    boss.caller.done(DISABLE, selection([&*id])).await;
                }
                let promised = told(caller, &id).await.contains(&verb.to_owned());
                // Enabling what is enabled is done without a word, and not worth a button.
                let idle =
                    matches!((state, verb), ("active", "enable" | "approve") | ("disabled", "disable"));
                if !idle {
                    assert_eq!(does(caller, mutation, &id).await, promised, "{name}");
                }
                seen.push(promised);
            }
        }
    }
    assert!(seen.contains(&true) && seen.contains(&false));
    server.stop().await;
}

#[tokio::test]
async fn nothing_can_be_done_to_a_deleted_key() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let key = server.key(&boss.account, "ci", Grants::Inherit).await;
    assert!(!told(&boss.caller, &key.id).await.is_empty());
    boss.caller.done(DELETE, selection([&*key.id])).await;
    assert_eq!(told(&boss.caller, &key.id).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn the_statements_do_not_grow_with_the_keys() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let mut counts = Vec::new();
    for wanted in [1_usize, 20] {
        for at in counts.len()..wanted {
            server.key(&boss.account, &format!("{wanted} {at}"), Grants::Inherit).await;
        }
        let before = server.reads_before(&boss.caller).await;
        let listed =
            boss.caller.graphql("{ apiKeys(first: 100) { nodes { viewerCan { update } } } }").await.data();
        counts.push(server.app.db.reads() - before);
        assert!(listed["apiKeys"]["nodes"].as_array().map(Vec::len) > Some(wanted));
        assert_eq!(listed["apiKeys"]["nodes"][0]["viewerCan"]["update"], Value::Bool(true));
    }
    assert_eq!(counts[0], counts[1]);
    server.stop().await;
}
