//! A document, parsed and checked once: what is known of its operations before any of them runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, InlineFragment, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::registry::Registry;
use async_graphql::{Name, Positioned, ServerError, Variables};

use super::error::{code, request_error};
use super::normal::{Normal, Normaliser};
use super::{breadth, lexer};

const MAX_DEPTH: usize = 12;
/// What asks for nothing but the schema may be as deep as the tools that read schemas go: nine levels of `ofType` at the
/// sixth level of a schema.
const MAX_INTROSPECTION_DEPTH: usize = 16;

/// A document that is not too much, and its operations.
pub(super) struct Document {
    pub parsed: ExecutableDocument,
    operations: Vec<Arc<Operation>>,
    /// Whether something of it depends on variables by `@skip` or `@include`.
    conditional: bool,
    valid: AtomicBool,
}

/// One operation of a document.
pub(super) struct Operation {
    pub name: Option<Name>,
    pub definition: OperationDefinition,
    /// Whether it changes something: read-only keys are barred by this, not by HTTP method.
    pub is_mutation: bool,
    /// What the log calls it: its name, else that of its first field.
    pub label: Option<Name>,
    /// How deep it may be.
    pub max_depth: usize,
    normal: OnceLock<Arc<Normal>>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, ServerError> {
        lexer::check(text)?;
        let mut parsed = parse_query(text).map_err(|error| not_parsed(&error))?;
        breadth::check(&parsed)?;
        show_directives(&mut parsed);
        let operations = parsed.operations.iter();
        let operations =
            operations.map(|(name, node)| Arc::new(Operation::new(&parsed, name, &node.node))).collect();
        let sets = parsed.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
        let mut sets =
            sets.chain(parsed.fragments.values().map(|fragment| &fragment.node.selection_set.node));
        let conditional = sets.any(is_conditional);
        Ok(Self { operations, conditional, valid: AtomicBool::new(false), parsed })
    }

    /// The operation that a request means, if there is exactly one.
    pub(super) fn operation(&self, name: Option<&str>) -> Result<&Arc<Operation>, ServerError> {
        let is_meant = |operation: &&Arc<Operation>| name.is_none() || operation.name.as_deref() == name;
        let mut matching = self.operations.iter().filter(is_meant);
        let message = match (matching.next(), matching.next()) {
            (Some(operation), None) => return Ok(operation),
            (Some(_), Some(_)) => "The document has several operations: say which by `operationName`.",
            (None, _) => "The document has no operation of that name.",
        };
        Err(request_error(message, code::GRAPHQL_VALIDATION_FAILED))
    }

    /// Whether it has been found valid before.
    pub(super) fn is_valid(&self) -> bool {
        self.valid.load(Ordering::Acquire)
    }

    pub(super) fn found_valid(&self) {
        self.valid.store(true, Ordering::Release);
    }

    /// One of its operations in normal form; made once, if no variable has a say in it.
    pub(super) fn normal(
        &self,
        operation: &Operation,
        registry: &Registry,
        variables: &Variables,
    ) -> Arc<Normal> {
        let normaliser = Normaliser { registry, document: &self.parsed, variables };
        let make = || Arc::new(normaliser.normalise(&operation.definition));
        if self.conditional { make() } else { Arc::clone(operation.normal.get_or_init(make)) }
    }
}

impl Operation {
    fn new(document: &ExecutableDocument, name: Option<&Name>, definition: &OperationDefinition) -> Self {
        let roots = breadth::root_fields(document, definition).unwrap_or_default();
        let only_introspects = roots.iter().all(|field| field.starts_with("__"));
        Self {
            name: name.cloned(),
            definition: definition.clone(),
            is_mutation: definition.ty == OperationType::Mutation,
            label: name.or(roots.first().copied()).cloned(),
            max_depth: if only_introspects { MAX_INTROSPECTION_DEPTH } else { MAX_DEPTH },
            normal: OnceLock::new(),
        }
    }

    /// The variables of a request, with the defaults of those that it leaves out: the library forgets them in directives.
    pub(super) fn with_defaults(&self, mut given: Variables) -> Variables {
        for definition in &self.definition.variable_definitions {
            let (name, default) = (&definition.node.name.node, &definition.node.default_value);
            if let Some(default) = default
                && !given.contains_key(name)
            {
                given.insert(name.clone(), default.node.clone());
            }
        }
        given
    }
}

/// Writes `__typename @skip(...)` as `... @skip(...) { __typename }`, which means the same: the library's validation does
/// not look at `__typename`, and takes a variable that is used only there for one that is not used.
fn show_directives(document: &mut ExecutableDocument) {
    fn show(set: &mut SelectionSet) {
        for item in &mut set.items {
            match &mut item.node {
                Selection::Field(field) if field.node.name.node == "__typename" => {
                    let directives = std::mem::take(&mut field.node.directives);
                    if !directives.is_empty() {
                        let selection_set =
                            Positioned::new(SelectionSet { items: vec![item.clone()] }, item.pos);
                        let fragment = InlineFragment { type_condition: None, directives, selection_set };
                        item.node = Selection::InlineFragment(Positioned::new(fragment, item.pos));
                    }
                }
                Selection::Field(field) => show(&mut field.node.selection_set.node),
                Selection::InlineFragment(fragment) => show(&mut fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    document.fragments.values_mut().for_each(|fragment| show(&mut fragment.node.selection_set.node));
    match &mut document.operations {
        DocumentOperations::Single(operation) => show(&mut operation.node.selection_set.node),
        DocumentOperations::Multiple(operations) => {
            operations.values_mut().for_each(|operation| show(&mut operation.node.selection_set.node));
        }
    }
}

fn is_conditional(set: &SelectionSet) -> bool {
    set.items.iter().any(|item| {
        let inner = match &item.node {
            Selection::Field(field) => Some(&field.node.selection_set.node),
            Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => None,
        };
        !item.node.directives().is_empty() || inner.is_some_and(is_conditional)
    })
}

/// The place and what was expected there. What the client sent is not repeated: it may hold a secret.
fn not_parsed(error: &ParseError) -> ServerError {
    let message = match error {
        ParseError::Syntax { message, .. } => match message.rsplit_once("= ") {
            Some((_, expected)) => format!("The document cannot be parsed: {}.", expected.trim()),
            None => "The document cannot be parsed.".to_owned(),
        },
        other => format!("The document cannot be parsed: {other}"),
    };
    let mut refused = request_error(message, code::GRAPHQL_PARSE_FAILED);
    refused.locations = error.positions().collect();
    refused
}
