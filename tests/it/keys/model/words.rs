//! From what the server says to the words of the model, and back.

use entity::Timestamp;
use entity::activity::Outcome;
use latchkey::http::outcomes;
use serde_json::Value;

use super::rules::SCOPES;
use super::step::Set;
use super::terms::{Answer, Shown};
use crate::harness::{Answer as Http, START};

/// The one mistake of a payload in which nothing was done.
pub fn mistake(payload: &Value) -> Answer {
    let errors = payload["userErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    Answer::Mistake(code(&errors[0]))
}

pub fn code(error: &Value) -> &'static str {
    let code = text(&error["code"]);
    let known = ["INVALID", "NOT_FOUND"].into_iter().find(|known| *known == code);
    known.unwrap_or_else(|| panic!("an error nobody foresaw: {error}"))
}

/// Each reason has words of its own, and the error and status that the table of outcomes says.
pub fn refusal(answer: &Http) -> Outcome {
    let body = answer.json();
    let outcome = match text(&body["error_description"]) {
        "Unknown client, or wrong client secret." => Outcome::BadSecret,
        "This API key has been deleted." => Outcome::Deleted,
        "This API key is pending approval." => Outcome::Pending,
        "The owner of this API key is deactivated." => Outcome::OwnerInactive,
        "This API key is disabled." => Outcome::Disabled,
        "This API key has expired." => Outcome::Expired,
        "The owner of this API key is not permitted to use API keys: it lacks the scope keys:use." => {
            Outcome::UseNotPermitted
        }
        "This API key holds no scope that can be granted." => Outcome::InvalidScope,
        other => panic!("an exchange is refused with other words: {other}"),
    };
    let (error, status) = outcomes::shown(outcome).oauth.unwrap();
    assert_eq!((text(&body["error"]), answer.status.as_u16()), (error, status));
    outcome
}

pub fn shown(key: &Value) -> Shown {
    let end = |secret: &Value| secret["validUntil"].as_str().map(|end| end.parse::<Timestamp>().unwrap());
    let start: Timestamp = START.parse().unwrap();
    let secrets = key["secrets"].as_array().unwrap().iter();
    let status = text(&key["status"]).to_owned();
    Shown {
        read_only: key["readOnly"].as_bool().unwrap(),
        inherits: key["inheritsOwner"].as_bool().unwrap(),
        effective: set(key["effectiveScopes"].as_array().unwrap().iter().map(|scope| text(&scope["name"]))),
        secrets: match &*status {
            "DELETED" => Vec::new(),
            _ => secrets.map(|secret| end(secret).map(|end| end.0 - start.0)).collect(),
        },
        status,
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The names of a set of scopes.
pub fn names(set: Set) -> Vec<&'static str> {
    some(&SCOPES, set).into_iter().copied().collect()
}

pub fn set<'a>(names: impl Iterator<Item = &'a str>) -> Set {
    names.fold(0, |set, name| set | 1 << SCOPES.iter().position(|known| *known == name).unwrap())
}

/// Those of these that are in the set.
pub fn some<T>(all: &[T], set: Set) -> Vec<&T> {
    all.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, one)| one).collect()
}
