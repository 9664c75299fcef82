//! What was revoked stays revoked, however many exchange meanwhile: after the revoke there is no token in the log, none is
//! given out, and older ones are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::activity::{ActivityKind, Model};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::changes::{CREATE_ROLE, DEACTIVATE_USER, REACTIVATE_USER, UPDATE_ROLE};
use crate::harness::keys::{DISABLE, ENABLE, detail, selection};
use crate::harness::{Caller, Grants, Key, Server, setting};

const EXCHANGING: usize = 8;
/// The scope that is taken away, and the one that keeps the key alive.
const LOST: &str = "keys:read";
const KEPT: &str = "roles:read";

/// How often something is revoked.
fn rounds() -> u64 {
    setting("RACE_ROUNDS").unwrap_or(24)
}

/// A change and what undoes it.
struct Revoke {
    away: (&'static str, Value),
    back: (&'static str, Value),
    /// The rows of the log that tell of it.
    kinds: [ActivityKind; 2],
}

/// Exchanges until it is over: only tokens, refusals, and requests to try again are answers.
async fn exchange(caller: Caller, key: Key, over: Arc<AtomicBool>) {
    let body = json!({ "grant_type": "client_credentials", "client_id": key.client_id, "client_secret": key.secret });
    while !over.load(Ordering::SeqCst) {
        let answer = caller.send(caller.post("/oauth/token").json(&body)).await;
        assert!(matches!(answer.status.as_u16(), 200 | 401 | 503), "{}", answer.status);
    }
}

/// Whether this token still gives what was lost.
async fn gives(server: &Server, token: &str) -> bool {
    let caller = server.bearer(token);
    let answer = caller.send(caller.get("/whoami")).await;
    answer.status == StatusCode::OK && answer.text.contains(LOST)
}

async fn token(server: &Server, key: &Key) -> String {
    for _ in 0..50 {
        let answer = server.exchange(key, &[]).await;
        if answer.status == StatusCode::OK {
            return answer.json()["access_token"].as_str().unwrap().to_owned();
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    panic!("the key gets no token");
}

/// Whether a token with the scope was issued between a revoke and what undid it, in the order of the log.
fn issued_after(log: &[Model], revoke: &Revoke, key: &Key) -> usize {
    let key = key.id.parse().unwrap();
    let (mut gone, mut after, mut revokes) = (false, 0, 0);
    for row in log {
        if revoke.kinds.contains(&row.kind) {
            gone = match row.kind {
                ActivityKind::RoleUpdated => !detail(row)["after"]["scopes"].to_string().contains(LOST),
                kind => kind == revoke.kinds[0],
            };
            revokes += u64::from(gone);
        }
        let token = row.kind == ActivityKind::TokenIssued && row.key_id == Some(key);
        after += usize::from(gone && token && detail(row)["scope"].to_string().contains(LOST));
    }
    assert_eq!(revokes, rounds());
    after
}

async fn race(server: Server, boss: &Caller, key: Key, revoke: Revoke) {
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..EXCHANGING {
        clients.spawn(exchange(server.guest(), key.clone(), Arc::clone(&over)));
    }
    for round in 0..rounds() {
        let old = token(&server, &key).await;
        let (mutation, input) = revoke.away.clone();
        assert_eq!(boss.change_among_many(mutation, input).await["userErrors"], json!([]));
        assert!(!gives(&server, &old).await, "{round}");
        let answer = server.exchange(&key, &[]).await;
        let granted = answer.json()["scope"].to_string();
        assert!(answer.status != StatusCode::OK || !granted.contains(LOST), "{round}: {granted}");
        let (mutation, input) = revoke.back.clone();
        assert_eq!(boss.change_among_many(mutation, input).await["userErrors"], json!([]));
    }
    over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    assert_eq!(issued_after(&server.log().await, &revoke, &key), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_key_was_disabled_it_gets_no_token() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let key = server.generous_key(&boss.account, "ci", Grants::Scopes(&[LOST])).await;
    let input = selection([&*key.id]);
    let kinds = [ActivityKind::KeyDisabled, ActivityKind::KeyEnabled];
    let revoke = Revoke { away: (DISABLE, input.clone()), back: (ENABLE, input), kinds };
    race(server, &boss.caller, key, revoke).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_owner_was_deactivated_their_keys_get_no_token() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.generous_key(&ada, "ci", Grants::Scopes(&[LOST])).await;
    let input = json!({ "id": ada.public_id });
    let kinds = [ActivityKind::UserDeactivated, ActivityKind::UserReactivated];
    let revoke = Revoke { away: (DEACTIVATE_USER, input.clone()), back: (REACTIVATE_USER, input), kinds };
    race(server, &boss.caller, key, revoke).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_role_was_lowered_no_token_has_what_it_lost() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let role = boss.caller.made(CREATE_ROLE, json!({ "name": "lowered", "scopes": [LOST, KEPT] })).await;
    let robot = server.service_account("robot").await;
    let key = server.generous_key(&robot, "ci", Grants::Roles(&["lowered"])).await;
    let with = |scopes: &[&str]| json!({ "id": role, "scopes": scopes });
    let kinds = [ActivityKind::RoleUpdated; 2];
    let revoke =
        Revoke { away: (UPDATE_ROLE, with(&[KEPT])), back: (UPDATE_ROLE, with(&[LOST, KEPT])), kinds };
    race(server, &boss.caller, key, revoke).await;
}
