//! The first administrator over HTTP: where the token lies, who is told, and when it goes away.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::command::{Process, latchkey, make_key};
use crate::harness::{Answer, Place};

const PASSWORD: &str = "Zebra-canal-91-mustard";
const WRONG: &str = "Walnut+orbit 55 saddle";

fn file(place: &Place) -> PathBuf {
    place.path().join("setup-token")
}

/// The token in the file, which is for its owner alone.
fn token(place: &Place) -> String {
    assert_eq!(std::fs::metadata(file(place)).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(file(place)).unwrap();
    let token = text.strip_suffix('\n').unwrap();
    assert!(token.len() == 43 && token.chars().all(|letter| letter.is_ascii_alphanumeric()));
    token.to_owned()
}

async fn post(server: &Process, path: &str, body: Value) -> Answer {
    Answer::at_last(server.guest().post(path).json(&body)).await
}

async fn set_up(server: &Process, token: &str, email: &str) -> u16 {
    let body = json!({ "token": token, "email": email, "password": PASSWORD });
    post(server, "/setup", body).await.status.as_u16()
}

#[tokio::test]
async fn the_screen_names_the_file_and_the_address_and_never_the_token() {
    let place = Place::new().await;
    let server = latchkey(&place, &[]).set("LATCHKEY_LOG", "trace").serve().await;
    let token = token(&place);
    let screen = server.stdout();
    assert!(screen.contains(&format!("with the setup token in {}", file(&place).display())), "{screen}");
    assert!(screen.contains(&format!("POST {}/setup\n", server.url)), "{screen}");
    assert_eq!(set_up(&server, &token, "ada@example.com").await, 204);
    assert_eq!(set_up(&server, &token, "eve@example.com").await, 401);

    let ada = |password: &str| json!({ "email": "ada@example.com", "password": password });
    assert_eq!(post(&server, "/session", ada(WRONG)).await.status.as_u16(), 401);
    let entered = post(&server, "/session", ada(PASSWORD)).await;
    assert_eq!(entered.status.as_u16(), 204);
    let cookie = entered.header(SET_COOKIE.as_str()).split(';').next().unwrap().to_owned();
    let query = json!({ "query": "{ viewer { user { email } can { manageSettings } } }" });
    let request = server.guest().post("/graphql").header(COOKIE, &cookie).json(&query);
    assert_eq!(
        Answer::at_last(request).await.data()["viewer"],
        json!({ "user": { "email": "ada@example.com" }, "can": { "manageSettings": true } })
    );
    let basic = server.guest().post("/graphql").basic_auth("ada@example.com", Some(PASSWORD)).json(&query);
    assert_eq!(Answer::at_last(basic).await.status.as_u16(), 401);

    // The file is not a table, and its token is of no use by now.
    std::fs::remove_file(file(&place)).unwrap();
    let stored = place.stored().await;
    let ended = server.stop().await;
    let output = [ended.stdout, ended.stderr].concat();
    assert!(output.contains("POST answered with 204"), "looked in the wrong place");
    for (name, secret) in [
        ("the token", &*token),
        ("the password", PASSWORD),
        ("the wrong password", WRONG),
        ("the cookie", cookie.split_once('=').unwrap().1),
    ] {
        assert!(!output.contains(secret), "{name} is in the output");
        let within = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!within(&stored), "{name} is in the database");
    }
}

#[tokio::test]
async fn each_start_makes_a_new_token_until_there_is_an_administrator() {
    let place = Place::new().await;
    // Keys are made by the command too, and need no administrator.
    make_key(&place, "ci", "member").await;
    assert!(!file(&place).exists());
    let server = latchkey(&place, &[]).serve().await;
    let first = token(&place);
    server.stop().await;
    let server = latchkey(&place, &[]).serve().await;
    let second = token(&place);
    assert!(first != second, "it is the same token again");
    assert_eq!(set_up(&server, &first, "ada@example.com").await, 401);
    assert_eq!(set_up(&server, &second, "ada@example.com").await, 204);
    server.stop().await;

    let server = latchkey(&place, &[]).serve().await;
    assert!(!file(&place).exists(), "the file outlives the need for it");
    assert!(!server.stdout().contains("no administrator"), "{}", server.stdout());
    assert_eq!(set_up(&server, &second, "eve@example.com").await, 401);
    server.stop().await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_when_the_command_has_made_an_administrator() {
    let place = Place::new().await;
    let server = latchkey(&place, &[]).serve().await;
    let token = token(&place);
    let admin = ["admin", "create", "--email", "ada@example.com", "--password-stdin"];
    latchkey(&place, &admin).input(PASSWORD).succeed().await;
    assert_eq!(set_up(&server, &token, "eve@example.com").await, 401);
    server.stop().await;
    let server = latchkey(&place, &[]).serve().await;
    assert!(!file(&place).exists());
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_lies_in_the_way_is_replaced_and_not_followed() {
    let place = Place::new().await;
    let elsewhere = place.path().join("elsewhere");
    std::fs::write(&elsewhere, "precious").unwrap();
    std::os::unix::fs::symlink(&elsewhere, file(&place)).unwrap();
    let server = latchkey(&place, &[]).serve().await;
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "precious");
    assert!(!std::fs::symlink_metadata(file(&place)).unwrap().is_symlink());
    assert_eq!(set_up(&server, &token(&place), "ada@example.com").await, 204);
    server.stop().await;
}

#[tokio::test]
async fn the_directory_of_the_token_is_for_its_owner_alone() {
    let place = Place::new().await;
    let directory = place.path().join("deep/data");
    let server =
        latchkey(&place, &[]).set("LATCHKEY_DATA_DIR", &directory.display().to_string()).serve().await;
    assert!(directory.join("setup-token").exists());
    for made in [&*directory, directory.parent().unwrap()] {
        assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }
    server.stop().await;
}
