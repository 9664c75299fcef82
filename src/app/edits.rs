//! What edits of objects have in common beside permission: the version that was read, references that exist, names that
//! are free, and the difference that the log shows.

use entity::{GlobalId, scope};
use serde_json::{Map, Value};

use crate::error::{Result, UserError, UserErrorCode};

/// Refuses a change if somebody else was faster than the caller, who has read this version of the object.
pub(crate) fn check_version(
    read: Option<i32>,
    now: i32,
    what: &str,
    id: impl Into<GlobalId>,
) -> Result<(), UserError> {
    match read {
        Some(read) if read != now => Err(UserError::conflict(what, id)),
        Some(_) | None => Ok(()),
    }
}

/// What was found of the objects with these ids, if that is all of them.
pub(crate) fn all_there<Id: Copy + PartialEq + Into<GlobalId>, Row>(
    field: &'static str,
    wanted: &[Id],
    found: Vec<Row>,
    id: impl Fn(&Row) -> Id,
) -> Result<Vec<Row>, UserError> {
    match wanted.iter().find(|wanted| !found.iter().any(|row| id(row) == **wanted)) {
        Some(missing) => Err(UserError::unknown(field, *missing)),
        None => Ok(found),
    }
}

/// What was found of the scopes with these names, if that is all of them.
pub(crate) fn all_named(wanted: &[String], found: Vec<scope::Model>) -> Result<Vec<scope::Model>, UserError> {
    match wanted.iter().find(|name| !found.iter().any(|scope| scope.name == **name)) {
        Some(missing) => {
            let message = format!("There is no scope `{}`.", missing.escape_debug());
            Err(UserError::new(UserErrorCode::NotFound, "scopes", message))
        }
        None => Ok(found),
    }
}

/// Refuses a name that another object has: `holder` is the object with that name, `own` the one that is edited.
pub(crate) fn must_be_free<Id: Copy + PartialEq + Into<GlobalId>>(
    field: &'static str,
    holder: Option<Id>,
    own: Option<Id>,
    message: impl FnOnce() -> String,
) -> Result<(), UserError> {
    match holder {
        Some(holder) if Some(holder) != own => {
            Err(UserError::new(UserErrorCode::NameTaken, field, message()).about(holder))
        }
        Some(_) | None => Ok(()),
    }
}

/// Before and after, of what differs.
pub(crate) fn difference(before: Value, after: Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Value::Null;
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for (name, value) in after {
        let previous = before.get(&name).cloned().unwrap_or(Value::Null);
        if previous != value {
            old.insert(name.clone(), previous);
            new.insert(name, value);
        }
    }
    serde_json::json!({ "before": old, "after": new })
}
