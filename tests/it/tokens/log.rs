//! The log knows every exchange: how it ended, who it was, and nothing that could be used.

use std::time::Duration;

use entity::activity::{ActivityKind, Model, Outcome};
use entity::{AccountId, GlobalId, KeyId, ObjectKind};
use latchkey::values::Quota;
use serde_json::json;

use super::wire::{FORM, GRANT, JSON, basic, decoded, foreign_secret, request_id, send, send_to, token};
use crate::harness::keys::{DELETE, DISABLE, detail, selection};
use crate::harness::{Account, Answer, Grants, Key, Server};

const AGENT: &str = "integration/1.2 (nightly)";

/// The exchanges in the log, oldest first.
async fn exchanges(server: &Server) -> Vec<Model> {
    let issued_or_refused =
        |row: &Model| matches!(row.kind, ActivityKind::TokenIssued | ActivityKind::TokenRefused);
    server.log().await.into_iter().filter(issued_or_refused).collect()
}

/// Sends the key's credentials, and returns the answer with the one row that came of it.
async fn logged(server: &Server, key: &Key, parameters: &str) -> (Answer, Model) {
    let before = exchanges(server).await.len();
    let authorization = basic(&key.client_id, &key.secret);
    let headers = [FORM, ("authorization", &*authorization), ("user-agent", AGENT)];
    let answer = send(server, &headers, &format!("{GRANT}{parameters}")).await;
    let mut rows = exchanges(server).await.split_off(before);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    (answer, rows.remove(0))
}

/// What every row has, whatever happened.
#[track_caller]
fn came_from_here(server: &Server, answer: &Answer, row: &Model) {
    assert_eq!(row.request_id.as_deref(), Some(request_id(answer)));
    assert_eq!(row.ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(row.user_agent.as_deref(), Some(AGENT));
    assert_eq!(row.at, server.app.clock.now());
    assert_eq!((row.count, row.target_kind, row.target_id), (1, None, None));
}

fn key_id(key: &Key) -> KeyId {
    key.id.parse().unwrap()
}

fn actor(row: &Model) -> Option<(ObjectKind, uuid::Uuid)> {
    row.actor_kind.zip(row.actor_id)
}

fn itself(key: &Key) -> Option<(ObjectKind, uuid::Uuid)> {
    let id: GlobalId = key_id(key).into();
    Some((id.kind, id.uuid))
}

#[tokio::test]
async fn a_token_is_logged_with_its_id_its_scope_and_whom_it_was_issued_to() {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    server.api("https://billing.example.com", &["invoices:read"]).await;
    let ada = server.user("ada@example.com", &["admin"]).await;
    let key = server.key(&ada, "ci", Grants::Scopes(&["keys:read", "invoices:read"])).await;
    server.advance(Duration::from_millis(1_234));
    for (parameters, audience) in [
        ("&scope=keys:read", "https://keys.example.com"),
        ("&scope=invoices:read", "https://billing.example.com"),
    ] {
        let (answer, row) = logged(&server, &key, parameters).await;
        came_from_here(&server, &answer, &row);
        assert_eq!((row.kind, row.outcome), (ActivityKind::TokenIssued, Outcome::Ok));
        assert_eq!((actor(&row), row.key_id, row.owner_id), (itself(&key), Some(key_id(&key)), Some(ada.id)));
        let claims = decoded(&token(&answer)).1;
        assert_eq!(row.token_id.as_deref(), claims["jti"].as_str());
        assert_eq!(detail(&row), json!({ "scope": claims["scope"], "aud": audience }));
    }
    server.stop().await;
}

#[tokio::test]
async fn the_other_way_to_exchange_is_logged_the_same() {
    let server = Server::start().await;
    let robot = server.service_account("robot").await;
    let key = server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
    let body = json!({ "client_id": key.client_id, "client_secret": key.secret }).to_string();
    let answer = send_to(&server, "/api/v2/authenticate", &[JSON, ("user-agent", AGENT)], &body).await;
    let row = exchanges(&server).await.pop().unwrap();
    came_from_here(&server, &answer, &row);
    assert_eq!((row.kind, row.outcome), (ActivityKind::TokenIssued, Outcome::Ok));
    assert_eq!(row.token_id.as_deref(), decoded(answer.json().as_str().unwrap()).1["jti"].as_str());
    assert_eq!((actor(&row), row.owner_id), (itself(&key), Some(robot.id)));
    server.stop().await;
}

/// A key for each way to be refused once the secret is proven.
async fn proven(server: &Server) -> Vec<(Outcome, Key, AccountId, &'static str)> {
    let ada = server.person("ada@example.com", &["member"]).await;
    let make =
        async |owner: &Account, name: &str| server.key(owner, name, Grants::Scopes(&["keys:read"])).await;
    let (disabled, deleted) = (make(&ada.account, "disabled").await, make(&ada.account, "deleted").await);
    ada.caller.change(DISABLE, selection([&*disabled.id])).await;
    ada.caller.change(DELETE, selection([&*deleted.id])).await;
    let end = Some(server.app.clock.now().plus_seconds(60));
    let ended = server.key_with(&ada.account, "ended", Grants::Inherit, |new| new.expires_at = end).await;
    let gone = server.user("gone@example.com", &["member"]).await;
    let ownerless = make(&gone, "ci").await;
    server.deactivate(&gone).await;
    let nobody = server.user("nobody@example.com", &[]).await;
    let unusable = make(&nobody, "ci").await;
    let good = make(&ada.account, "good").await;
    let one = Some(Quota { requests: 1, per_seconds: 3_600 });
    let limited =
        server.key_with(&ada.account, "limited", Grants::Inherit, |new| new.token_limit = one).await;
    server.sign_in(&limited).await;
    let empty = server.key(&ada.account, "empty", Grants::Roles(&[])).await;
    server.advance(Duration::from_secs(60));
    let of_ada = ada.account.id;
    vec![
        (Outcome::Disabled, disabled, of_ada, ""),
        (Outcome::Deleted, deleted, of_ada, ""),
        (Outcome::Expired, ended, of_ada, ""),
        (Outcome::OwnerInactive, ownerless, gone.id, ""),
        (Outcome::UseNotPermitted, unusable, nobody.id, ""),
        (Outcome::InvalidScope, good.clone(), of_ada, "&scope=keys:write"),
        (Outcome::InvalidScope, empty, of_ada, ""),
        (Outcome::InvalidTarget, good, of_ada, "&resource=urn:nowhere"),
        (Outcome::RateLimited, limited, of_ada, ""),
    ]
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_true_reason() {
    let server = Server::start().await;
    for (outcome, key, owner, parameters) in proven(&server).await {
        let (answer, row) = logged(&server, &key, parameters).await;
        came_from_here(&server, &answer, &row);
        assert_eq!((row.kind, row.outcome), (ActivityKind::TokenRefused, outcome));
        assert_eq!(
            (actor(&row), row.key_id, row.owner_id),
            (itself(&key), Some(key_id(&key)), Some(owner)),
            "{outcome:?}"
        );
        assert_eq!((row.token_id, row.detail), (None, None), "{outcome:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_has_not_proven_the_secret_is_nobody_in_the_log() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let with = |secret: &str| Key { secret: secret.to_owned(), ..key.clone() };
    let unknown = Key { client_id: "0123456789ABCDEF0123456789ABCDEF".to_owned(), ..with(&foreign_secret()) };
    let known = (Some(key_id(&key)), Some(ada.id));
    // A malformed secret is refused without a look-up, so nobody knows whose it should have been.
    for (outcome, key, (key_id, owner)) in [
        (Outcome::BadSecret, with(&foreign_secret()), known),
        (Outcome::BadSecret, with("hunter2"), (None, None)),
        (Outcome::UnknownClient, unknown, (None, None)),
    ] {
        let (answer, row) = logged(&server, &key, "").await;
        came_from_here(&server, &answer, &row);
        assert_eq!((row.kind, row.outcome), (ActivityKind::TokenRefused, outcome));
        assert_eq!((actor(&row), row.key_id, row.owner_id), (None, key_id, owner));
        assert_eq!((row.token_id, row.detail), (None, None));
    }
    server.stop().await;
}

#[tokio::test]
async fn malformed_requests_concern_no_client_and_are_not_logged() {
    let server = Server::start().await;
    for (headers, body) in [
        (vec![FORM], GRANT),
        (vec![FORM], ""),
        (vec![], GRANT),
        (vec![FORM, ("authorization", "Basic !")], GRANT),
    ] {
        assert!(send(&server, &headers, body).await.status.is_client_error());
    }
    assert_eq!(exchanges(&server).await, []);
    server.stop().await;
}

#[tokio::test]
async fn a_long_user_agent_is_cut_and_an_unreadable_one_left_out() {
    let server = Server::start().await;
    let robot = server.service_account("robot").await;
    let key = server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
    let authorization = basic(&key.client_id, &key.secret);
    let long = "x".repeat(5_000);
    let headers = [FORM, ("authorization", &*authorization), ("user-agent", &*long)];
    assert_eq!(send(&server, &headers, GRANT).await.status, 200);
    assert_eq!(exchanges(&server).await.pop().unwrap().user_agent, Some("x".repeat(200)));
    let request = server.http.post(format!("{}/oauth/token", server.url)).body(GRANT).header(FORM.0, FORM.1);
    let odd = reqwest::header::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let answer = Answer::of(request.header("authorization", &authorization).header("user-agent", odd)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(exchanges(&server).await.pop().unwrap().user_agent, None);
    server.stop().await;
}

#[tokio::test]
async fn the_log_holds_no_secret_and_no_token() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let wrong = foreign_secret();
    let (answer, _) = logged(&server, &key, "").await;
    let token = token(&answer);
    logged(&server, &key, "&scope=no:such").await;
    logged(&server, &Key { secret: wrong.clone(), ..key.clone() }, "").await;
    logged(&server, &Key { secret: "hunter2".to_owned(), ..key.clone() }, "").await;
    // Id and secret the wrong way round: what looks like an id is a secret.
    logged(&server, &Key { client_id: key.secret.clone(), secret: key.client_id.clone(), ..key.clone() }, "")
        .await;

    let log = format!("{:?}", server.log().await);
    assert!(log.contains(&key_id(&key).0.to_string()));
    let place = server.stop().await;
    let stored = place.stored().await;
    let signature = token.rsplit_once('.').unwrap().1;
    let ada_secret = &ada.key.secret;
    for secret in [&key.secret[6..49], &ada_secret[6..49], &wrong[6..49], "hunter2", signature] {
        assert!(!log.contains(secret));
        assert!(!stored.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}
