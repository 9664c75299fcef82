//! `POST /oauth/introspect` (RFC 7662): what a token is worth now.

use std::time::Duration;

use entity::activity::{ActivityKind, Outcome};
use latchkey::values::Quota;
use serde_json::{Value, json};

use super::wire::{CHALLENGE, FORM, basic, decoded, foreign_secret, send_to, whole};
use crate::harness::keys::{DELETE, DISABLE, Person, REGENERATE, UPDATE, selection};
use crate::harness::{Answer, Caller, Grants, Key, Server, encoded};

const PATH: &str = "/oauth/introspect";
const BILLING: &str = "https://billing.example.com";

/// A server, an administrator, and a key that asks about tokens.
async fn started() -> (Server, Person, Key) {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let asker = server.service_account("asker").await;
    let asker = server.generous_key(&asker, "asker", Grants::Scopes(&["tokens:introspect"])).await;
    (server, boss, asker)
}

fn text(caller: &Caller) -> &str {
    caller.token.as_deref().unwrap()
}

async fn ask(server: &Server, authorization: &str, token: &str) -> Answer {
    let body = encoded(&[("token", token), ("token_type_hint", "access_token")]);
    send_to(server, PATH, &[FORM, ("authorization", authorization)], &body).await
}

/// The answer to the key's own question.
async fn told(server: &Server, asker: &Key, token: &str) -> Value {
    let answer = ask(server, &basic(&asker.client_id, &asker.secret), token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("cache-control")),
        (200, "no-store"),
        "{}",
        answer.text
    );
    assert_eq!(answer.header("content-type"), "application/json");
    if answer.json()["active"] == json!(false) {
        assert_eq!(answer.text, "{\"active\":false}");
    }
    answer.json()
}

async fn scope(server: &Server, asker: &Key, token: &str) -> Option<String> {
    told(server, asker, token).await["scope"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn of_a_live_token_everything_is_told_that_the_standard_names() {
    let (server, boss, _) = started().await;
    let quota = Quota { requests: 10, per_seconds: 60 };
    let robot = server.service_account("robot").await;
    let scopes = Grants::Scopes(&["tokens:introspect"]);
    let asker = server.key_with(&robot, "limited", scopes, |new| new.call_limit = Some(quota)).await;
    let key = server.key(&boss.account, "ci", Grants::Scopes(&["keys:read", "activity:read"])).await;
    let token = server.sign_in(&key).await;
    let claims = decoded(text(&token)).1;
    let answer = ask(&server, &basic(&asker.client_id, &asker.secret), text(&token)).await;
    let expected = json!({
        "active": true, "scope": "activity:read keys:read", "client_id": key.client_id, "sub": boss.account.public_id,
        "aud": ["https://keys.example.com"], "iss": "https://keys.example.com", "exp": claims["exp"],
        "iat": claims["iat"], "jti": claims["jti"], "token_type": "Bearer",
    });
    assert_eq!(answer.json(), expected);
    let unknown = ask(&server, &basic(&asker.client_id, &asker.secret), "x").await;
    insta::assert_snapshot!(whole(&unknown), @r#"
    200
    cache-control: no-store
    content-length: 16
    content-type: application/json
    pragma: no-cache
    ratelimit-policy: "call";q=10;w=60
    ratelimit: "call";r=8;t=12

    {"active":false}
    "#);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_valid_is_not_active_and_nothing_more_is_told() {
    let (server, boss, asker) = started().await;
    let key = async |name: &str| server.key(&boss.account, name, Grants::Scopes(&["keys:read"])).await;
    let ended = server.sign_in(&key("ended").await).await;
    server.advance(Duration::from_secs(600));
    let boss_now = server.sign_in(&boss.key).await;
    let keys = [key("a").await, key("b").await, key("c").await, key("d").await, key("e").await];
    let mut tokens = Vec::new();
    for key in &keys {
        tokens.push(server.sign_in(key).await);
        assert_eq!(scope(&server, &asker, text(tokens.last().unwrap())).await.as_deref(), Some("keys:read"));
    }
    let [disabled, deleted, regenerated, narrowed, revoked] = &keys;
    boss_now.done(DISABLE, selection([&*disabled.id])).await;
    boss_now.done(DELETE, selection([&*deleted.id])).await;
    boss_now.done(REGENERATE, selection([&*regenerated.id])).await;
    boss_now.done(UPDATE, json!({ "id": narrowed.id, "scopes": ["keys:write"] })).await;
    let body = encoded(&[("token", text(&tokens[4]))]);
    let basic = basic(&revoked.client_id, &revoked.secret);
    assert_eq!(
        send_to(&server, "/oauth/revoke", &[FORM, ("authorization", &basic)], &body).await.status,
        200
    );
    let robot = server.service_account("robot").await;
    let owned = server.sign_in(&server.key(&robot, "f", Grants::Scopes(&["keys:read"])).await).await;
    assert!(scope(&server, &asker, text(&owned)).await.is_some());
    server.deactivate(&robot).await;
    tokens.extend([owned, ended, server.bearer("a.b.c"), server.bearer("x")]);
    for (n, token) in tokens.iter().enumerate() {
        assert_eq!(told(&server, &asker, text(token)).await, json!({ "active": false }), "{n}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_scope_is_what_is_held_now() {
    let (server, _, asker) = started().await;
    let ada = server.user("ada@example.com", &["member", "analyst"]).await;
    let key = server.key(&ada, "ci", Grants::Scopes(&["activity:read:any", "keys:read"])).await;
    let token = server.sign_in(&key).await;
    assert_eq!(scope(&server, &asker, text(&token)).await.as_deref(), Some("activity:read:any keys:read"));
    server.take_role(&ada, "analyst").await;
    assert_eq!(scope(&server, &asker, text(&token)).await.as_deref(), Some("keys:read"));
    server.take_role(&ada, "member").await;
    assert_eq!(scope(&server, &asker, text(&token)).await, None);
    server.stop().await;
}

#[tokio::test]
async fn tokens_are_seen_by_those_whose_api_they_are_for() {
    let (server, boss, asker) = started().await;
    server.api(BILLING, &["invoices:read"]).await;
    server.api("https://mail.example.com", &["mail:read"]).await;
    let robot = server.service_account("robot").await;
    let key = server.key(&robot, "ci", Grants::Scopes(&["invoices:read", "mail:read", "keys:read"])).await;
    let token =
        async |resource: &str| text(&server.sign_in_with(&key, &[("resource", resource)]).await).to_owned();
    let (billing, mail) = (token(BILLING).await, token("https://mail.example.com").await);
    let both = [("resource", BILLING), ("resource", "https://mail.example.com")];
    let both = text(&server.sign_in_with(&key, &both).await).to_owned();
    let scopes = Grants::Scopes(&["tokens:introspect", "invoices:read"]);
    let billing_server =
        server.generous_key(&server.service_account("billing").await, "billing", scopes).await;
    let everything = server.generous_key(&boss.account, "everything", Grants::Roles(&["admin"])).await;
    for (who, sees) in
        [(&asker, [false; 3]), (&billing_server, [true, false, true]), (&everything, [true; 3])]
    {
        for (token, seen) in [&billing, &mail, &both].into_iter().zip(sees) {
            assert_eq!(told(&server, who, token).await["active"], json!(seen), "{}", who.client_id);
        }
    }
    // What the asker can be granted now counts, not what its token says.
    let bearer = format!("Bearer {}", text(&server.sign_in(&billing_server).await));
    assert_eq!(ask(&server, &bearer, &billing).await.json()["active"], json!(true));
    boss.caller.done(UPDATE, json!({ "id": billing_server.id, "scopes": ["tokens:introspect"] })).await;
    assert_eq!(ask(&server, &bearer, &billing).await.json()["active"], json!(false));
    server.stop().await;
}

#[tokio::test]
async fn only_who_may_introspect_is_answered() {
    let (server, boss, asker) = started().await;
    let token = server.sign_in(&boss.key).await;
    let weak = server.key(&boss.account, "weak", Grants::Scopes(&["keys:read"])).await;
    let narrow = server.key(&boss.account, "both", Grants::Scopes(&["keys:read", "tokens:introspect"])).await;
    let narrow = server.sign_in_with(&narrow, &[("scope", "keys:read")]).await;
    let [weak_token, asking] = [&weak, &asker].map(|key| server.sign_in(key));
    let (weak_token, asking) = (weak_token.await, asking.await);
    let bearer = |caller: &Caller| format!("Bearer {}", text(caller));
    let lacks = "Bearer error=\"insufficient_scope\", error_description=\"The access token lacks a required scope\", \
                 scope=\"tokens:introspect\", resource_metadata=\"https://keys.example.com/.well-known/oauth-protected-resource\"";
    let invalid = "Bearer error=\"invalid_token\"";
    for (authorization, status, error, challenge) in [
        (bearer(&asking), 200, Value::Null, ""),
        (bearer(&weak_token), 403, json!("insufficient_scope"), lacks),
        (bearer(&narrow), 403, json!("insufficient_scope"), lacks),
        (basic(&weak.client_id, &weak.secret), 403, json!("insufficient_scope"), ""),
        (basic(&asker.client_id, &foreign_secret()), 401, json!("invalid_client"), CHALLENGE),
        ("Bearer x".to_owned(), 401, json!("invalid_token"), invalid),
    ] {
        let answer = ask(&server, &authorization, text(&token)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (status, &error), "{authorization}");
        assert!(answer.challenge().starts_with(challenge), "{}", answer.challenge());
        assert_eq!(
            (answer.challenge().is_empty(), answer.header("cache-control")),
            (challenge.is_empty(), "no-store")
        );
    }
    let body = encoded(&[("token", text(&token))]);
    let nobody = send_to(&server, PATH, &[FORM], &body).await;
    assert_eq!((nobody.status.as_u16(), nobody.challenge()), (401, CHALLENGE));
    let missing = send_to(&server, PATH, &[FORM, ("authorization", &bearer(&asking))], "").await;
    assert_eq!(missing.json()["error_description"], "The parameter token is missing.");
    let log = server.log().await;
    let refused: Vec<_> = log.iter().filter(|row| row.kind == ActivityKind::TokenRefused).collect();
    assert_eq!(refused.iter().map(|row| row.outcome).collect::<Vec<_>>(), [Outcome::BadSecret]);
    server.stop().await;
}

#[tokio::test]
async fn a_question_costs_a_point_and_is_a_use() {
    let (server, boss, _) = started().await;
    let quota = Quota { requests: 2, per_seconds: 60 };
    let scopes = Grants::Scopes(&["tokens:introspect"]);
    let asker = server.key_with(&boss.account, "limited", scopes, |new| new.call_limit = Some(quota)).await;
    let bearer = format!("Bearer {}", text(&server.sign_in(&asker).await));
    for left in ["1", "0"] {
        let answer = ask(&server, &bearer, "x").await;
        assert!(answer.header("ratelimit").starts_with(&format!("\"call\";r={left};")), "{left}");
    }
    for authorization in [&bearer, &basic(&asker.client_id, &asker.secret)] {
        let answer = ask(&server, authorization, "x").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (429, &json!("rate_limited")));
        assert_eq!(
            (answer.header("retry-after"), answer.header("ratelimit-policy")),
            ("30", "\"call\";q=2;w=60")
        );
    }
    server.app.usage.write(&server.app.db).await.unwrap();
    let row = server.key_row(asker.id.parse().unwrap()).await;
    assert_eq!(row.last_used_operation.as_deref(), Some("token introspection"));
    server.stop().await;
}

#[tokio::test]
async fn a_token_and_an_asker_that_were_seen_before_cost_no_query() {
    let (server, boss, asker) = started().await;
    let bearer = format!("Bearer {}", text(&server.sign_in(&asker).await));
    let token = text(&boss.caller).to_owned();
    server.app.registry.poll_changes().await.unwrap();
    assert_eq!(ask(&server, &bearer, &token).await.json()["active"], json!(true));
    let reads = server.app.db.reads();
    for authorization in [&bearer, &basic(&asker.client_id, &asker.secret)] {
        assert_eq!(ask(&server, authorization, &token).await.json()["active"], json!(true));
    }
    assert_eq!(server.app.db.reads(), reads);
    server.stop().await;
}

#[tokio::test]
async fn whoever_cannot_hear_of_changes_does_not_answer_from_memory() {
    let (server, boss, asker) = started().await;
    let bearer = format!("Bearer {}", text(&server.sign_in(&asker).await));
    server.app.registry.poll_changes().await.unwrap();
    assert_eq!(ask(&server, &bearer, text(&boss.caller)).await.json()["active"], json!(true));
    server.app.db.close().await;
    server.advance(Duration::from_secs(5));
    let answer = ask(&server, &bearer, text(&boss.caller)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (503, &json!("temporarily_unavailable")));
    assert_eq!(answer.header("retry-after"), "1");
    server.stop().await;
}
