//! What callers send, parsed at the door into types that the inside can trust.

mod networks;

use crate::error::{UserError, UserErrorCode};

pub use networks::{MAX_NETWORKS, Networks};

/// The longest name, in characters.
pub const MAX_NAME: usize = 100;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1000;
const MAX_EMAIL: usize = 254;

/// The name of a key or another object: 1 to 100 characters, without control characters or outer spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, UserError> {
        let name = text.trim();
        if name.is_empty() {
            return Err(UserError::invalid(field, "The name must not be empty."));
        }
        if name.chars().any(char::is_control) {
            return Err(UserError::invalid(
                field,
                "A name must not contain line breaks or control characters.",
            ));
        }
        within(field, name, MAX_NAME)?;
        Ok(Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// What somebody searches for: 1 to 100 characters, without control characters or outer spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(String);

impl Search {
    /// Nothing for a blank text, which searches for nothing.
    pub fn parse(field: &'static str, text: &str) -> Result<Option<Self>, UserError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(UserError::invalid(
                field,
                "A search text must not contain line breaks or control characters.",
            ));
        }
        within(field, text, MAX_NAME)?;
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a scope: `resource:action`, in lower case, with a resource that is not one of Latchkey's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeName(String);

impl ScopeName {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, UserError> {
        within(field, text, MAX_NAME)?;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() < 2 || !parts.iter().all(|part| !part.is_empty() && part.bytes().all(letter)) {
            let message = "A scope name has the form resource:action, in lower-case letters, digits and \
                hyphens, such as invoices:read.";
            return Err(UserError::invalid(field, message));
        }
        if RESERVED.contains(&parts[0]) {
            let message = format!("Scope names that start with `{}:` are reserved for Latchkey.", parts[0]);
            return Err(UserError::invalid(field, message));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// The resources of Latchkey's own scopes.
const RESERVED: [&str; 9] =
    ["keys", "users", "service-accounts", "groups", "roles", "scopes", "activity", "settings", "tokens"];

/// The identifier of an API: an absolute address without a fragment (RFC 8707, section 2).
pub fn api_identifier(field: &'static str, text: &str) -> Result<String, UserError> {
    within(field, text, MAX_DESCRIPTION)?;
    let plain = text
        .chars()
        .all(|letter| letter.is_ascii_graphic() && !matches!(letter, '#' | '"' | '\\' | '<' | '>'));
    let scheme = text.split_once(':').filter(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            && !rest.is_empty()
    });
    if !plain || scheme.is_none() {
        let message =
            "The identifier must be an absolute URI without a fragment, such as https://api.example.com.";
        return Err(UserError::invalid(field, message));
    }
    Ok(text.to_owned())
}

/// A description: at most 1,000 characters; an empty one is none.
pub fn description(field: &'static str, text: &str) -> Result<Option<String>, UserError> {
    let text = text.trim();
    within(field, text, MAX_DESCRIPTION)?;
    if text.chars().any(|letter| letter.is_control() && letter != '\n') {
        return Err(UserError::invalid(field, "A description must not contain control characters."));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A short unique name of a user: 1 to 100 letters, digits, dots, hyphens and underscores.
pub fn handle(field: &'static str, text: &str) -> Result<String, UserError> {
    let handle = text.trim();
    within(field, handle, MAX_NAME)?;
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if handle.is_empty() || !handle.chars().all(plain) {
        let message = "A handle must consist of letters, digits, dots, hyphens and underscores.";
        return Err(UserError::invalid(field, message));
    }
    Ok(handle.to_owned())
}

/// An e-mail address in lower case. Only its outline is checked: whether it exists is for the mail to tell.
pub fn email(field: &'static str, text: &str) -> Result<String, UserError> {
    let email = text.trim().to_lowercase();
    within(field, &email, MAX_EMAIL)?;
    let plain = !email.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    match email.split_once('@') {
        Some((local, domain))
            if plain && !local.is_empty() && !domain.is_empty() && !domain.contains('@') =>
        {
            Ok(email)
        }
        _ => Err(UserError::invalid(field, "This is not an e-mail address such as ada@example.com.")),
    }
}

fn within(field: &'static str, text: &str, most: usize) -> Result<(), UserError> {
    let length = text.chars().count();
    if length > most {
        let message = format!("Use at most {most} characters. This has {length}.");
        return Err(UserError::new(UserErrorCode::TooLong, field, message));
    }
    Ok(())
}

/// A limit: so many requests in so many seconds, and at once as many as in the whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub requests: i32,
    pub per_seconds: i32,
}

impl Quota {
    pub fn parse(field: &'static str, requests: i32, per_seconds: i32) -> Result<Self, UserError> {
        if requests < 1 || !(1..=86_400).contains(&per_seconds) {
            let message = "A rate limit must be at least 1 request per 1 to 86,400 seconds.";
            return Err(UserError::invalid(field, message));
        }
        Ok(Self { requests, per_seconds })
    }
}

impl From<Quota> for rate_limits::Quota {
    fn from(quota: Quota) -> Self {
        Self { requests: quota.requests.unsigned_abs(), per_seconds: quota.per_seconds.unsigned_abs() }
    }
}

/// A request that its client may send again, under the name that the client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// The request itself: another one under the same name is a mistake.
    pub request: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(Name::parse("name", "  ci  ").unwrap().into_string(), "ci");
        assert_eq!(Name::parse("name", " \t ").unwrap_err().code, UserErrorCode::Invalid);
        assert_eq!(Name::parse("name", "a\nb").unwrap_err().code, UserErrorCode::Invalid);
        assert!(Name::parse("name", &"é".repeat(100)).is_ok());
        assert_eq!(Name::parse("name", &"é".repeat(101)).unwrap_err().code, UserErrorCode::TooLong);
    }

    #[test]
    fn a_search_is_trimmed_and_bounded_and_a_blank_one_is_none() {
        let parsed = |text: &str| Search::parse("search", text).map(|search| search.map(|search| search.0));
        assert_eq!(parsed(" Ci\u{a0}"), Ok(Some("Ci".to_owned())));
        assert_eq!(parsed(" \t\n"), Ok(None));
        assert_eq!(parsed(&format!(" {} ", "é".repeat(100))), Ok(Some("é".repeat(100))));
        assert_eq!(parsed(&"é".repeat(101)).unwrap_err().code, UserErrorCode::TooLong);
        for control in ["a\nb", "\0", "a\u{7f}", "\u{85}b\u{9f}"] {
            assert_eq!(parsed(control).unwrap_err().code, UserErrorCode::Invalid, "{control:?}");
        }
    }

    #[test]
    fn an_empty_description_is_none() {
        assert_eq!(description("description", "  "), Ok(None));
        assert_eq!(description("description", "two\nlines"), Ok(Some("two\nlines".to_owned())));
        assert!(description("description", "bell\u{7}").is_err());
        assert_eq!(description("description", &"x".repeat(1001)).unwrap_err().code, UserErrorCode::TooLong);
    }

    #[test]
    fn a_scope_has_a_resource_of_its_own_and_an_action() {
        for right in ["invoices:read", "a:b", "eu-invoices:lines:write2"] {
            assert!(ScopeName::parse("name", right).is_ok(), "{right}");
        }
        for wrong in
            ["", "invoices", ":read", "invoices:", "Invoices:read", "a b:c", "a::b", "keys:all", "tokens:x"]
        {
            assert!(ScopeName::parse("name", wrong).is_err(), "{wrong}");
        }
        for built_in in crate::access::builtin::SCOPES {
            assert!(ScopeName::parse("name", built_in.name).is_err(), "{} is reserved", built_in.name);
        }
    }

    #[test]
    fn an_identifier_is_an_absolute_address() {
        for right in ["https://api.example.com", "urn:example:billing", "https://api.example.com/v1?x=y"] {
            assert_eq!(api_identifier("identifier", right).as_deref(), Ok(right));
        }
        for wrong in ["", "billing", "https:", "https://api.example.com/#x", "1a:b", "https://a b"] {
            assert!(api_identifier("identifier", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_email_has_two_parts() {
        assert_eq!(email("email", " Ada@Example.com ").as_deref(), Ok("ada@example.com"));
        for wrong in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c"] {
            assert!(email("email", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_quota_is_positive() {
        assert!(Quota::parse("tokenRateLimit", 1, 1).is_ok());
        for (requests, seconds) in [(0, 1), (-1, 1), (1, 0), (1, 86_401)] {
            assert!(Quota::parse("tokenRateLimit", requests, seconds).is_err());
        }
    }
}
