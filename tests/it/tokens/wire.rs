//! Requests to the token endpoint as they are on the wire, and answers as text: a row of a table, or in full.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::harness::{Answer, Key, Server};

pub const PATH: &str = "/oauth/token";
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub const JSON: (&str, &str) = ("content-type", "application/json");
pub const GRANT: &str = "grant_type=client_credentials";
/// The one challenge of the token endpoint.
pub const CHALLENGE: &str = "Basic realm=\"latchkey\", charset=\"UTF-8\"";

/// Sends exactly this to the token endpoint.
pub async fn send(server: &Server, headers: &[(&str, &str)], body: &str) -> Answer {
    send_to(server, PATH, headers, body).await
}

pub async fn send_to(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = server.http.post(format!("{}{path}", server.url)).body(body.to_owned());
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The value of an `Authorization` header; id and secret as they are.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The parameters that carry the credentials in the body.
pub fn in_body(key: &Key) -> String {
    format!("{GRANT}&client_id={}&client_secret={}", key.client_id, key.secret)
}

/// A secret of the right form that belongs to nobody.
pub fn foreign_secret() -> String {
    let entropy = latchkey::entropy::SeededEntropy::shared(7);
    latchkey::crypto::secret::ClientSecret::generate(&*entropy).reveal()
}

/// The answer in one line, after a look at what every answer of the token endpoint has in common.
#[track_caller]
pub fn line(answer: &Answer) -> String {
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(request_id(answer).len(), 32);
    let (status, body) = (answer.status.as_u16(), answer.json());
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body:#}")).to_owned();
    let line = match status {
        200 => format!("200 {}", text("scope")),
        _ => {
            assert_eq!(body.as_object().unwrap().len(), 2, "{body:#}");
            format!("{status} {}: {}", text("error"), text("error_description"))
        }
    };
    match answer.challenge() {
        "" => line,
        CHALLENGE => format!("{line} [challenged]"),
        other => panic!("an unknown challenge: {other}"),
    }
}

/// The whole answer: status, headers in the order of their names, body. The id is the only part that changes.
pub fn whole(answer: &Answer) -> String {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    format!("{}\n{}\n{}", answer.status.as_u16(), headers.concat(), answer.text)
}

/// The id of the request, which is hexadecimal.
#[track_caller]
pub fn request_id(answer: &Answer) -> &str {
    let id = answer.header("x-request-id");
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    id
}

/// The access token of an answer.
#[track_caller]
pub fn token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("no token in {}", answer.text)).to_owned()
}

/// Header and claims of a token, unchecked.
#[track_caller]
pub fn decoded(token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let part = |at: usize| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[at]).unwrap()).unwrap();
    (part(0), part(1))
}

/// The claims of the token of an answer.
#[track_caller]
pub fn claims(answer: &Answer) -> Value {
    decoded(&token(answer)).1
}

/// The audiences of an answer's token, in the order of their names.
#[track_caller]
pub fn audiences(answer: &Answer) -> Vec<String> {
    let aud = claims(answer)["aud"].take();
    let mut all: Vec<String> = match aud {
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    all.sort();
    all
}
