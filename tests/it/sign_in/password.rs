//! Passwords: changing one's own, and which ones are refused wherever they are set.

use entity::UserId;
use entity::activity::{ActivityKind, Outcome};
use serde_json::{Value, json};

use super::{MINUTE, OTHER, PASSWORD, WRONG, assert_unsaid, code};
use crate::harness::changes::{CREATE_USER, UPDATE_USER};
use crate::harness::keys::mistakes;
use crate::harness::{Caller, Grants, Server};

const ADA: &str = "ada@example.com";
const CHANGE: &str = "mutation ($input: ChangePasswordInput!) { change: changePassword(input: $input) {
    changed userErrors { code field message targetId } } }";
const WEAK: [(&str, &str); 6] = [
    ("", "Use at least 12 characters."),
    ("Xk3-91vmPq-", "Use at least 12 characters."),
    // More than twelve bytes, fewer than twelve characters.
    ("пароль-ключ", "Use at least 12 characters."),
    ("passwordpassword", "This password is easy to guess"),
    ("111111111111111111", "This password is easy to guess"),
    ("abcdefghijklmnop", "This password is easy to guess"),
];

fn input(current: &str, new: &str) -> Value {
    json!({ "currentPassword": current, "newPassword": new })
}

/// That long in bytes, and not easy to guess.
fn of_bytes(length: usize) -> String {
    format!("{PASSWORD}{}", "z".repeat(length - PASSWORD.len()))
}

async fn opens(server: &Server, password: &str) -> bool {
    server.advance(MINUTE);
    server.enter(ADA, password).await.status.as_u16() == 204
}

#[tokio::test]
async fn whoever_changes_their_password_stays_and_ends_their_other_sign_ins() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let eve = server.member("eve@example.com", &["member"]).await;
    let (here, elsewhere) = (server.browser(ADA).await, server.browser(ADA).await);
    let other = server.browser(&eve.name).await;
    let state = server.user_row(&eve).await;
    let answer = here.graphql_with(CHANGE, json!({ "input": input(PASSWORD, OTHER) })).await;
    assert_eq!(answer.data()["change"], json!({ "changed": true, "userErrors": [] }));
    assert!(here.is_in().await && other.is_in().await && !elsewhere.is_in().await);
    let row = server.sign_in_log().await.pop().unwrap();
    assert_eq!((row.kind, row.outcome), (ActivityKind::PasswordChanged, Outcome::Ok));
    assert_eq!([row.actor_id, row.target_id, row.owner_id.map(|id| id.0)], [Some(ada.id.0); 3]);
    assert_eq!(row.request_id.as_deref(), Some(answer.header("x-request-id")));
    let log = format!("{:?}", server.log().await);
    assert_unsaid(&(log + &answer.text), &[PASSWORD, OTHER, "argon2"]);
    assert!(state == server.user_row(&eve).await, "somebody else was changed");
    assert!(opens(&server, OTHER).await && !opens(&server, PASSWORD).await);
    server.stop().await;
}

#[tokio::test]
async fn a_password_is_not_changed_without_the_old_one_or_to_a_weak_one() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let (here, elsewhere) = (server.browser(ADA).await, server.browser(ADA).await);
    let before = server.user_row(&ada).await;
    for current in [WRONG, "", &of_bytes(1025), &PASSWORD.to_uppercase(), &format!("{PASSWORD} ")] {
        let payload = here.change(CHANGE, input(current, OTHER)).await;
        assert_eq!(mistakes(&payload), ["INVALID input.currentPassword"]);
        assert_eq!(payload["userErrors"][0]["message"], "The current password is wrong.");
        assert_eq!(payload["changed"], false);
    }
    let long = of_bytes(1025);
    for (new, problem) in WEAK.into_iter().chain([(&*long, "Use at most 1024 bytes.")]) {
        let payload = here.change(CHANGE, input(PASSWORD, new)).await;
        assert_eq!(mistakes(&payload), ["INVALID input.newPassword"], "{new}");
        assert!(payload["userErrors"][0]["message"].as_str().unwrap().starts_with(problem), "{payload}");
    }
    assert!(server.user_row(&ada).await == before, "something was changed");
    assert!(here.is_in().await && elsewhere.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn the_old_password_cannot_be_guessed_through_a_sign_in() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let here = server.browser(ADA).await;
    for _ in 0..9 {
        assert_eq!(here.change(CHANGE, input(WRONG, OTHER)).await["changed"], false);
    }
    let before = server.user_row(&ada).await;
    let payload = here.change(CHANGE, input(PASSWORD, OTHER)).await;
    assert_eq!(payload["userErrors"][0]["message"], "Too many attempts. Wait a minute.");
    assert!(server.user_row(&ada).await == before, "the password was changed");
    server.advance(MINUTE);
    // Nor can many be tried in one request.
    let guess = |n: usize| {
        format!(
            "g{n}: changePassword(input: {{ currentPassword: \"{WRONG}\", newPassword: \"{OTHER}\" }}) {{ changed }} "
        )
    };
    let two: String = (0..2).map(guess).collect();
    assert_eq!(here.graphql(&format!("mutation {{ {two} }}")).await.code(), "COST_LIMIT_EXCEEDED");
    assert_eq!(here.change(CHANGE, input(PASSWORD, OTHER)).await["changed"], true);
    server.stop().await;
}

#[tokio::test]
async fn keys_of_the_user_may_change_it_and_others_may_not() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    let own = server.generous_key(&ada, "own", Grants::Inherit).await;
    let read_only = server.key_with(&ada, "reader", Grants::Inherit, |new| new.read_only = true).await;
    let bot = server.service_account("bot").await;
    let bots = server.generous_key(&bot, "bots", Grants::Roles(&["admin"])).await;
    let bare = server.person("bare@example.com", &["member"]).await;

    let reader = server.sign_in(&read_only).await;
    assert_eq!(reader.denied(CHANGE, input(PASSWORD, OTHER)).await, "READ_ONLY");
    let refused =
        |caller: Caller| async move { mistakes(&caller.change(CHANGE, input(PASSWORD, OTHER)).await) };
    assert_eq!(refused(server.sign_in(&bots).await).await, ["INVALID input.currentPassword"]);
    assert_eq!(refused(bare.caller).await, ["INVALID input.currentPassword"]);
    assert!(browser.is_in().await);

    let payload = server.sign_in(&own).await.change(CHANGE, input(PASSWORD, OTHER)).await;
    assert_eq!(payload["changed"], true);
    assert!(!browser.is_in().await, "no sign-in is the one that asked");
    let row = server.sign_in_log().await.pop().unwrap();
    assert_eq!(row.kind, ActivityKind::PasswordChanged);
    assert_eq!(row.actor_id.map(entity::KeyId), Some(own.id.parse().unwrap()));
    assert!(opens(&server, OTHER).await);
    server.stop().await;
}

#[tokio::test]
async fn weak_passwords_are_refused_wherever_they_are_set() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let before = server.whole_state().await;
    let long = of_bytes(1025);
    for (new, problem) in WEAK.into_iter().chain([(&*long, "Use at most 1024 bytes.")]) {
        let made = json!({ "email": "new@example.com", "displayName": "New", "password": new });
        let changed = json!({ "id": ada.public_id, "displayName": "Other", "password": new });
        for (mutation, input) in [(CREATE_USER, made), (UPDATE_USER, changed)] {
            let mistake = boss.caller.mistake(mutation, input).await;
            assert_eq!((&mistake["code"], &mistake["field"][1]), (&json!("INVALID"), &json!("password")));
            assert!(mistake["message"].as_str().unwrap().starts_with(problem), "{mistake}");
        }
    }
    assert!(server.whole_state().await == before, "something was changed");
    server.stop().await;
}

/// Each of these says nothing to strangers, and is the first thing to try for whoever knows the person.
#[tokio::test]
async fn what_everybody_knows_of_a_person_is_no_password_of_theirs() {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let account = |password: &str| {
        json!({ "email": "w.krzhanov@quuxborough.example", "handle": "vexolith", "displayName": "Wendelgard Zoff",
                "password": password })
    };
    let easy = async |mutation: &str, input: Value| {
        let mistake = boss.caller.mistake(mutation, input).await;
        assert_eq!(mistake["code"], "INVALID");
        assert_eq!(mistake["field"], json!(["input", "password"]));
        assert!(
            mistake["message"].as_str().unwrap().starts_with("This password is easy to guess"),
            "{mistake}"
        );
    };
    let known = [
        "W.Krzhanov2026",
        "w.krzhanov@quuxborough.example",
        "vexolithvexolith",
        "Wendelgard-1985",
        "latchkey2026",
    ];
    for password in known {
        easy(CREATE_USER, account(password)).await;
    }
    let strangers = json!({ "email": "eve@example.com", "displayName": "Eve", "password": known[0] });
    boss.caller.done(CREATE_USER, strangers).await;
    boss.caller.done(CREATE_USER, account(PASSWORD)).await;

    let browser = server.browser("w.krzhanov@quuxborough.example").await;
    let id = browser.graphql("{ viewer { user { id } } }").await.data()["viewer"]["user"]["id"].clone();
    let before = server.whole_state().await;
    for password in known {
        easy(UPDATE_USER, json!({ "id": id, "password": password })).await;
        let payload = browser.change(CHANGE, input(PASSWORD, password)).await;
        assert_eq!(mistakes(&payload), ["INVALID input.newPassword"], "{password}");
    }
    // What the same change makes known counts too, and what it forgets.
    let renamed = |password: &str| {
        json!({ "id": id, "email": "quillhorst@example.com", "handle": "brumfeld", "displayName": "Ottokar Y",
                "password": password })
    };
    for password in ["quillhorst-77", "brumfeld-1985", "Ottokar-2019", "vexolithvexolith"] {
        easy(UPDATE_USER, renamed(password)).await;
    }
    easy(UPDATE_USER, json!({ "id": id, "handle": null, "password": "vexolithvexolith" })).await;
    assert!(server.whole_state().await == before, "something was changed");
    boss.caller.done(UPDATE_USER, renamed(OTHER)).await;
    let nobody = json!({ "id": UserId(uuid::Uuid::max()).to_string(), "password": OTHER });
    assert_eq!(boss.caller.mistake(UPDATE_USER, nobody).await["code"], "NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn setting_up_refuses_weak_passwords_and_keeps_the_token() {
    let server = Server::start().await;
    let token = latchkey::actions::setup::renew_token(&server.app).await.unwrap().unwrap();
    let set_up = |password: &str| {
        let body = json!({ "token": &**token, "email": ADA, "password": password });
        crate::harness::Answer::of(server.guest().post("/setup").json(&body))
    };
    let long = of_bytes(1025);
    let own = [("ada@example.com", "This password is easy to guess"), (&*long, "Use at most 1024 bytes.")];
    for (new, problem) in WEAK.into_iter().chain(own) {
        let answer = set_up(new).await;
        assert_eq!(code(&answer), (400, "BAD_USER_INPUT".to_owned()));
        assert!(answer.json()["detail"].as_str().unwrap().starts_with(problem), "{}", answer.text);
    }
    assert_eq!(set_up(PASSWORD).await.status.as_u16(), 204);
    assert!(server.browser(ADA).await.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn long_and_foreign_passwords_count_to_the_last_byte() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let most = of_bytes(1024);
    let almost = format!("{}y", &most[..1023]);
    for (password, near) in [
        (&*most, &*almost),
        ("мышь-облако-семь-лодок", "мышь-облако-семь-лодка"),
        ("🦊🌲🚲🧀🌙🎻🐝🔑🪁🍋🗻⛵", "🦊🌲🚲🧀🌙🎻🐝🔑🪁🍋🗻🛶"),
        (" Zebra canal\t91\0mustard ", "Zebra canal\t91\0mustard"),
        ("\"quartz\\ferry{lantern}'$1--", "\"quartz\\ferry{lantern}'$2--"),
    ] {
        boss.caller.done(UPDATE_USER, json!({ "id": ada.public_id, "password": password })).await;
        assert!(opens(&server, password).await && !opens(&server, near).await, "{password:?}");
    }
    server.stop().await;
}
