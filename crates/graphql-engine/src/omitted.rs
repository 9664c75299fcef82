//! Variables that a request leaves out: an argument or an input field whose value is such a variable is left out too
//! (GraphQL, sections 3.10 and 6.4.1). The library reads it as null, and null means something else: an update with an
//! optional variable would clear the field instead of leaving it unchanged.

use async_graphql::Variables;
use async_graphql::parser::types::{OperationDefinition, Selection, SelectionSet};
use async_graphql_value::Value;

/// Removes arguments and input fields whose variables were left out. Defaults must be filled in.
pub(crate) fn remove(operation: &mut OperationDefinition, variables: &Variables) {
    let mut declared = operation.variable_definitions.iter();
    if declared.any(|definition| !variables.contains_key(&definition.node.name.node)) {
        remove_from(&mut operation.selection_set.node, variables);
    }
}

fn remove_from(set: &mut SelectionSet, variables: &Variables) {
    for item in &mut set.items {
        match &mut item.node {
            Selection::Field(field) => {
                let field = &mut field.node;
                field.arguments.retain(|(_, value)| !is_omitted(&value.node, variables));
                field.arguments.iter_mut().for_each(|(_, value)| remove_fields(&mut value.node, variables));
                remove_from(&mut field.selection_set.node, variables);
            }
            Selection::InlineFragment(fragment) => {
                remove_from(&mut fragment.node.selection_set.node, variables);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn remove_fields(value: &mut Value, variables: &Variables) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !is_omitted(value, variables));
            fields.values_mut().for_each(|value| remove_fields(value, variables));
        }
        // An item of a list cannot be left out: it is null.
        Value::List(items) => items.iter_mut().for_each(|item| remove_fields(item, variables)),
        _ => {}
    }
}

fn is_omitted(value: &Value, variables: &Variables) -> bool {
    matches!(value, Value::Variable(name) if !variables.contains_key(name))
}
