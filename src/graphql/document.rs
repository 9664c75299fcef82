//! What a document must not be, told before anything of it runs: too long, with too many aliases or root fields.

use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, ServerError};

use super::error::{code, request_error};

const MAX_DEPTH: usize = 12;
/// Stock tools ask for nine levels of `ofType` at the sixth level of a schema.
const MAX_INTROSPECTION_DEPTH: usize = 16;
const MAX_TOKENS: usize = 5_000;
const MAX_ALIASES: usize = 30;
const MAX_ROOT_FIELDS: usize = 10;
const MAX_SELECTIONS: usize = 10_000;
const MAX_NESTING: usize = 64;
/// Fragments inside fragments, while counting. Validation refuses circles; counting comes before it.
const MAX_FRAGMENT_DEPTH: usize = 12;

/// Refuses a text with more than 5,000 tokens: a scan that is cheaper than parsing, and never counts too few.
pub(super) fn check_length(text: &str) -> Result<(), ServerError> {
    let mut tokens = 0;
    let mut in_word = false;
    for byte in text.bytes() {
        let word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let separates = byte.is_ascii_whitespace() || byte == b',';
        tokens += usize::from(!(separates || word && in_word));
        in_word = word;
    }
    if tokens > MAX_TOKENS {
        let message = format!("The document is too long: at most {MAX_TOKENS} tokens.");
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    Ok(())
}

/// The operation that a request means, if there is exactly one.
pub(super) fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
    let mut matching = document.operations.iter().filter(|(defined, _)| match (name, defined) {
        (Some(name), Some(defined)) => name == defined.as_str(),
        (Some(_), None) => false,
        (None, _) => true,
    });
    match (matching.next(), matching.next()) {
        (Some((_, operation)), None) => Ok(&operation.node),
        (Some(_), Some(_)) => {
            let message = "The document has several operations: say which by `operationName`.";
            Err(request_error(message, code::GRAPHQL_VALIDATION_FAILED))
        }
        (None, _) => {
            let message = "The document has no operation of that name.";
            Err(request_error(message, code::GRAPHQL_VALIDATION_FAILED))
        }
    }
}

/// Whether an operation changes something: read-only keys are barred by this, not by HTTP method.
pub(super) fn is_mutation(operation: &OperationDefinition) -> bool {
    operation.ty == OperationType::Mutation
}

/// How deep an operation may be. What asks for nothing but the schema may be as deep as the tools that read schemas go.
pub(super) fn max_depth(operation: &OperationDefinition) -> usize {
    let introspects = |item: &Selection| match item {
        Selection::Field(field) => field.node.name.node.starts_with("__"),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    };
    let items = &operation.selection_set.node.items;
    if items.iter().all(|item| introspects(&item.node)) { MAX_INTROSPECTION_DEPTH } else { MAX_DEPTH }
}

/// Refuses an operation when a variable that it cannot do without is missing, before any of it has run.
pub(super) fn check_variables(
    operation: &OperationDefinition,
    given: &serde_json::Map<String, serde_json::Value>,
) -> Result<(), ServerError> {
    let missing =
        operation.variable_definitions.iter().map(|definition| &definition.node).find(|definition| {
            let value = given.get(definition.name.node.as_str());
            let defaulted = value.is_none() && definition.default_value.is_some();
            !definition.var_type.node.nullable && !defaulted && value.is_none_or(serde_json::Value::is_null)
        });
    missing.map_or(Ok(()), |definition| {
        let message = format!("The variable ${} is missing.", definition.name.node);
        Err(request_error(message, code::GRAPHQL_VALIDATION_FAILED))
    })
}

/// Refuses too many aliases in the document, and too many root fields in the operation, inside fragments too.
pub(super) fn check_breadth(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Result<(), ServerError> {
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let aliases: usize = fragments.chain(operations).map(aliases).sum();
    if aliases > MAX_ALIASES {
        let message =
            format!("The document has too many aliases: {aliases}; at most {MAX_ALIASES} are allowed.");
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    // Fragments that spread each other twice stand for billions of fields, and validation would walk them all.
    let mut budget = MAX_SELECTIONS;
    let mut sets = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    if !sets.all(|set| selections_within(document, set, &mut budget, 0)) {
        let message = "The document is too large with its fragments written out.";
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    let mut budget = MAX_ROOT_FIELDS;
    if !root_fields_within(document, &operation.selection_set.node, &mut budget, 0) {
        let message =
            format!("The operation has too many root fields; at most {MAX_ROOT_FIELDS} are allowed.");
        return Err(request_error(message, code::COST_LIMIT_EXCEEDED));
    }
    Ok(())
}

fn aliases(set: &SelectionSet) -> usize {
    set.items
        .iter()
        .map(|item| match &item.node {
            Selection::Field(field) => {
                usize::from(field.node.alias.is_some()) + aliases(&field.node.selection_set.node)
            }
            Selection::InlineFragment(fragment) => aliases(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => 0,
        })
        .sum()
}

/// Counts down the budget; false as soon as it is used up, or the fragments are too deep to count.
fn root_fields_within(
    document: &ExecutableDocument,
    set: &SelectionSet,
    budget: &mut usize,
    depth: usize,
) -> bool {
    depth <= MAX_FRAGMENT_DEPTH
        && set.items.iter().all(|item| match &item.node {
            Selection::Field(_) => take(budget),
            Selection::InlineFragment(fragment) => {
                root_fields_within(document, &fragment.node.selection_set.node, budget, depth + 1)
            }
            Selection::FragmentSpread(spread) => match fragment(document, &spread.node.fragment_name.node) {
                Some(set) => root_fields_within(document, set, budget, depth + 1),
                // An unknown fragment is for validation to tell.
                None => true,
            },
        })
}

/// Counts down the budget for everything that is selected; false as soon as it is used up, or the nesting is too deep.
fn selections_within(
    document: &ExecutableDocument,
    set: &SelectionSet,
    budget: &mut usize,
    depth: usize,
) -> bool {
    depth <= MAX_NESTING
        && set.items.iter().all(|item| {
            let inner = match &item.node {
                Selection::Field(field) => Some(&field.node.selection_set.node),
                Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => fragment(document, &spread.node.fragment_name.node),
            };
            take(budget) && inner.is_none_or(|set| selections_within(document, set, budget, depth + 1))
        })
}

fn fragment<'a>(document: &'a ExecutableDocument, name: &Name) -> Option<&'a SelectionSet> {
    document.fragments.get(name).map(|fragment| &fragment.node.selection_set.node)
}

fn take(budget: &mut usize) -> bool {
    let left = *budget > 0;
    *budget = budget.saturating_sub(1);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), ServerError> {
        let document = async_graphql::parser::parse_query(text).unwrap();
        check_breadth(&document, operation(&document, None)?)
    }

    #[test]
    fn aliases_are_counted_everywhere() {
        let many = |count| (0..count).map(|n| format!("a{n}: id ")).collect::<String>();
        assert!(check(&format!("{{ viewer {{ {} }} }}", many(30))).is_ok());
        assert!(check(&format!("{{ viewer {{ {} }} }}", many(31))).is_err());
        assert!(check(&format!("{{ viewer {{ ...F }} }} fragment F on Viewer {{ {} }}", many(31))).is_err());
    }

    #[test]
    fn root_fields_are_counted_through_fragments_and_circles_end() {
        let fields = |count| "viewer ".repeat(count);
        assert!(check(&format!("{{ {} }}", fields(10))).is_ok());
        assert!(check(&format!("{{ {} }}", fields(11))).is_err());
        assert!(
            check(&format!("{{ ...F ... {{ {} }} }} fragment F on Query {{ {} }}", fields(5), fields(6)))
                .is_err()
        );
        assert!(check("{ ...F } fragment F on Query { ...F }").is_err());
    }

    #[test]
    fn fragments_that_double_are_refused_without_being_walked() {
        let doubling = |levels: u32| {
            let each = (0..levels).map(|n| format!("fragment F{n} on Viewer {{ ...F{0} ...F{0} }} ", n + 1));
            let last = format!("fragment F{levels} on Viewer {{ scopes }}");
            format!("{{ viewer {{ ...F0 }} }} {}{last}", each.collect::<String>())
        };
        assert!(check(&doubling(5)).is_ok());
        assert!(check(&doubling(60)).is_err());
    }

    #[test]
    fn long_documents_are_refused_before_they_are_parsed() {
        assert!(check_length(&"a ".repeat(5000)).is_ok());
        assert!(check_length(&"a ".repeat(5001)).is_err());
        assert!(check_length(&"{".repeat(5001)).is_err());
        assert!(check_length(&"a".repeat(100_000)).is_ok());
    }
}
