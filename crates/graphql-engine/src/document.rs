//! A document, parsed and checked once: what is known of its operations before any of them runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, InlineFragment, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::registry::Registry;
use async_graphql::{Name, Positioned, ServerError, Variables};

use crate::breadth::{self, Breadth};
use crate::error::{code, request_error};
use crate::lexer;
use crate::limits::Limits;
use crate::normal::{NormalForm, Normaliser};

/// A document within the limits, and its operations.
pub(crate) struct Document {
    pub parsed: ExecutableDocument,
    operations: Vec<Arc<Operation>>,
    /// Whether variables may decide by `@skip` or `@include` what is selected.
    conditional: bool,
    valid: AtomicBool,
}

/// One operation of a document.
pub(crate) struct Operation {
    pub name: Option<Name>,
    pub definition: OperationDefinition,
    /// What a log may call it: its name, or else the name of its first field.
    pub label: Option<Name>,
    /// How many levels it may have.
    pub max_depth: usize,
    normal: OnceLock<Arc<NormalForm>>,
}

impl Document {
    pub(crate) fn parse(text: &str, limits: &Limits) -> Result<Self, ServerError> {
        lexer::check(text, limits)?;
        let mut parsed = parse_query(text).map_err(|error| not_parsed(&error))?;
        breadth::check(&parsed, limits)?;
        wrap_typenames_with_directives(&mut parsed);
        let operations = parsed.operations.iter();
        let breadth = Breadth { document: &parsed, limits };
        let operations =
            operations.map(|(name, node)| Arc::new(Operation::new(&breadth, name, &node.node))).collect();
        let sets = parsed.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
        let mut sets =
            sets.chain(parsed.fragments.values().map(|fragment| &fragment.node.selection_set.node));
        let conditional = sets.any(is_conditional);
        Ok(Self { operations, conditional, valid: AtomicBool::new(false), parsed })
    }

    /// The operation that is to be executed (GetOperation in section 6.1).
    pub(crate) fn operation(&self, name: Option<&str>) -> Result<&Arc<Operation>, ServerError> {
        let matches = |operation: &&Arc<Operation>| name.is_none() || operation.name.as_deref() == name;
        let mut matching = self.operations.iter().filter(matches);
        let message = match (matching.next(), matching.next()) {
            (Some(operation), None) => return Ok(operation),
            (Some(_), Some(_)) => "The document has several operations: choose one with `operationName`.",
            (None, _) => "The document has no operation with that name.",
        };
        Err(request_error(message, code::GRAPHQL_VALIDATION_FAILED))
    }

    /// Whether it was validated before (section 6.1.1): a valid document stays valid, as the schema does not change.
    pub(crate) fn is_valid(&self) -> bool {
        self.valid.load(Ordering::Acquire)
    }

    pub(crate) fn mark_valid(&self) {
        self.valid.store(true, Ordering::Release);
    }

    /// One of its operations in normal form; made once, unless variables decide what is selected.
    pub(crate) fn normal(
        &self,
        operation: &Operation,
        registry: &Registry,
        variables: &Variables,
    ) -> Arc<NormalForm> {
        let normaliser = Normaliser { registry, document: &self.parsed, variables };
        let make = || Arc::new(normaliser.normalise(&operation.definition));
        if self.conditional { make() } else { Arc::clone(operation.normal.get_or_init(make)) }
    }
}

impl Operation {
    fn new(breadth: &Breadth<'_>, name: Option<&Name>, definition: &OperationDefinition) -> Self {
        let roots = breadth.root_fields(definition).unwrap_or_default();
        let limits = breadth.limits;
        let only_introspects = roots.iter().all(|field| field.starts_with("__"));
        Self {
            name: name.cloned(),
            definition: definition.clone(),
            label: name.or(roots.first().copied()).cloned(),
            max_depth: if only_introspects { limits.introspection_depth } else { limits.depth },
            normal: OnceLock::new(),
        }
    }

    /// The variables of a request, with the defaults of those that it leaves out (CoerceVariableValues in section 6.1.2).
    /// The library forgets these defaults in directives: `@skip(if: $x)` with `$x: Boolean! = true` would skip nothing.
    pub(crate) fn with_defaults(&self, mut given: Variables) -> Variables {
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

/// Writes `__typename @skip(...)` as `... @skip(...) { __typename }`, which means the same. The library's validation does
/// not look at `__typename`: a variable that is used only there would be refused as unused (section 5.8.4).
fn wrap_typenames_with_directives(document: &mut ExecutableDocument) {
    fn wrap(set: &mut SelectionSet) {
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
                Selection::Field(field) => wrap(&mut field.node.selection_set.node),
                Selection::InlineFragment(fragment) => wrap(&mut fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    document.fragments.values_mut().for_each(|fragment| wrap(&mut fragment.node.selection_set.node));
    match &mut document.operations {
        DocumentOperations::Single(operation) => wrap(&mut operation.node.selection_set.node),
        DocumentOperations::Multiple(operations) => {
            operations.values_mut().for_each(|operation| wrap(&mut operation.node.selection_set.node));
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

/// The position, and what was expected there. What the client sent is not repeated: it may contain a secret.
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
