//! The shape of an answer, which the library leaves open: fields resolve side by side, and their keys come in the order
//! of the selection all the same (GraphQL, section 7.2.2); a field that failed is null, and takes along what may not be
//! null (section 6.4.4).

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value};

/// The keys of an object in their order, each with the shape of its value.
#[derive(Debug, Default)]
pub(super) struct Shape(HashMap<Name, (usize, Shape)>);

impl Shape {
    /// Adds what a selection asks for. Fragments are written out, so the document must have been checked for size.
    pub(super) fn add(&mut self, document: &ExecutableDocument, set: &SelectionSet) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let place = self.0.len();
                    let key = field.node.response_key().node.clone();
                    let (_, inner) = self.0.entry(key).or_insert_with(|| (place, Self::default()));
                    inner.add(document, &field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => self.add(document, &fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    /// Puts the keys of a value into their order.
    pub(super) fn arrange(&self, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.arrange(item)),
            Value::Object(object) => {
                let place = |key: &Name| self.0.get(key).map_or(usize::MAX, |(place, _)| *place);
                object.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
                for (key, value) in object {
                    if let Some((_, shape)) = self.0.get(key) {
                        shape.arrange(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Stands for a value that failed where null is not allowed, until what holds it becomes null. No answer has it: it is no
/// name of an enum value.
pub(super) fn lost() -> Value {
    Value::Enum(Name::new("!"))
}

/// Whether a value is lost, or holds something lost that nothing below it could stand in for.
pub(super) fn is_lost(value: &Value) -> bool {
    match value {
        Value::Enum(name) => name == "!",
        Value::List(items) => items.iter().any(is_lost),
        Value::Object(object) => {
            object.values().any(|value| matches!(value, Value::Enum(_)) && is_lost(value))
        }
        _ => false,
    }
}
