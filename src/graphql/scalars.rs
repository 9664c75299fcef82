//! The scalars that GraphQL does not bring, and how ids and descriptions are read.

use std::str::FromStr;

use async_graphql::{ID, InputValueError, InputValueResult, MaybeUndefined, Scalar, ScalarType, Value};
use entity::{AccountId, GlobalId, ObjectKind, Timestamp};

use crate::error::{Error, Result, UserError};
use crate::values::{Networks, Search, description};

/// A point in time in UTC with milliseconds, such as `2026-11-21T09:30:00.000Z` (RFC 3339). Input can have another UTC
/// offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// A point in time in UTC with milliseconds, such as `2026-11-21T09:30:00.000Z` (RFC 3339). Input can have another UTC
/// offset.
#[Scalar(specified_by_url = "https://scalars.graphql.org/chillicream/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Timestamp::from_str(&text).map(Self).map_err(|_| {
                InputValueError::custom("a DateTime has the form 2026-11-21T09:30:00Z (RFC 3339)")
            }),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A 64-bit integer, as a JSON number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long(pub i64);

/// A 64-bit integer, as a JSON number.
#[Scalar(specified_by_url = "https://scalars.graphql.org/chillicream/long.html")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_i64()
                .map(Self)
                .ok_or_else(|| InputValueError::custom("a Long must be a 64-bit integer")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// A network in CIDR notation, such as `10.0.0.0/8` (RFC 4632, section 3.1) or `2001:db8::/32` (RFC 4291, section 2.3).
/// No bit may be set beyond the prefix. Input can also be a single IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cidr(pub String);

/// A network in CIDR notation, such as `10.0.0.0/8` (RFC 4632, section 3.1) or `2001:db8::/32` (RFC 4291, section 2.3).
/// No bit may be set beyond the prefix. Input can also be a single IP address.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc4632")]
impl ScalarType for Cidr {
    /// Any text: what is wrong with it is said among the user errors, which can say what would be right.
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Any JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub serde_json::Value);

/// Any JSON value.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

/// Reads an id of one kind; the mistake names the input field.
pub(super) fn parse_id<T: FromStr>(field: &'static str, id: &ID) -> Result<T> {
    id.parse().map_err(|_| {
        Error::from(UserError::invalid(field, format!("`{}` is not an id of the expected kind.", shown(id))))
    })
}

pub(super) fn parse_ids<T: FromStr>(field: &'static str, ids: &[ID]) -> Result<Vec<T>> {
    ids.iter().map(|id| parse_id(field, id)).collect()
}

/// Reads the id of a user or service account.
pub(super) fn parse_owner(field: &'static str, id: &ID) -> Result<AccountId> {
    match parse_id(field, id)? {
        GlobalId { kind: ObjectKind::User | ObjectKind::ServiceAccount, uuid } => Ok(AccountId(uuid)),
        GlobalId { .. } => {
            Err(UserError::invalid(field, "This is not the id of a user or service account.").into())
        }
    }
}

pub(super) fn parse_owners(field: &'static str, ids: &[ID]) -> Result<Vec<AccountId>> {
    ids.iter().map(|id| parse_owner(field, id)).collect()
}

/// Reads ids of whatever can act: users, service accounts and API keys.
pub(super) fn parse_actors(field: &'static str, ids: &[ID]) -> Result<Vec<GlobalId>> {
    let actor = |id: &ID| match parse_id(field, id)? {
        id @ GlobalId { kind: ObjectKind::User | ObjectKind::ServiceAccount | ObjectKind::ApiKey, .. } => {
            Ok(id)
        }
        GlobalId { .. } => {
            Err(UserError::invalid(field, "This is not the id of a user, service account or API key.").into())
        }
    };
    ids.iter().map(actor).collect()
}

/// Reads what is searched for; a blank text means that there is no search.
pub(super) fn search(text: Option<String>) -> Result<Option<Search>> {
    Ok(text.map(|text| Search::parse("search", &text)).transpose()?.flatten())
}

/// Reads the networks of a key.
pub(super) fn parse_networks(networks: Vec<Cidr>) -> Result<Networks> {
    let texts: Vec<String> = networks.into_iter().map(|network| network.0).collect();
    Ok(Networks::parse("allowedNetworks", &texts)?)
}

/// Nothing for a field left out, an inner nothing for null.
pub(super) fn given<T, U>(
    value: MaybeUndefined<T>,
    parse: impl FnOnce(T) -> Result<U>,
) -> Result<Option<Option<U>>> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(value) => parse(value).map(|value| Some(Some(value))),
    }
}

/// The field `description` of something new; an empty one is none.
pub(super) fn new_description(text: Option<String>) -> Result<Option<String>> {
    Ok(text.map(|text| description("description", &text)).transpose()?.flatten())
}

/// The field `description` of a change: nothing if it was left out, an inner nothing if it is cleared.
pub(super) fn changed_description(text: MaybeUndefined<String>) -> Result<Option<Option<String>>> {
    Ok(given(text, |text| Ok(description("description", &text)?))?.map(Option::flatten))
}

/// The beginning of what a caller sent, safe to repeat.
fn shown(id: &str) -> String {
    id.chars().take(40).flat_map(char::escape_debug).collect()
}
