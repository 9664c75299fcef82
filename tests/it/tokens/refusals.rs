//! Who gets no token at `/oauth/token`, and what they may know: nothing, until the secret is proven.

use std::time::Duration;

use serde_json::json;

use super::wire::{FORM, GRANT, basic, foreign_secret, in_body, line, send, whole};
use crate::harness::keys::{DELETE, DISABLE, REGENERATE, selection};
use crate::harness::{Answer, Grants, Key, Server};

async fn by_basic(server: &Server, key: &Key) -> Answer {
    send(server, &[FORM, ("authorization", &basic(&key.client_id, &key.secret))], GRANT).await
}

async fn by_form(server: &Server, key: &Key) -> Answer {
    send(server, &[FORM], &in_body(key)).await
}

fn with_secret(key: &Key, secret: &str) -> Key {
    Key { secret: secret.to_owned(), ..key.clone() }
}

fn the_wrong_way_round(key: Key) -> Key {
    Key { client_id: key.secret, secret: key.client_id, ..key }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_look_the_same() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key(&ada.account, "ci", Grants::Inherit).await;
    let without =
        server.key_with(&ada.account, "none", Grants::Inherit, |new| new.issue_secret = false).await;
    let disabled = server.key(&ada.account, "disabled", Grants::Inherit).await;
    let deleted = server.key(&ada.account, "deleted", Grants::Inherit).await;
    let replaced = server.key(&ada.account, "replaced", Grants::Inherit).await;
    ada.caller.change(DISABLE, selection([&*disabled.id])).await;
    ada.caller.change(DELETE, selection([&*deleted.id])).await;
    ada.caller.change(REGENERATE, selection([&*replaced.id])).await;

    let wrong = foreign_secret();
    let mistyped = format!("{}{}", &key.secret[..54], if key.secret.ends_with('0') { '1' } else { '0' });
    let unknown = Key { client_id: "0123456789ABCDEF0123456789ABCDEF".to_owned(), ..key.clone() };
    let cases = [
        ("an unknown client", unknown.clone()),
        ("an unknown client with a malformed secret", with_secret(&unknown, "hunter2")),
        ("a wrong secret", with_secret(&key, &wrong)),
        ("another key's secret", with_secret(&key, &disabled.secret)),
        ("a malformed secret", with_secret(&key, "hunter2")),
        ("a secret with a mistyped checksum", with_secret(&key, &mistyped)),
        ("a secret with something behind", with_secret(&key, &format!("{}x", key.secret))),
        ("a malformed client id", Key { client_id: key.client_id.to_lowercase(), ..key.clone() }),
        ("a key without a secret", with_secret(&without, &wrong)),
        ("a disabled key and a wrong secret", with_secret(&disabled, &wrong)),
        ("a deleted key and a wrong secret", with_secret(&deleted, &wrong)),
        ("a secret that was replaced", replaced),
        ("id and secret the wrong way round", the_wrong_way_round(key)),
    ];
    let first_basic = by_basic(&server, &cases[0].1).await;
    let first_form = by_form(&server, &cases[0].1).await;
    insta::assert_snapshot!(whole(&first_basic), @r#"
    401
    cache-control: no-store
    content-length: 94
    content-type: application/json
    pragma: no-cache
    www-authenticate: Basic realm="latchkey", charset="UTF-8"

    {"error":"invalid_client","error_description":"Unknown client, or wrong client secret."}
    "#);
    insta::assert_snapshot!(line(&first_form), @"401 invalid_client: Unknown client, or wrong client secret.");
    for (label, key) in &cases[1..] {
        assert_eq!(whole(&by_basic(&server, key).await), whole(&first_basic), "{label}");
        assert_eq!(whole(&by_form(&server, key).await), whole(&first_form), "{label}");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_has_proven_the_secret_is_told_why_there_is_no_token() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let end = "2026-11-21T09:05:00.000Z".parse().unwrap();
    let ended =
        server.key_with(&ada.account, "ended", Grants::Inherit, |new| new.expires_at = Some(end)).await;
    let disabled = server.key(&ada.account, "disabled", Grants::Inherit).await;
    let deleted = server.key(&ada.account, "deleted", Grants::Inherit).await;
    let grace = server.user("grace@example.com", &["member"]).await;
    let ownerless = server.key(&grace, "ci", Grants::Inherit).await;
    let robot = server.service_account("robot").await;
    let stopped = server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
    let nobody = server.user("nobody@example.com", &[]).await;
    let unusable = server.key(&nobody, "ci", Grants::Scopes(&["keys:read"])).await;
    let auditor = server.user("auditor@example.com", &["auditor"]).await;
    let only_read = server.key(&auditor, "ci", Grants::Inherit).await;
    for key in [&ended, &disabled, &deleted, &ownerless, &stopped] {
        assert!(line(&by_basic(&server, key).await).starts_with("200"));
    }
    ada.caller.change(DISABLE, selection([&*disabled.id])).await;
    ada.caller.change(DELETE, selection([&*deleted.id])).await;
    server.deactivate(&grace).await;
    server.deactivate(&robot).await;
    server.advance(Duration::from_millis(299_999));
    assert!(line(&by_basic(&server, &ended).await).starts_with("200"));
    server.advance(Duration::from_millis(1));

    let mut lines = String::new();
    for (label, key) in [
        ("ended", &ended),
        ("disabled", &disabled),
        ("deleted", &deleted),
        ("a user who is deactivated", &ownerless),
        ("a service account that is deactivated", &stopped),
        ("a user without a role", &unusable),
        ("a user whose roles lack keys:use", &only_read),
    ] {
        let (basic, form) = (line(&by_basic(&server, key).await), line(&by_form(&server, key).await));
        assert_eq!(basic, format!("{form} [challenged]"), "{label}");
        lines += &format!("{label} -> {form}\n");
    }
    insta::assert_snapshot!(lines, @"
    ended -> 401 invalid_client: This API key has expired.
    disabled -> 401 invalid_client: This API key is disabled.
    deleted -> 401 invalid_client: This API key has been deleted.
    a user who is deactivated -> 401 invalid_client: The owner of this API key is deactivated.
    a service account that is deactivated -> 401 invalid_client: The owner of this API key is deactivated.
    a user without a role -> 401 invalid_client: The owner of this API key is not permitted to use API keys: it lacks the scope keys:use.
    a user whose roles lack keys:use -> 401 invalid_client: The owner of this API key is not permitted to use API keys: it lacks the scope keys:use.
    ");
    server.stop().await;
}

#[tokio::test]
async fn of_several_reasons_the_gravest_is_told() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let end = Some("2026-11-21T09:05:00.000Z".parse().unwrap());
    let key = server.key_with(&ada.account, "ci", Grants::Inherit, |new| new.expires_at = end).await;
    let told = async || line(&by_form(&server, &key).await);
    ada.caller.change(DISABLE, selection([&*key.id])).await;
    server.advance(Duration::from_secs(300));
    assert_eq!(told().await, "401 invalid_client: This API key is disabled.");
    server.deactivate(&ada.account).await;
    assert_eq!(told().await, "401 invalid_client: The owner of this API key is deactivated.");
    server.stop().await;
}

/// Proves: I-09
#[tokio::test]
async fn a_key_made_without_a_secret_works_with_the_first_it_gets() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let key = server.key_with(&ada.account, "later", Grants::Inherit, |new| new.issue_secret = false).await;
    assert_eq!(key.secret, "");
    assert!(line(&by_basic(&server, &key).await).starts_with("401 invalid_client"));
    let payload = ada.caller.change(REGENERATE, selection([&*key.id])).await;
    assert_eq!(payload["userErrors"], json!([]));
    let key = with_secret(&key, payload["issued"][0]["clientSecret"].as_str().unwrap());
    assert!(line(&by_basic(&server, &key).await).starts_with("200"));
    server.stop().await;
}
