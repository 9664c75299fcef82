//! `latchkey admin create`.

use serde_json::{Value, json};

use super::command::{Command, latchkey, make_key};
use crate::harness::{Caller, Key, Place};

const PASSWORD: &str = "correct horse battery";

fn create(place: &Place, email: &str) -> Command {
    latchkey(place, &["admin", "create", "--email", email, "--password-stdin"])
}

/// The users that the log says were made, oldest first.
async fn users_made(caller: &Caller) -> Vec<Value> {
    let query = "{ activity(first: 100, filter: { kinds: [USER_CREATED] }) { nodes {
        outcome actor { __typename } target { __typename ... on User { email displayName active } } } } }";
    let mut rows = caller.graphql(query).await.data()["activity"]["nodes"].as_array().unwrap().clone();
    rows.reverse();
    rows
}

#[tokio::test]
async fn an_administrator_is_made_and_holds_everything() {
    let place = Place::new().await;
    let said =
        create(&place, " Ada@Example.com ").input(&format!("{PASSWORD}\nnot this line")).succeed().await;
    let id = said.trim_end().rsplit_once('(').unwrap().1.trim_end_matches([')', '.']);
    assert_eq!(said, format!("Created the administrator ada@example.com ({id}).\n"));
    assert!(id.starts_with("user_"), "{said}");
    let named = latchkey(
        &place,
        &["admin", "create", "--email", "bob@example.com", "--password-stdin", "--display-name", " Bob "],
    );
    // A password ends with its line, or with the input.
    named.input("another long password").succeed().await;

    let key = ["keys", "create", "--name", "own", "--owner", "ada@example.com", "--json"];
    let key: Value = serde_json::from_str(&latchkey(&place, &key).succeed().await).unwrap();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let key = Key { id: text("id"), client_id: text("client_id"), secret: text("client_secret") };
    let server = latchkey(&place, &[]).serve().await;
    let ada = server.guest().sign_in(&key).await;
    let viewer = ada.graphql("{ viewer { user { id email } scopes } }").await.data()["viewer"].take();
    assert_eq!(viewer["user"], json!({ "id": id, "email": "ada@example.com" }));
    let scopes = viewer["scopes"].as_array().unwrap();
    assert!(
        scopes.contains(&json!("settings:write")) && scopes.contains(&json!("keys:create:any")),
        "{viewer}"
    );

    let made = |email: &str, name: &str| {
        json!({
            "outcome": "OK",
            "actor": { "__typename": "System" },
            "target": { "__typename": "User", "email": email, "displayName": name, "active": true },
        })
    };
    let expected = [made("ada@example.com", "ada@example.com"), made("bob@example.com", "Bob")];
    assert_eq!(users_made(&ada).await, expected);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_administrator_is_refused_and_not_made() {
    let place = Place::new().await;
    create(&place, "ada@example.com").input(PASSWORD).succeed().await;
    let ada = ["ada@example.com", "ADA@example.com"].map(|email| create(&place, email).input(PASSWORD));
    let mut refused = Vec::from(ada.map(|command| ("an address twice", command)));
    for wrong in ["", "eve", "eve@", "@example.com", "eve@example@com", "eve mallory@example.com"] {
        refused.push(("a wrong address", create(&place, wrong).input(PASSWORD)));
    }
    refused.push((
        "a long address",
        create(&place, &format!("{}@example.com", "e".repeat(250))).input(PASSWORD),
    ));
    refused.push(("no password", create(&place, "eve@example.com")));
    refused.push(("an empty line", create(&place, "eve@example.com").input(&format!("\n{PASSWORD}\n"))));
    refused.push(("a short password", create(&place, "eve@example.com").input("hunter2hunt")));
    refused.push(("the own name", create(&place, "eve.mallorn@example.com").input("Eve.Mallorn-1985")));
    refused.push(("an endless password", create(&place, "eve@example.com").input(&"x".repeat(1025))));
    let blank = ["admin", "create", "--email", "eve@example.com", "--password-stdin", "--display-name", " "];
    refused.push(("a blank name", latchkey(&place, &blank).input(PASSWORD)));

    let mut said = String::new();
    for (what, command) in refused {
        let message = command.fail().await;
        assert!(!message.contains(PASSWORD) && !message.contains("hunter2"), "{what}");
        said += &format!("{what}: {message}");
    }
    insta::assert_snapshot!(said, @"
    an address twice: latchkey: A user with the e-mail address ada@example.com already exists.
    an address twice: latchkey: A user with the e-mail address ada@example.com already exists.
    a wrong address: latchkey: This is not an e-mail address such as ada@example.com.
    a wrong address: latchkey: This is not an e-mail address such as ada@example.com.
    a wrong address: latchkey: This is not an e-mail address such as ada@example.com.
    a wrong address: latchkey: This is not an e-mail address such as ada@example.com.
    a wrong address: latchkey: This is not an e-mail address such as ada@example.com.
    a wrong address: latchkey: This is not an e-mail address such as ada@example.com.
    a long address: latchkey: Use at most 254 characters. This has 262.
    no password: latchkey: invalid password: Use at least 12 characters.
    an empty line: latchkey: invalid password: Use at least 12 characters.
    a short password: latchkey: invalid password: Use at least 12 characters.
    the own name: latchkey: invalid password: This password is too easy to guess. Use several unrelated words, without your name or e-mail address, or a password manager.
    an endless password: latchkey: invalid password: Use at most 1024 bytes.
    a blank name: latchkey: --display-name: The name must not be empty.
    ");

    let key = make_key(&place, "look", "auditor").await;
    let server = latchkey(&place, &[]).serve().await;
    assert_eq!(users_made(&server.guest().sign_in(&key).await).await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_password_is_never_an_option() {
    let place = Place::new().await;
    for options in [&[][..], &["--password", PASSWORD], &["--password-stdin", PASSWORD]] {
        let command = [&["admin", "create", "--email", "ada@example.com"], options].concat();
        let ended = latchkey(&place, &command).input(PASSWORD).run().await;
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("--password-stdin"), "{}", ended.stderr);
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
