//! How broad a document is, before it is validated: aliases, directives, root fields, and everything that is selected once
//! fragments are expanded.

use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError};

use crate::error::limit_exceeded;
use crate::limits::{Limits, MAX_FRAGMENT_NESTING, MAX_NESTING, MAX_SELECTIONS};

/// Refuses a document that is too broad itself, or one of whose operations is.
pub(crate) fn check(document: &ExecutableDocument, limits: &Limits) -> Result<(), ServerError> {
    let operations = || document.operations.iter().map(|(_, operation)| &operation.node);
    let fragments = || document.fragments.values().map(|fragment| &fragment.node);
    let sets = || {
        let of_fragments = fragments().map(|fragment| &fragment.selection_set.node);
        operations().map(|operation| &operation.selection_set.node).chain(of_fragments)
    };
    let aliases: usize = sets().map(aliases).sum();
    if aliases > limits.aliases {
        let most = limits.aliases;
        return Err(limit_exceeded(format!(
            "The document has too many aliases: {aliases}; at most {most} are allowed."
        )));
    }
    let directives = operations()
        .map(|operation| operation.directives.len())
        .chain(fragments().map(|fragment| fragment.directives.len()))
        .chain(sets().map(most_directives))
        .max()
        .unwrap_or_default();
    if directives > limits.directives {
        let most = limits.directives;
        return Err(limit_exceeded(format!(
            "One place has too many directives: {directives}; at most {most} are allowed."
        )));
    }
    let breadth = Breadth { document, limits };
    // Fragments that spread each other twice stand for billions of fields, and validation would visit them all.
    let mut budget = MAX_SELECTIONS;
    if !operations().all(|operation| breadth.selects_within(&operation.selection_set.node, &mut budget, 0)) {
        return Err(limit_exceeded("The document is too large once its fragments are expanded."));
    }
    operations().try_for_each(|operation| breadth.check_root_fields(operation))
}

/// Counts what operations of a document select.
pub(crate) struct Breadth<'a> {
    pub document: &'a ExecutableDocument,
    pub limits: &'a Limits,
}

impl<'a> Breadth<'a> {
    /// The root fields of an operation, with fragments expanded; none if there are more than allowed.
    pub(crate) fn root_fields(&self, operation: &'a OperationDefinition) -> Option<Vec<&'a Name>> {
        let mut found = Vec::new();
        self.gather(&operation.selection_set.node, &mut found, 0).then_some(found)
    }

    fn check_root_fields(&self, operation: &'a OperationDefinition) -> Result<(), ServerError> {
        let Some(fields) = self.root_fields(operation) else {
            return Err(limit_exceeded(format!(
                "The operation has too many root fields; at most {} are allowed.",
                self.limits.root_fields
            )));
        };
        let exclusive = self.limits.exclusive_fields;
        let is_exclusive = |field: &&Name| exclusive.contains(&field.as_str());
        if operation.ty == OperationType::Mutation && fields.into_iter().filter(is_exclusive).count() > 1 {
            return Err(limit_exceeded(format!(
                "A request may have only one of these fields, once: {}.",
                exclusive.join(", ")
            )));
        }
        Ok(())
    }

    /// Gathers the fields of a selection set; false as soon as there are too many, or fragments are nested too deeply.
    fn gather(&self, set: &'a SelectionSet, found: &mut Vec<&'a Name>, nesting: usize) -> bool {
        nesting <= MAX_FRAGMENT_NESTING
            && set.items.iter().all(|item| match &item.node {
                Selection::Field(field) => {
                    found.push(&field.node.name.node);
                    found.len() <= self.limits.root_fields
                }
                Selection::InlineFragment(fragment) => {
                    self.gather(&fragment.node.selection_set.node, found, nesting + 1)
                }
                // Validation refuses a fragment that does not exist.
                Selection::FragmentSpread(spread) => self
                    .fragment(&spread.node.fragment_name.node)
                    .is_none_or(|set| self.gather(set, found, nesting + 1)),
            })
    }

    /// Counts down the budget for everything that is selected; false as soon as it is used up, or the nesting is too deep.
    fn selects_within(&self, set: &SelectionSet, budget: &mut usize, nesting: usize) -> bool {
        nesting <= MAX_NESTING
            && set.items.iter().all(|item| {
                let inner = match &item.node {
                    Selection::Field(field) => Some(&field.node.selection_set.node),
                    Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
                    Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node),
                };
                take(budget) && inner.is_none_or(|set| self.selects_within(set, budget, nesting + 1))
            })
    }

    fn fragment(&self, name: &Name) -> Option<&'a SelectionSet> {
        self.document.fragments.get(name).map(|fragment| &fragment.node.selection_set.node)
    }
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

/// The most directives in one place of a selection set.
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

fn take(budget: &mut usize) -> bool {
    let left = *budget > 0;
    *budget = budget.saturating_sub(1);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCLUSIVE: [&str; 2] = ["createSecret", "changePassword"];

    fn check(text: &str) -> Result<(), ServerError> {
        let limits = Limits { exclusive_fields: &EXCLUSIVE, ..Limits::default() };
        super::check(&async_graphql::parser::parse_query(text).unwrap(), &limits)
    }

    #[test]
    fn aliases_are_counted_everywhere() {
        let many = |count| (0..count).map(|n| format!("a{n}: id ")).collect::<String>();
        assert!(check(&format!("{{ viewer {{ {} }} }}", many(30))).is_ok());
        assert!(check(&format!("{{ viewer {{ {} }} }}", many(31))).is_err());
        assert!(check(&format!("{{ viewer {{ ...F }} }} fragment F on Viewer {{ {} }}", many(31))).is_err());
    }

    #[test]
    fn root_fields_are_counted_through_fragments_and_cycles_end() {
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
    fn fragments_that_double_are_refused_without_visiting_them_all() {
        let doubling = |levels: u32| {
            let each = (0..levels).map(|n| format!("fragment F{n} on Viewer {{ ...F{0} ...F{0} }} ", n + 1));
            let last = format!("fragment F{levels} on Viewer {{ scopes }}");
            format!("{{ viewer {{ ...F0 }} }} {}{last}", each.collect::<String>())
        };
        assert!(check(&doubling(5)).is_ok());
        assert!(check(&doubling(60)).is_err());
    }

    #[test]
    fn directives_are_counted_in_each_place() {
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
    fn exclusive_fields_come_one_at_a_time() {
        for field in EXCLUSIVE {
            assert!(check(&format!("mutation {{ {field} other }}")).is_ok());
            assert!(check(&format!("mutation {{ a: {field} b: {field} }}")).is_err());
            assert!(
                check(&format!("mutation {{ {field} ...F }} fragment F on Mutation {{ {field} }}")).is_err()
            );
            assert!(check(&format!("mutation A {{ {field} }} mutation B {{ {field} }}")).is_ok());
        }
    }
}
