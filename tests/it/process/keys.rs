//! `latchkey keys create`.

use serde_json::{Value, json};

use super::command::{Command, latchkey, make_key};
use crate::harness::{Caller, Key, Place};

fn create(place: &Place, options: &[&str]) -> Command {
    latchkey(place, &[&["keys", "create"], options].concat())
}

/// The two lines for a shell.
fn lines(said: &str) -> Key {
    let [id, secret] = said.lines().collect::<Vec<_>>()[..] else { panic!("{} lines", said.lines().count()) };
    Key {
        id: String::new(),
        client_id: id.strip_prefix("CLIENT_ID=").unwrap().to_owned(),
        secret: secret.strip_prefix("CLIENT_SECRET=").unwrap().to_owned(),
    }
}

async fn add_ada(place: &Place) {
    let ada = ["admin", "create", "--email", "ada@example.com", "--password-stdin"];
    latchkey(place, &ada).input("correct horse battery").succeed().await;
}

/// The names of all keys, with their owners.
async fn names(caller: &Caller) -> Vec<String> {
    let query = "{ apiKeys(first: 100, orderBy: { field: NAME, direction: ASC }) { nodes {
        name owner { ... on User { name: email } ... on ServiceAccount { name } } } } }";
    let keys = caller.graphql(query).await.data()["apiKeys"]["nodes"].take();
    let shown = |key: &Value| format!("{} of {}", key["name"], key["owner"]["name"]).replace('"', "");
    keys.as_array().unwrap().iter().map(shown).collect()
}

/// Proves: X-08
#[tokio::test]
async fn a_key_is_printed_as_two_lines_that_a_shell_can_read() {
    let place = Place::new().await;
    let said = create(&place, &["--name", "nightly job", "--role", "member"]).succeed().await;
    let key = lines(&said);
    assert_eq!(key.client_id.len(), 32);
    assert!(key.client_id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')), "{}", key.client_id);
    let body = key.secret.strip_prefix("lk_sk_").unwrap();
    assert!(body.len() == 49 && body.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let shell = "eval \"$1\" && printf %s \"$CLIENT_ID $CLIENT_SECRET\"";
    let shell = std::process::Command::new("sh").args(["-c", shell, "sh", &said]).output().unwrap();
    assert!(shell.stdout == format!("{} {}", key.client_id, key.secret).into_bytes());

    let server = latchkey(&place, &[]).serve().await;
    server.guest().sign_in(&key).await;
    server.stop().await;
}

#[tokio::test]
async fn json_says_whose_key_it_is_too() {
    let place = Place::new().await;
    add_ada(&place).await;
    let options =
        ["--name", " ci ", "--owner", "ada@example.com", "--description", "builds", "--read-only", "--json"];
    let said: Value = serde_json::from_str(&create(&place, &options).succeed().await).unwrap();
    let fields: Vec<_> = said.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["client_id", "client_secret", "id", "name", "owner"]);
    assert_eq!((&said["name"], &said["owner"]), (&json!("ci"), &json!("ada@example.com")));

    let server = latchkey(&place, &[]).serve().await;
    let key = Key {
        id: said["id"].as_str().unwrap().to_owned(),
        client_id: said["client_id"].as_str().unwrap().to_owned(),
        secret: said["client_secret"].as_str().unwrap().to_owned(),
    };
    let caller = server.guest().sign_in(&key).await;
    let query = "{ viewer { apiKey { id description readOnly inheritsOwner createdBy { __typename } } } }";
    let expected = json!({
        "id": key.id, "description": "builds", "readOnly": true, "inheritsOwner": true,
        "createdBy": { "__typename": "System" },
    });
    assert_eq!(caller.graphql(query).await.data()["viewer"]["apiKey"], expected);
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_a_running_server_works_at_once() {
    let place = Place::new().await;
    let server = latchkey(&place, &[]).serve().await;
    for name in ["one", "two", "three"] {
        let said = create(&place, &["--name", name, "--scope", "keys:read", "--scope", "keys:write"])
            .succeed()
            .await;
        let caller = server.guest().sign_in(&lines(&said)).await;
        let viewer = caller.graphql("{ viewer { apiKey { name } scopes } }").await.data()["viewer"].take();
        assert_eq!(viewer, json!({ "apiKey": { "name": name }, "scopes": ["keys:read", "keys:write"] }));
    }
    server.stop().await;
}

#[tokio::test]
async fn roles_and_scopes_add_up() {
    let place = Place::new().await;
    let options = ["--name", "ci", "--role", "member", "--role", "analyst", "--scope", "tokens:introspect"];
    let key = lines(&create(&place, &options).succeed().await);
    let server = latchkey(&place, &[]).serve().await;
    let viewer = server.guest().sign_in(&key).await.graphql("{ viewer { scopes } }").await;
    let scopes = viewer.data()["viewer"]["scopes"].take();
    for scope in ["keys:write", "activity:read:any", "tokens:introspect"] {
        assert!(scopes.as_array().unwrap().contains(&json!(scope)), "{scopes}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_end_can_be_given_and_must_be_where_the_settings_ask_for_one() {
    let place = Place::new().await;
    let admin = make_key(&place, "boss", "admin").await;
    let server = latchkey(&place, &[]).serve().await;
    let boss = server.guest().sign_in(&admin).await;
    boss.set(json!({ "expiryRequired": true })).await;
    let options = ["--name", "ci", "--role", "member"];
    assert_eq!(
        create(&place, &options).fail().await,
        "latchkey: The settings require an end date for every API key. Set `expiresAt`.\n"
    );
    let end = ["--expires-at", "9999-12-31T23:00:00+01:00"];
    create(&place, &[&options[..], &end].concat()).succeed().await;
    let query =
        "{ apiKeys(filter: { expiresBefore: \"9999-12-31T23:59:59Z\" }) { nodes { name expiresAt } } }";
    let found = boss.graphql(query).await.data()["apiKeys"]["nodes"].take();
    assert_eq!(found, json!([{ "name": "ci", "expiresAt": "9999-12-31T22:00:00.000Z" }]));
    server.stop().await;
}

#[tokio::test]
async fn if_absent_makes_a_key_once() {
    let place = Place::new().await;
    add_ada(&place).await;
    let own = ["--name", "ci", "--owner", "Ada@Example.com", "--if-absent"];
    let key = lines(&create(&place, &own).succeed().await);
    for format in [&[][..], &["--json"]] {
        let ended = create(&place, &[&own, format].concat()).run().await;
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "", ""));
    }
    // The name of another owner's key is not in the way.
    create(&place, &["--name", "ci", "--role", "member", "--if-absent"]).succeed().await;

    let server = latchkey(&place, &[]).serve().await;
    let caller = server.guest().sign_in(&key).await;
    assert_eq!(names(&caller).await, ["ci of ada@example.com", "ci of operator"]);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_and_not_made() {
    let place = Place::new().await;
    add_ada(&place).await;
    let look = make_key(&place, "look", "auditor").await;
    let refused: [(&str, &[&str]); 11] = [
        ("a taken name", &["--name", "look", "--role", "member"]),
        ("no name", &["--name", " ", "--role", "member"]),
        ("an unknown role", &["--name", "x", "--role", "member", "--role", "emperor"]),
        ("an unknown scope", &["--name", "x", "--scope", "keys:reed"]),
        ("two scopes in one", &["--name", "x", "--scope", "keys:read keys:write"]),
        ("an unknown person", &["--name", "x", "--owner", "eve@example.com"]),
        ("an unknown service account", &["--name", "x", "--owner", "robot", "--role", "member"]),
        ("nothing for the operator", &["--name", "x"]),
        ("nothing for the operator, if absent", &["--name", "x", "--if-absent"]),
        ("an end in the past", &["--name", "x", "--role", "member", "--expires-at", "2020-01-01T00:00:00Z"]),
        ("a long description", &["--name", "x", "--role", "member", "--description", &"x".repeat(1001)]),
    ];
    let mut said = String::new();
    for (what, options) in refused {
        said += &format!("{what}: {}", create(&place, options).fail().await);
    }
    insta::assert_snapshot!(said, @"
    a taken name: latchkey: Another API key of this owner is already named `look`. Choose another name.
    no name: latchkey: The name must not be empty.
    an unknown role: latchkey: there is no role named `emperor`
    an unknown scope: latchkey: There is no scope `keys:reed`.
    two scopes in one: latchkey: There is no scope `keys:read keys:write`.
    an unknown person: latchkey: there is no user with the e-mail address and no service account named `eve@example.com`
    an unknown service account: latchkey: there is no user with the e-mail address and no service account named `robot`
    nothing for the operator: latchkey: A service account holds no scopes of its own. Assign roles or scopes to its API key.
    nothing for the operator, if absent: latchkey: A service account holds no scopes of its own. Assign roles or scopes to its API key.
    an end in the past: latchkey: The end date must be in the future.
    a long description: latchkey: Use at most 1000 characters. This has 1001.
    ");

    let server = latchkey(&place, &[]).serve().await;
    let caller = server.guest().sign_in(&look).await;
    assert_eq!(names(&caller).await, ["look of operator"]);
    server.stop().await;
}
