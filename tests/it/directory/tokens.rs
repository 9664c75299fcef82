//! What changes of users, groups and roles do to tokens that are out, and to the next exchange.

use std::time::Duration;

use entity::activity::Outcome;
use serde_json::{Value, json};

use super::started;
use crate::harness::changes::{
    CREATE_GROUP, CREATE_ROLE, DEACTIVATE_USER, REACTIVATE_USER, UPDATE_GROUP, UPDATE_ROLE, UPDATE_USER,
};
use crate::harness::{Caller, Grants, Key, Server};

const MEMBER: &str = "activity:read keys:read keys:use keys:write roles:read scopes:read";

/// The scopes of a token now; `dead` for a token that is not accepted.
async fn alive(token: &Caller) -> String {
    let answer = token.graphql("{ viewer { scopes } }").await;
    if answer.status == 401 {
        assert!(answer.challenge().starts_with("Bearer error=\"invalid_token\""));
        return "dead".to_owned();
    }
    let scopes = answer.data()["viewer"]["scopes"].take();
    scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// What an exchange grants now, or its error; and how the log tells it.
async fn exchanged(server: &Server, key: &Key) -> (String, Outcome) {
    let body = server.exchange(key, &[]).await.json();
    let told = body["scope"].as_str().or(body["error"].as_str()).unwrap().to_owned();
    (told, server.log().await.last().unwrap().outcome)
}

fn granted(scopes: &str) -> (String, Outcome) {
    (scopes.to_owned(), Outcome::Ok)
}

fn refused(error: &str, outcome: Outcome) -> (String, Outcome) {
    (error.to_owned(), outcome)
}

/// Proves: D-03
#[tokio::test]
async fn of_a_deactivated_owner_tokens_are_dead_for_good_and_keys_until_reactivation() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let narrow = server.generous_key(&ada.account, "narrow", Grants::Scopes(&["keys:read"])).await;
    let narrow_token = server.sign_in(&narrow).await;
    let id = json!({ "id": ada.account.public_id });
    boss.caller.done(DEACTIVATE_USER, id.clone()).await;
    for (key, token) in [(&ada.key, &ada.caller), (&narrow, &narrow_token)] {
        assert_eq!(alive(token).await, "dead");
        assert_eq!(exchanged(&server, key).await, refused("invalid_client", Outcome::OwnerInactive));
        let told = server.exchange(key, &[]).await.json()["error_description"].take();
        assert!(told.as_str().unwrap().contains("owner"), "{told}");
    }
    let status = "query ($id: ID!) { apiKey(by: { id: $id }) { status } }";
    let status = async || {
        boss.caller.graphql_with(status, json!({ "id": ada.key.id })).await.data()["apiKey"]["status"].take()
    };
    assert_eq!(status().await, "OWNER_INACTIVE");

    boss.caller.done(REACTIVATE_USER, id).await;
    assert_eq!(status().await, "ACTIVE");
    for (key, token, scopes) in [(&ada.key, &ada.caller, MEMBER), (&narrow, &narrow_token, "keys:read")] {
        assert_eq!(alive(token).await, "dead");
        assert_eq!(exchanged(&server, key).await, granted(scopes));
        assert_eq!(alive(&server.sign_in(key).await).await, scopes);
    }
    server.stop().await;
}

/// Proves: I-01
#[tokio::test]
async fn machines_that_a_deactivated_user_made_go_on() {
    let (server, boss) = started().await;
    let maker = server.person("maker@example.com", &["admin"]).await;
    let build = server.service_account("build").await;
    let input = json!({ "name": "deploy", "ownerId": build.public_id, "scopes": ["keys:read"] });
    let made = maker.caller.done(crate::harness::keys::CREATE, input).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let key = Key {
        id: text(&made["apiKey"]["id"]),
        client_id: text(&made["apiKey"]["clientId"]),
        secret: text(&made["clientSecret"]),
    };
    let token = server.sign_in(&key).await;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": maker.account.public_id })).await;
    assert_eq!(alive(&token).await, "keys:read");
    assert_eq!(exchanged(&server, &key).await, granted("keys:read"));
    server.stop().await;
}

#[tokio::test]
async fn a_lost_role_is_lost_at_the_next_call_and_nothing_left_is_the_end() {
    let (server, boss) = started().await;
    let ada = server.person("ada@example.com", &["member", "auditor"]).await;
    let special = server.generous_key(&ada.account, "special", Grants::Scopes(&["settings:read"])).await;
    let special_token = server.sign_in(&special).await;
    assert_eq!(alive(&special_token).await, "settings:read");
    let member = server.role("member").await;
    let auditor = server.role("auditor").await;
    let id = &ada.account.public_id;

    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [member] })).await;
    assert_eq!(alive(&ada.caller).await, MEMBER);
    assert_eq!(exchanged(&server, &ada.key).await, granted(MEMBER));
    assert_eq!(alive(&special_token).await, "dead");
    assert_eq!(exchanged(&server, &special).await, refused("invalid_scope", Outcome::InvalidScope));

    // Without the right to use keys.
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [auditor] })).await;
    assert_eq!(exchanged(&server, &special).await, refused("invalid_client", Outcome::UseNotPermitted));
    // Without anything.
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [] })).await;
    assert_eq!(alive(&ada.caller).await, "dead");
    assert_eq!(exchanged(&server, &ada.key).await, refused("invalid_client", Outcome::UseNotPermitted));

    // What is gained is in the next token.
    let token = ada.caller.clone();
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [member] })).await;
    assert_eq!(exchanged(&server, &ada.key).await, granted(MEMBER));
    let fresh = server.sign_in(&ada.key).await;
    boss.caller.done(UPDATE_USER, json!({ "id": id, "roleIds": [member, auditor] })).await;
    assert_eq!(alive(&fresh).await, MEMBER);
    assert!(alive(&server.sign_in(&ada.key).await).await.contains("settings:read"));
    // The old one listed the auditor's scopes, and has no more than both of them say.
    assert!(alive(&token).await.contains("settings:read"));
    server.stop().await;
}

#[tokio::test]
async fn a_group_that_is_left_or_loses_its_role_takes_its_scopes_along() {
    let (server, boss) = started().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let analyst = server.role("analyst").await;
    let group = json!({ "name": "ops", "roleIds": [analyst], "memberIds": [ada.public_id] });
    let group = boss.caller.made(CREATE_GROUP, group).await;
    let key = server.generous_key(&ada, "ci", Grants::Inherit).await;
    let only = server.generous_key(&ada, "only", Grants::Scopes(&["activity:read:any"])).await;
    let more = MEMBER.replace("activity:read ", "activity:read activity:read:any ");
    let without = [
        (UPDATE_GROUP, json!({ "id": group, "removeMemberIds": [ada.public_id] })),
        (UPDATE_GROUP, json!({ "id": group, "roleIds": [] })),
        (UPDATE_USER, json!({ "id": ada.public_id, "groupIds": [] })),
    ];
    let again = json!({ "id": group, "roleIds": [analyst], "addMemberIds": [ada.public_id] });
    for (mutation, input) in without {
        assert_eq!(exchanged(&server, &key).await, granted(&more));
        let (token, only_token) = (server.sign_in(&key).await, server.sign_in(&only).await);
        assert_eq!(
            (alive(&token).await, alive(&only_token).await),
            (more.clone(), "activity:read:any".to_owned())
        );
        boss.caller.done(mutation, input).await;
        assert_eq!((alive(&token).await.as_str(), alive(&only_token).await.as_str()), (MEMBER, "dead"));
        assert_eq!(exchanged(&server, &key).await, granted(MEMBER));
        assert_eq!(exchanged(&server, &only).await, refused("invalid_scope", Outcome::InvalidScope));
        boss.caller.done(UPDATE_GROUP, again.clone()).await;
        server.advance(Duration::from_secs(60));
    }
    server.stop().await;
}

/// Proves: I-07, I-11
#[tokio::test]
async fn a_scope_that_a_role_loses_is_lost_to_users_and_machines() {
    let (server, boss) = started().await;
    let scopes = json!(["keys:use", "users:read", "groups:read"]);
    let role = boss.caller.made(CREATE_ROLE, json!({ "name": "desk", "scopes": scopes })).await;
    let ada = server.user("ada@example.com", &["desk"]).await;
    let build = server.service_account("build").await;
    let keys = [
        server.generous_key(&ada, "inherits", Grants::Inherit).await,
        server.generous_key(&ada, "has the role", Grants::Roles(&["desk"])).await,
        server.generous_key(&build, "machine", Grants::Roles(&["desk"])).await,
    ];
    let mut tokens = Vec::new();
    for key in &keys {
        tokens.push(server.sign_in(key).await);
    }
    let expect = async |held: &str, next: [(String, Outcome); 3]| {
        for ((key, token), next) in keys.iter().zip(&tokens).zip(next) {
            assert_eq!(alive(token).await, held);
            assert_eq!(exchanged(&server, key).await, next);
        }
    };
    let all = "groups:read keys:use users:read";
    expect(all, [granted(all), granted(all), granted(all)]).await;
    boss.caller.done(UPDATE_ROLE, json!({ "id": role, "scopes": ["keys:use", "users:read"] })).await;
    let fewer = "keys:use users:read";
    expect(fewer, [granted(fewer), granted(fewer), granted(fewer)]).await;
    boss.caller.done(UPDATE_ROLE, json!({ "id": role, "scopes": [] })).await;
    let not_permitted = || refused("invalid_client", Outcome::UseNotPermitted);
    expect("dead", [not_permitted(), not_permitted(), refused("invalid_scope", Outcome::InvalidScope)]).await;
    server.stop().await;
}
