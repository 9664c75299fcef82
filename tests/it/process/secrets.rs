//! Secrets stay out of the server's output and its database, whatever is sent where.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::command::{Process, latchkey, make_key};
use crate::harness::keys::{CREATE, REGENERATE, selection};
use crate::harness::{Answer, Caller, Key, Place};

const PASSWORD: &str = "Correct-Horse-Battery-91";
/// In every place where a secret could be put by mistake; never a value that is kept on purpose.
const MARKER: &str = "MarkerZq7Xw4";

/// What must be nowhere, with a name that can be shown.
type Forbidden = Vec<(String, Vec<u8>)>;

/// A secret whole, and its random part alone, as text and as PostgreSQL shows bytes.
fn forbid(all: &mut Forbidden, name: &str, secret: &str) {
    let body = secret.strip_prefix("lk_sk_").map_or(secret, |rest| &rest[..43]);
    let hex: String = body.bytes().map(|byte| format!("{byte:02x}")).collect();
    all.push((name.to_owned(), body.as_bytes().to_vec()));
    all.push((format!("{name} in hex"), hex.into_bytes()));
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A token without its signature is as secret as the whole, and the signature too.
fn forbid_token(all: &mut Forbidden, name: &str, token: &str) {
    for (part, text) in ["claims", "signature"].iter().zip(token.split('.').skip(1)) {
        forbid(all, &format!("{part} of {name}"), text);
    }
}

/// A well-formed secret that belongs to nobody: another key's, with the client id of this one.
async fn wrong_secrets(guest: &Caller, key: &Key, wrong: &str) {
    let (id, grant) = (&*key.client_id, "client_credentials");
    let form = |id: &str, secret: &str| format!("grant_type={grant}&client_id={id}&client_secret={secret}");
    let typed = |body: String| {
        guest.post("/oauth/token").header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    let refused = [
        (401, typed(format!("grant_type={grant}")).basic_auth(id, Some(wrong))),
        (401, typed(form(id, wrong))),
        // The two mixed up.
        (401, typed(form(wrong, id))),
        (400, typed(format!("{}&client_secret={wrong}", form(id, wrong)))),
        (400, typed(format!("grant_type={wrong}"))),
        (400, typed(format!("{}&scope={wrong}%22", form(id, &key.secret)))),
        (400, typed(format!("{}&resource={wrong}", form(id, &key.secret)))),
        (
            401,
            guest
                .post("/oauth/token")
                .json(&json!({ "grant_type": grant, "client_id": id, "client_secret": wrong })),
        ),
        (400, guest.post("/oauth/token").json(&json!({ "client_secret": [wrong] }))),
        (401, guest.post("/api/v2/authenticate").json(&json!({ "client_id": id, "client_secret": wrong }))),
        (400, guest.post("/api/v2/authenticate").body(format!("{{\"client_secret\": \"{wrong}\""))),
        (400, guest.post(&format!("/oauth/token?{}", form(id, wrong)))),
        (405, guest.get(&format!("/oauth/token?{}", form(id, wrong)))),
        (404, guest.get(&format!("/nowhere?token={wrong}"))),
        (
            401,
            guest
                .post("/graphql")
                .basic_auth(id, Some(wrong))
                .json(&json!({ "query": "{ viewer { scopes } }" })),
        ),
        (401, guest.post("/graphql").bearer_auth(wrong).json(&json!({ "query": "{ viewer { scopes } }" }))),
        (
            401,
            guest
                .post("/graphql")
                .bearer_auth(format!("e30.{wrong}.{wrong}"))
                .json(&json!({ "query": "{ viewer { scopes } }" })),
        ),
    ];
    for (place, (status, request)) in refused.into_iter().enumerate() {
        let answer = Answer::at_last(request).await;
        assert_eq!(answer.status, StatusCode::from_u16(status).unwrap(), "request {place}: {}", answer.text);
    }
}

/// Requests with the marker in every place that is not kept.
async fn marked_requests(caller: &Caller) {
    let named = |name: &str| json!({ "input": { "name": name, "scopes": [MARKER], "roleIds": [MARKER] } });
    let search = "query ($text: String) { apiKeys(first: 1, filter: { search: $text }) { nodes { id } } }";
    let requests = [
        (CREATE, named("x")),
        (CREATE, named(&format!("{MARKER}\n"))),
        (CREATE, named(&MARKER.repeat(20))),
        (CREATE, json!({ "input": { "name": "x", "expiresAt": MARKER } })),
        (CREATE, json!({ "input": { "name": "x", MARKER: true } })),
        (REGENERATE, selection([MARKER])),
        (search, json!({ "text": MARKER, "unused": MARKER })),
        (search, json!({ "text": [MARKER] })),
        ("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": MARKER })),
        (
            "query ($after: String) { apiKeys(first: 1, after: $after) { nodes { id } } }",
            json!({ "after": MARKER }),
        ),
    ];
    for (query, variables) in requests {
        caller.graphql_with(query, variables).await;
    }
    for text in [
        format!("{{ {MARKER} }}"),
        format!("{{ node(id: \"{MARKER}\") {{ id }} }}"),
        format!("{{ \"{MARKER}"),
    ] {
        caller.graphql(&text).await;
    }
    caller.send(caller.post("/graphql").json(&json!({ "query": 7, "operationName": [MARKER] }))).await;
    caller.send(caller.post("/graphql").body(format!("{{ {MARKER}"))).await;
}

/// Makes, uses and regenerates secrets over the API, and says which.
async fn lifecycle(server: &Process, boss: &Key, forbidden: &mut Forbidden) -> Key {
    let guest = server.guest();
    let caller = guest.sign_in(boss).await;
    forbid_token(forbidden, "the administrator's token", caller.token.as_deref().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let payload = caller.change(CREATE, json!({ "name": "ci", "scopes": ["keys:read"] })).await;
    let made = Key {
        id: text(&payload["apiKey"]["id"]),
        client_id: text(&payload["apiKey"]["clientId"]),
        secret: text(&payload["clientSecret"]),
    };
    forbid(forbidden, "the first secret", &made.secret);
    forbid_token(forbidden, "a token", guest.sign_in(&made).await.token.as_deref().unwrap());
    let payload = caller.change(REGENERATE, selection([&*made.id])).await;
    let key = Key { secret: text(&payload["issued"][0]["clientSecret"]), ..made };
    forbid(forbidden, "the second secret", &key.secret);
    forbid_token(forbidden, "a later token", guest.sign_in(&key).await.token.as_deref().unwrap());
    marked_requests(&caller).await;
    key
}

#[tokio::test]
async fn no_secret_is_in_the_output_or_the_database() {
    let place = Place::new().await;
    let mut forbidden = Forbidden::new();
    let boss = make_key(&place, "boss", "admin").await;
    forbid(&mut forbidden, "the secret that the command made", &boss.secret);
    let admin = ["admin", "create", "--email", "ada@example.com", "--password-stdin"];
    latchkey(&place, &admin).input(PASSWORD).succeed().await;
    forbid(&mut forbidden, "the password", PASSWORD);
    forbid(&mut forbidden, "the marker", MARKER);
    forbid(&mut forbidden, "the master key", place.master_key().trim());

    let server = latchkey(&place, &[]).set("LATCHKEY_LOG", "trace").serve().await;
    let key = lifecycle(&server, &boss, &mut forbidden).await;
    // Well-formed, and not this key's.
    wrong_secrets(&server.guest(), &key, &boss.secret).await;
    wrong_secrets(&server.guest(), &key, MARKER).await;

    let while_running = place.stored().await;
    let ended = server.stop().await;
    let output = [ended.stdout, ended.stderr].concat().into_bytes();
    assert!(contains(&output, b"POST answered with 401"));
    let stored = place.stored().await;
    let kept = key.client_id.as_bytes();
    assert!(contains(&stored, kept) && contains(&while_running, kept), "looked in the wrong place");
    for (name, bytes) in &forbidden {
        assert!(!contains(&output, bytes), "{name} is in the output");
        assert!(!contains(&while_running, bytes), "{name} is in the database of a running server");
        assert!(!contains(&stored, bytes), "{name} is in the database");
    }
}
