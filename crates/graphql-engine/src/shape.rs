//! The shape of a response: its keys come in the order of the selection although fields resolve concurrently (section
//! 7.2.2), and a field that failed is null, or makes its parent null where null is not allowed (section 6.4.4).

use std::collections::HashMap;

use async_graphql::{Name, Value};

/// The key of the hidden `__typename` of an object. It cannot clash with a key of the response: it is not a GraphQL name.
pub(crate) const TYPE_KEY: &str = "!";

/// The shape of a value: of an object, of the objects in a list, or of a leaf, which has no keys.
#[derive(Debug)]
pub(crate) enum Shape {
    /// An object of one type: its keys.
    Object(HashMap<Name, Member>),
    /// An object of an abstract type: a shape for each type that it may turn out to have.
    ByType(HashMap<String, Shape>),
}

/// One key of an object.
#[derive(Debug)]
pub(crate) struct Member {
    position: usize,
    shape: Shape,
}

impl Default for Shape {
    fn default() -> Self {
        Self::Object(HashMap::new())
    }
}

impl Shape {
    /// An object with these keys, in this order.
    pub(crate) fn of_object(keys: impl IntoIterator<Item = (Name, Self)>) -> Self {
        let members = keys.into_iter().enumerate();
        Self::Object(members.map(|(position, (key, shape))| (key, Member { position, shape })).collect())
    }

    /// Puts the keys of a value in the order of the selection, and removes the hidden `__typename`.
    ///
    /// The order must be that of CollectFields (sections 6.3.2 and 7.2.2). The library inserts fields as their values
    /// arrive: without this, the same request would give the same object with its keys in another order whenever a
    /// loader answers sooner, and two responses could not be compared as text. The order under an abstract type is known
    /// only once the object says which type it has.
    pub(crate) fn arrange(&self, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.arrange(item)),
            Value::Object(object) => {
                let type_name = object.shift_remove(TYPE_KEY);
                let members = match (self, type_name) {
                    (Self::Object(members), _) => members,
                    (Self::ByType(shapes), Some(Value::String(ty))) => match shapes.get(&ty) {
                        Some(shape) => return shape.arrange(value),
                        None => return,
                    },
                    (Self::ByType(_), _) => return,
                };
                let position = |key: &Name| members.get(key).map_or(usize::MAX, |member| member.position);
                object.sort_by(|a, _, b, _| position(a).cmp(&position(b)));
                for (key, value) in object {
                    if let Some(member) = members.get(key) {
                        member.shape.arrange(value);
                    }
                }
            }
            _ => {}
        }
    }
}

const FAILED: &str = "!";

/// Stands for a value that failed, until the null has propagated to where it is allowed. It cannot clash with a value of the
/// response: it is not the name of an enum value.
pub(crate) fn failed() -> Value {
    Value::Enum(Name::new(FAILED))
}

/// Whether a value failed itself, or must fail with something in it. Fields deeper inside have been decided before.
pub(crate) fn has_failed(value: &Value) -> bool {
    match value {
        Value::Enum(name) => name == FAILED,
        Value::List(items) => items.iter().any(has_failed),
        Value::Object(object) => {
            object.values().any(|value| matches!(value, Value::Enum(_)) && has_failed(value))
        }
        _ => false,
    }
}

/// Propagates nulls through the value of a field of this type, items of lists first (section 6.4.4): a failed value becomes
/// null where that is allowed; where it is not, what contains it fails too.
pub(crate) fn propagate_nulls(value: Value, ty: &str) -> Value {
    let (named, nullable) = ty.strip_suffix('!').map_or((ty, true), |named| (named, false));
    let item = named.strip_prefix('[').and_then(|named| named.strip_suffix(']'));
    let value = match (value, item) {
        (Value::List(items), Some(item)) => {
            Value::List(items.into_iter().map(|value| propagate_nulls(value, item)).collect())
        }
        (value, _) => value,
    };
    match (has_failed(&value), nullable) {
        (false, _) => value,
        (true, true) => Value::Null,
        (true, false) => failed(),
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
    fn a_failed_value_is_null_or_fails_what_contains_it() {
        let object = |value: Value| Value::Object(IndexMap::from([(Name::new("a"), value)]));
        let one = Value::from(1);
        for (value, ty, expected) in [
            (one.clone(), "Int!", one.clone()),
            (failed(), "Int", Value::Null),
            (failed(), "Int!", failed()),
            (Value::Null, "Int", Value::Null),
            (list(&[one.clone(), failed()]), "[Int]!", list(&[one.clone(), Value::Null])),
            (list(&[one.clone(), failed()]), "[Int!]", Value::Null),
            (list(&[one.clone(), failed()]), "[Int!]!", failed()),
            (list(&[list(&[failed()]), list(&[])]), "[[Int!]]!", list(&[Value::Null, list(&[])])),
            (list(&[object(failed())]), "[Thing]", list(&[Value::Null])),
            (list(&[object(one.clone()), Value::Null]), "[Thing]", list(&[object(one), Value::Null])),
        ] {
            assert_eq!(propagate_nulls(value.clone(), ty), expected, "{value} as {ty}");
        }
    }

    #[test]
    fn keys_come_in_the_order_of_the_selection_and_the_hidden_type_name_goes() {
        let shape =
            |keys: &[&str]| Shape::of_object(keys.iter().map(|key| (Name::new(key), Shape::default())));
        let object = |keys: &[&str]| {
            let members = keys.iter().map(|key| (Name::new(key), Value::from(*key)));
            Value::Object(members.chain([(Name::new(TYPE_KEY), Value::from("Cat"))]).collect())
        };
        let by_type = HashMap::from([
            ("Cat".to_owned(), shape(&["c", "a", "b"])),
            ("Dog".to_owned(), shape(&["a", "b", "c"])),
        ]);
        let mut value = list(&[object(&["a", "b", "c"]), object(&["b", "c", "a"]), Value::Null]);
        Shape::ByType(by_type).arrange(&mut value);
        let arranged = r#"{"c":"c","a":"a","b":"b"}"#;
        assert_eq!(serde_json::to_string(&value).unwrap(), format!("[{arranged},{arranged},null]"));
    }
}
