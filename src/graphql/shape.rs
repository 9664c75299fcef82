//! The shape of an answer, which the library leaves open: fields resolve side by side, and their keys come in the order
//! of the selection all the same (GraphQL, section 7.2.2); a field that failed is null, and takes along what may not be
//! null (section 6.4.4).

use std::collections::HashMap;

use async_graphql::{Name, Value};

/// The key under which an object whose type is open tells its type. No answer has it: it is no name.
pub(super) const TYPE: &str = "!";

/// The keys of an object in their order, each with the shape of its value.
#[derive(Debug)]
pub(super) enum Shape {
    Object(HashMap<Name, (usize, Shape)>),
    /// One shape for each type that the object may have.
    ByType(HashMap<String, Shape>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Object(HashMap::new())
    }
}

impl Shape {
    /// Of these keys, in this order.
    pub(super) fn of_object(keys: impl IntoIterator<Item = (Name, Self)>) -> Self {
        let placed = keys.into_iter().enumerate().map(|(place, (key, shape))| (key, (place, shape)));
        Self::Object(placed.collect())
    }

    /// Puts the keys of a value into their order, and takes out what only told a type.
    pub(super) fn arrange(&self, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.arrange(item)),
            Value::Object(object) => {
                let told = object.shift_remove(TYPE);
                let keys = match (self, told) {
                    (Self::Object(keys), _) => keys,
                    (Self::ByType(shapes), Some(Value::String(ty))) => match shapes.get(&ty) {
                        Some(shape) => return shape.arrange(value),
                        None => return,
                    },
                    (Self::ByType(_), _) => return,
                };
                let place = |key: &Name| keys.get(key).map_or(usize::MAX, |(place, _)| *place);
                object.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
                for (key, value) in object {
                    if let Some((_, shape)) = keys.get(key) {
                        shape.arrange(value);
                    }
                }
            }
            _ => {}
        }
    }
}

const LOST: &str = "!";

/// Stands for a value that failed where null is not allowed, until what holds it becomes null. No answer has it: it is no
/// name of an enum value.
pub(super) fn lost() -> Value {
    Value::Enum(Name::new(LOST))
}

/// Whether a value is lost, or holds something lost that nothing below it could stand in for.
pub(super) fn is_lost(value: &Value) -> bool {
    match value {
        Value::Enum(name) => name == LOST,
        Value::List(items) => items.iter().any(is_lost),
        Value::Object(object) => {
            object.values().any(|value| matches!(value, Value::Enum(_)) && is_lost(value))
        }
        _ => false,
    }
}

/// Decides what a value is for its type, items of lists first: where null is not allowed, what holds a lost value is lost
/// itself; elsewhere it becomes null.
pub(super) fn settle(value: Value, ty: &str) -> Value {
    let (named, nullable) = ty.strip_suffix('!').map_or((ty, true), |named| (named, false));
    let item = named.strip_prefix('[').and_then(|named| named.strip_suffix(']'));
    let value = match (value, item) {
        (Value::List(items), Some(item)) => {
            Value::List(items.into_iter().map(|value| settle(value, item)).collect())
        }
        (value, _) => value,
    };
    match (is_lost(&value), nullable) {
        (false, _) => value,
        (true, true) => Value::Null,
        (true, false) => lost(),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::indexmap::IndexMap;

    use super::*;

    fn list(items: &[Value]) -> Value {
        Value::List(items.to_vec())
    }

    #[test]
    fn what_is_lost_takes_along_what_may_not_be_null() {
        let holder = |value: Value| Value::Object(IndexMap::from([(Name::new("a"), value)]));
        let one = Value::from(1);
        for (value, ty, settled) in [
            (one.clone(), "Int!", one.clone()),
            (lost(), "Int", Value::Null),
            (lost(), "Int!", lost()),
            (Value::Null, "Int", Value::Null),
            (list(&[one.clone(), lost()]), "[Int]!", list(&[one.clone(), Value::Null])),
            (list(&[one.clone(), lost()]), "[Int!]", Value::Null),
            (list(&[one.clone(), lost()]), "[Int!]!", lost()),
            (list(&[list(&[lost()]), list(&[])]), "[[Int!]]!", list(&[Value::Null, list(&[])])),
            (list(&[holder(lost())]), "[Thing]", list(&[Value::Null])),
            (list(&[holder(one.clone()), Value::Null]), "[Thing]", list(&[holder(one), Value::Null])),
        ] {
            assert_eq!(settle(value.clone(), ty), settled, "{value} as {ty}");
        }
    }
}
