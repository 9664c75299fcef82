//! E-mail address and password with each request: off unless the settings allow it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entity::activity::{ActivityKind, Outcome};
use reqwest::header::{AUTHORIZATION, COOKIE, RETRY_AFTER};
use serde_json::{Value, json};

use super::{BEHIND_A_PROXY, MINUTE, PASSWORD, WRONG, assert_unsaid};
use crate::harness::changes::{DEACTIVATE_USER, UPDATE_USER};
use crate::harness::keys::{CREATE, Person};
use crate::harness::{Answer, Server};

const ADA: &str = "ada@example.com";
const QUERY: &str = "{ viewer { user { email } apiKey { id } scopes signIns { current } } }";

fn basic(email: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{password}")))
}

async fn ask(server: &Server, authorization: &str) -> Answer {
    let request = server.guest().post("/graphql").json(&json!({ "query": QUERY }));
    Answer::of(request.header(AUTHORIZATION, authorization)).await
}

async fn allow(boss: &Person, on: bool) {
    let mutation = "mutation ($input: UpdateSettingsInput!) { change: updateSettings(input: $input) {
        userErrors { code } } }";
    let payload = boss.caller.change(mutation, json!({ "passwordApiAccess": on })).await;
    assert_eq!(payload["userErrors"], json!([]));
}

const TRY_AGAIN: &str = "Basic realm=\"latchkey\", charset=\"UTF-8\"";
/// No error: no token was presented.
const USE_A_TOKEN: &str =
    "Bearer resource_metadata=\"https://keys.example.com/.well-known/oauth-protected-resource\"";
const ISSUER: &str = "public_url = 'https://keys.example.com'";

/// There is one challenge, and it fits what was sent and what is accepted.
#[track_caller]
fn assert_unauthorized(answer: &Answer, challenge: &str) {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "UNAUTHENTICATED"));
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, [challenge]);
    assert_eq!(answer.header("cache-control"), "no-store");
}

/// Proves
#[tokio::test]
async fn passwords_are_not_accepted_at_the_api_unless_the_settings_say_so() {
    let server = Server::start_with(ISSUER).await;
    server.member(ADA, &["member"]).await;
    let mut messages = Vec::new();
    for (email, password) in [(ADA, PASSWORD), (ADA, WRONG), ("nobody@example.com", PASSWORD)] {
        let answer = ask(&server, &basic(email, password)).await;
        assert_unauthorized(&answer, USE_A_TOKEN);
        let row = server.sign_in_log().await.pop().unwrap();
        assert_eq!((row.kind, row.outcome), (ActivityKind::SignInRefused, Outcome::PasswordAccessOff));
        assert_eq!((row.actor_id, row.target_id, row.owner_id), (None, None, None));
        assert_eq!(row.request_id.as_deref(), Some(answer.header("x-request-id")));
        assert_unsaid(&format!("{row:?}{}", answer.text), &[PASSWORD, WRONG]);
        messages.push(answer.json()["errors"][0]["message"].clone());
    }
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    assert!(server.browser(ADA).await.is_in().await);
    server.stop().await;
}

/// Proves: R-16
#[tokio::test]
async fn with_the_setting_a_person_acts_as_themselves_without_a_sign_in() {
    let server = Server::start_with(ISSUER).await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    allow(&boss, true).await;
    let answer = ask(&server, &basic("ADA@example.com", PASSWORD)).await;
    assert_eq!(
        answer.data()["viewer"],
        json!({
            "user": { "email": ADA },
            "apiKey": null,
            "scopes": ["activity:read", "keys:read", "keys:use", "keys:write", "roles:read", "scopes:read"],
            "signIns": [],
        })
    );
    assert!(answer.headers.get("set-cookie").is_none());
    let request = server.guest().post("/graphql").header(AUTHORIZATION, basic(ADA, PASSWORD));
    let input = json!({ "input": { "name": "ci", "scopes": ["keys:read"] } });
    let made = Answer::of(request.json(&json!({ "query": CREATE, "variables": input }))).await.data();
    let id = made["change"]["apiKey"]["id"].as_str().unwrap();
    let row = server.changes_of(id).await.remove(0);
    assert_eq!((row.actor_id, row.owner_id), (Some(ada.id.0), Some(ada.id)));
    // A colon ends the address, not the password.
    let password = "Zebra:canal:91:mustard";
    boss.caller.done(UPDATE_USER, json!({ "id": ada.public_id, "password": password })).await;
    assert_eq!(ask(&server, &basic(ADA, password)).await.status.as_u16(), 200);
    server.take_role(&ada, "member").await;
    assert_eq!(ask(&server, &basic(ADA, password)).await.data()["viewer"]["scopes"], json!([]));
    assert_eq!(server.sessions().await, []);
    allow(&boss, false).await;
    assert_unauthorized(&ask(&server, &basic(ADA, password)).await, USE_A_TOKEN);
    server.stop().await;
}

#[tokio::test]
async fn wrong_passwords_are_refused_alike_and_throttled_with_those_of_the_console() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    server.member(ADA, &["member"]).await;
    let gone = server.member("gone@example.com", &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    allow(&boss, true).await;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": gone.public_id })).await;
    let mut bodies: Vec<Value> = Vec::new();
    for (email, password, outcome) in [
        (ADA, WRONG, Outcome::BadSecret),
        ("gone@example.com", PASSWORD, Outcome::OwnerInactive),
        ("nobody@example.com", PASSWORD, Outcome::UnknownClient),
    ] {
        let answer = ask(&server, &basic(email, password)).await;
        assert_unauthorized(&answer, TRY_AGAIN);
        assert_eq!(server.sign_in_outcomes().await.pop(), Some((ActivityKind::SignInRefused, outcome)));
        let mut body = answer.json();
        body["errors"][0]["extensions"]["requestId"].take();
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    for _ in 0..9 {
        assert_eq!(server.enter(ADA, WRONG).await.status.as_u16(), 401);
    }
    let logged = server.sign_in_log().await.len();
    let answer = ask(&server, &basic(ADA, PASSWORD)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "RATE_LIMITED"));
    assert_eq!(answer.header(RETRY_AFTER.as_str()), "60");
    assert_eq!(server.sign_in_log().await.len(), logged);
    server.advance(MINUTE);
    assert_eq!(ask(&server, &basic(ADA, PASSWORD)).await.status.as_u16(), 200);
    server.stop().await;
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_refused_and_not_logged() {
    let server = Server::start_with(ISSUER).await;
    server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let browser = server.browser(ADA).await;
    let logged = server.sign_in_log().await.len();
    for nothing in ["Basic", "Basic "] {
        assert_unauthorized(&ask(&server, nothing).await, USE_A_TOKEN);
    }
    for on in [false, true] {
        allow(&boss, on).await;
        let challenge = if on { TRY_AGAIN } else { USE_A_TOKEN };
        let no_text = format!("Basic {}", STANDARD.encode([0xff, b':', 0xfe]));
        let no_colon = format!("Basic {}", STANDARD.encode(ADA));
        let too_long = basic(ADA, &"x".repeat(1025));
        let twice = format!("{} {}", basic(ADA, PASSWORD), STANDARD.encode("x:y"));
        for wrong in ["Basic !!!", "Basic YQ", &no_text, &no_colon, &too_long, &twice] {
            let request = server.guest().post("/graphql").json(&json!({ "query": QUERY }));
            // The cookie does not help out.
            let request = request.header(AUTHORIZATION, wrong).header(COOKIE, &browser.cookie);
            assert_unauthorized(&Answer::of(request).await, challenge);
        }
    }
    assert_eq!(server.sign_in_log().await.len(), logged);
    assert_eq!(ask(&server, &basic(ADA, PASSWORD).replace("Basic", "bAsIc")).await.status.as_u16(), 200);
    server.stop().await;
}

/// GET is for bearers alone: whatever a browser sends by itself does not open it.
#[tokio::test]
async fn a_password_is_not_accepted_by_get() {
    let server = Server::start_with(ISSUER).await;
    server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    allow(&boss, true).await;
    let request = server.guest().get("/graphql?query=%7Bviewer%7Bscopes%7D%7D");
    assert_unauthorized(&Answer::of(request.header(AUTHORIZATION, basic(ADA, PASSWORD))).await, USE_A_TOKEN);
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_passwords_that_are_not_accepted_does_not_fill_the_log() {
    let server = Server::start().await;
    for n in 0..100 {
        let answer = ask(&server, &basic(&format!("u{n}@example.com"), WRONG)).await;
        assert!([401, 429].contains(&answer.status.as_u16()), "{}", answer.text);
    }
    let logged = server.sign_in_log().await.len();
    assert!((1..=60).contains(&logged), "{logged} rows from one network in a minute");
    server.stop().await;
}
