//! How broad a document may be, told before anything of it runs: aliases, directives, root fields, and everything that is
//! selected once fragments are written out.

use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError};

use super::error::{code, request_error};

const MAX_ALIASES: usize = 30;
const MAX_DIRECTIVES: usize = 20;
const MAX_ROOT_FIELDS: usize = 10;
const MAX_SELECTIONS: usize = 10_000;
const MAX_NESTING: usize = 64;
/// Fragments inside fragments, while counting. Validation refuses circles; counting comes before it.
const MAX_FRAGMENT_DEPTH: usize = 12;

/// Root fields that give out a secret, or take a password: a request has one of them at most, so that limits on requests
/// are limits on these.
pub(super) const SECRET_FIELDS: [&str; 5] =
    ["createApiKey", "regenerateSecrets", "createUser", "updateUser", "changePassword"];

/// Refuses a document that is too broad, or one of its operations.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), ServerError> {
    let operations = || document.operations.iter().map(|(_, operation)| &operation.node);
    let fragments = || document.fragments.values().map(|fragment| &fragment.node);
    let sets = || {
        let of_fragments = fragments().map(|fragment| &fragment.selection_set.node);
        operations().map(|operation| &operation.selection_set.node).chain(of_fragments)
    };
    let aliases: usize = sets().map(aliases).sum();
    if aliases > MAX_ALIASES {
        return Err(too_much(format!(
            "The document has too many aliases: {aliases}; at most {MAX_ALIASES} are allowed."
        )));
    }
    let directives = operations()
        .map(|operation| operation.directives.len())
        .chain(fragments().map(|fragment| fragment.directives.len()))
        .chain(sets().map(most_directives))
        .max()
        .unwrap_or_default();
    if directives > MAX_DIRECTIVES {
        return Err(too_much(format!(
            "One place has too many directives: {directives}; at most {MAX_DIRECTIVES} are allowed."
        )));
    }
    // Fragments that spread each other twice stand for billions of fields, and validation would walk them all.
    let mut budget = MAX_SELECTIONS;
    if !operations()
        .all(|operation| selections_within(document, &operation.selection_set.node, &mut budget, 0))
    {
        return Err(too_much("The document is too large with its fragments written out.".to_owned()));
    }
    operations().try_for_each(|operation| check_root_fields(document, operation))
}

fn check_root_fields(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Result<(), ServerError> {
    let Some(fields) = root_fields(document, operation) else {
        return Err(too_much(format!(
            "The operation has too many root fields; at most {MAX_ROOT_FIELDS} are allowed."
        )));
    };
    let secret = |field: &&Name| SECRET_FIELDS.contains(&field.as_str());
    if operation.ty == OperationType::Mutation && fields.into_iter().filter(secret).count() > 1 {
        return Err(too_much(format!(
            "A request may have one of these fields, once: {}.",
            SECRET_FIELDS.join(", ")
        )));
    }
    Ok(())
}

/// The root fields of an operation, fragments written out; none if they are more than allowed.
pub(super) fn root_fields<'a>(
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
) -> Option<Vec<&'a Name>> {
    let mut found = Vec::new();
    gather(document, &operation.selection_set.node, &mut found, 0).then_some(found)
}

fn too_much(message: String) -> ServerError {
    request_error(message, code::COST_LIMIT_EXCEEDED)
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

/// The most directives in one place of a selection.
fn most_directives(set: &SelectionSet) -> usize {
    let most = |item: &Positioned<Selection>| {
        let (directives, inner): (&[Positioned<Directive>], _) = match &item.node {
            Selection::Field(field) => (&field.node.directives, Some(&field.node.selection_set.node)),
            Selection::InlineFragment(fragment) => {
                (&fragment.node.directives, Some(&fragment.node.selection_set.node))
            }
            Selection::FragmentSpread(spread) => (&spread.node.directives, None),
        };
        directives.len().max(inner.map_or(0, most_directives))
    };
    set.items.iter().map(most).max().unwrap_or_default()
}

/// Gathers the fields of a selection; false as soon as there are too many, or fragments go too deep to tell.
fn gather<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    found: &mut Vec<&'a Name>,
    depth: usize,
) -> bool {
    depth <= MAX_FRAGMENT_DEPTH
        && set.items.iter().all(|item| match &item.node {
            Selection::Field(field) => {
                found.push(&field.node.name.node);
                found.len() <= MAX_ROOT_FIELDS
            }
            Selection::InlineFragment(fragment) => {
                gather(document, &fragment.node.selection_set.node, found, depth + 1)
            }
            Selection::FragmentSpread(spread) => match fragment(document, &spread.node.fragment_name.node) {
                Some(set) => gather(document, set, found, depth + 1),
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
        super::check(&async_graphql::parser::parse_query(text).unwrap())
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
    fn directives_are_counted_place_by_place() {
        let many = |count| "@skip(if: false) ".repeat(count);
        for place in [
            "{ viewer * { id } }",
            "query * { viewer { id } }",
            "{ viewer { ... * { id } } }",
            "{ viewer { ...F * } } fragment F on Viewer { id }",
            "{ viewer { ...F } } fragment F on Viewer * { id }",
            "{ viewer { ...F } } fragment F on Viewer { id * }",
        ] {
            assert!(check(&place.replace('*', &many(20))).is_ok(), "{place}");
            assert!(check(&place.replace('*', &many(21))).is_err(), "{place}");
        }
    }

    #[test]
    fn fields_that_give_out_secrets_come_one_at_a_time() {
        for secret in SECRET_FIELDS {
            assert!(check(&format!("mutation {{ {secret} disableApiKeys }}")).is_ok());
            assert!(check(&format!("mutation {{ a: {secret} b: {secret} }}")).is_err());
            assert!(
                check(&format!("mutation {{ {secret} ...F }} fragment F on Mutation {{ {secret} }}"))
                    .is_err()
            );
            assert!(check(&format!("mutation A {{ {secret} }} mutation B {{ {secret} }}")).is_ok());
        }
    }
}
