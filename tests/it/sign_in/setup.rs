//! `POST /setup`: the first administrator, made once by whoever can read the server's file.

use std::time::Duration;

use entity::activity::ActivityKind;
use latchkey::actions::setup::renew_token;
use latchkey::actions::users::{WantedPassword, create_administrator};
use reqwest::header::RETRY_AFTER;
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};

use super::{BEHIND_A_PROXY, MILLISECOND, MINUTE, OTHER, PASSWORD, assert_unsaid, code};
use crate::harness::changes::{DEACTIVATE_USER, REACTIVATE_USER};
use crate::harness::keys::detail;
use crate::harness::{Answer, Server};

const ADA: &str = "ada@example.com";
const HOUR: Duration = Duration::from_secs(3600);

async fn token(server: &Server) -> String {
    renew_token(&server.app).await.unwrap().unwrap().to_string()
}

fn administrator(token: &str, email: &str) -> Value {
    json!({ "token": token, "email": email, "password": PASSWORD })
}

async fn set_up(server: &Server, body: &Value) -> Answer {
    Answer::of(server.guest().post("/setup").json(body)).await
}

#[track_caller]
fn assert_no_token(answer: &Answer) {
    assert_eq!(code(answer), (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(answer.header("cache-control"), "no-store");
}

/// The addresses of all users, in order.
#[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
async fn users(server: &Server) -> Vec<String> {
    let users = entity::user::Entity::find().order_by_asc(entity::user::Column::Email);
    users.all(server.app.db.reader()).await.unwrap().into_iter().map(|user| user.email).collect()
}

#[tokio::test]
async fn the_token_makes_one_administrator_once() {
    let server = Server::start().await;
    let token = token(&server).await;
    let answer = set_up(&server, &administrator(&token, " Ada@Example.com ")).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (204, ""));
    assert_eq!((answer.header("cache-control"), answer.header("set-cookie")), ("no-store", ""));
    assert_no_token(&set_up(&server, &administrator(&token, "eve@example.com")).await);
    assert_eq!(users(&server).await, [ADA]);

    let browser = server.browser(ADA).await;
    let viewer = browser
        .graphql("{ viewer { user { displayName roles { name } } can { manageUsers manageSettings } } }");
    assert_eq!(
        viewer.await.data()["viewer"],
        json!({
            "user": { "displayName": ADA, "roles": [{ "name": "admin" }] },
            "can": { "manageUsers": true, "manageSettings": true },
        })
    );
    let rows = server.log().await;
    let row = rows.iter().find(|row| row.kind == ActivityKind::UserCreated).unwrap();
    assert_eq!(row.request_id.as_deref(), Some(answer.header("x-request-id")));
    assert_eq!(row.actor_kind, Some(entity::ObjectKind::System));
    assert_eq!(detail(row), json!({ "after": { "email": ADA, "roles": ["admin"] }, "by": "setup" }));
    assert_unsaid(&format!("{rows:?}"), &[PASSWORD, &token, "argon2"]);
    assert!(renew_token(&server.app).await.unwrap().is_none(), "there is an administrator");
    server.stop().await;
}

#[tokio::test]
async fn only_the_newest_token_works_and_for_an_hour() {
    let server = Server::start().await;
    let old = token(&server).await;
    let new = token(&server).await;
    assert!(old != new, "it is the same token again");
    for wrong in [&*old, "", "nonsense", &new[1..], &format!("{new} "), &format!("{new}\0")] {
        assert_no_token(&set_up(&server, &administrator(wrong, ADA)).await);
    }
    server.advance(HOUR);
    assert_no_token(&set_up(&server, &administrator(&new, ADA)).await);
    let last = token(&server).await;
    server.advance(HOUR - MILLISECOND);
    assert_eq!(set_up(&server, &administrator(&last, ADA)).await.status.as_u16(), 204);
    assert_eq!(users(&server).await, [ADA]);
    server.stop().await;
}

#[tokio::test]
async fn without_a_token_nothing_is_set_up() {
    let server = Server::start().await;
    assert_no_token(&set_up(&server, &administrator("", ADA)).await);
    let digest = latchkey::crypto::digest::sha256_hex(token(&server).await.as_bytes());
    assert_no_token(&set_up(&server, &administrator(&digest, ADA)).await);
    assert_eq!(users(&server).await, [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn the_token_is_worth_nothing_once_the_command_has_made_an_administrator() {
    let server = Server::start().await;
    let token = token(&server).await;
    let password = WantedPassword::new(OTHER.to_owned().into());
    create_administrator(&server.operator(), ADA, None, password).await.unwrap();
    assert_no_token(&set_up(&server, &administrator(&token, "eve@example.com")).await);
    assert_eq!(users(&server).await, [ADA]);
    server.stop().await;
}

#[tokio::test]
async fn a_token_is_needed_while_no_administrator_is_active() {
    let server = Server::start().await;
    server.user("member@example.com", &["member"]).await;
    let ada = server.user(ADA, &["admin"]).await;
    assert!(renew_token(&server.app).await.unwrap().is_none());
    server.deactivate(&ada).await;
    let token = token(&server).await;
    // Whose address is taken is told to whoever has the token, and to nobody else.
    assert_no_token(&set_up(&server, &administrator("x", ADA)).await);
    let taken = set_up(&server, &administrator(&token, ADA)).await;
    assert_eq!(code(&taken), (400, "BAD_USER_INPUT".to_owned()));
    assert_eq!(set_up(&server, &administrator(&token, "eve@example.com")).await.status.as_u16(), 204);
    let eve = server.browser("eve@example.com").await;
    for mutation in [REACTIVATE_USER, DEACTIVATE_USER] {
        assert_eq!(eve.change(mutation, json!({ "id": ada.public_id })).await["userErrors"], json!([]));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_administrator_is_refused_and_the_token_stays() {
    let server = Server::start().await;
    let token = token(&server).await;
    let with = |name: &str, value: Value| {
        let mut body = administrator(&token, ADA);
        body[name] = value;
        body
    };
    for body in [
        with("email", json!("ada")),
        with("email", json!("ada\0@example.com")),
        with("email", json!(format!("{}@example.com", "a".repeat(250)))),
        with("displayName", json!(" ")),
        with("displayName", json!("A\0")),
        with("displayName", json!("x".repeat(1000))),
        with("token", json!(null)),
        with("token", json!([token])),
        with("admin", json!(true)),
        json!([]),
    ] {
        let answer = set_up(&server, &body).await;
        assert_eq!(code(&answer), (400, "BAD_USER_INPUT".to_owned()), "{}", answer.text);
        assert_unsaid(&answer.text, &[&token, PASSWORD]);
        server.advance(MINUTE / 10);
    }
    let typed = server.guest().post("/setup").header("content-type", "text/plain");
    assert_eq!(Answer::of(typed.body(administrator(&token, ADA).to_string())).await.status.as_u16(), 415);
    assert_eq!(set_up(&server, &with("email", json!("x".repeat(8192)))).await.status.as_u16(), 413);
    assert_eq!(Answer::of(server.guest().get("/setup")).await.status.as_u16(), 405);
    assert_eq!(set_up(&server, &with("displayName", json!(" Ada "))).await.status.as_u16(), 204);
    let viewer = server.browser(ADA).await.graphql("{ viewer { user { displayName } } }").await.data();
    assert_eq!(viewer["viewer"]["user"]["displayName"], "Ada");
    server.stop().await;
}

#[tokio::test]
async fn of_twenty_at_once_one_becomes_administrator() {
    for same in [false, true] {
        let server = Server::start_with(BEHIND_A_PROXY).await;
        let token = token(&server).await;
        let requests = (0..20).map(|n| {
            let email = if same { ADA.to_owned() } else { format!("u{n}@example.com") };
            let request = server.guest().post("/setup").json(&administrator(&token, &email));
            tokio::spawn(Answer::of(request.header("x-forwarded-for", format!("203.0.113.{n}"))))
        });
        let requests: Vec<_> = requests.collect();
        let mut made = 0;
        for request in requests {
            let answer = request.await.unwrap();
            match answer.status.as_u16() {
                204 => made += 1,
                _ => assert_no_token(&answer),
            }
        }
        assert_eq!((made, users(&server).await.len()), (1, 1));
        server.stop().await;
    }
}

#[tokio::test]
async fn guesses_of_the_token_are_throttled() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let token = token(&server).await;
    for _ in 0..10 {
        assert_no_token(&set_up(&server, &administrator("x", ADA)).await);
    }
    let refused = set_up(&server, &administrator(&token, ADA)).await;
    assert_eq!(code(&refused), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(refused.header(RETRY_AFTER.as_str()), "60");
    let elsewhere = server.guest().post("/setup").header("x-forwarded-for", "203.0.113.7");
    assert_no_token(&Answer::of(elsewhere.json(&administrator("x", ADA))).await);
    server.advance(MINUTE);
    assert_eq!(set_up(&server, &administrator(&token, ADA)).await.status.as_u16(), 204);
    server.stop().await;
}
