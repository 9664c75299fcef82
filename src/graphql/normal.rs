//! An operation in its normal form: what is skipped is gone, fragments are written out, a field stands once under each
//! key (GraphQL, section 6.3.2), and where the type of an object is open, each type has its own fields. The library
//! executes this form rightly. As they come it executes merged fields twice, overlooks fragments on unions, and says
//! null for an object of which everything is skipped.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, InlineFragment, OperationDefinition, OperationType, Selection,
    SelectionSet, TypeCondition,
};
use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Name, Positioned, Value, Variables};

use super::shape::{Shape, TYPE};

const TYPENAME: &str = "__typename";

/// The fields of one type of object: for each key, wherever it is asked for.
type Asked<'a> = IndexMap<&'a str, Vec<&'a Positioned<Field>>>;

/// An operation that can be executed as it stands, and the shape of its answer.
pub(super) struct Normal {
    pub definition: OperationDefinition,
    pub shape: Shape,
}

/// Writes operations of one document in their normal form.
pub(super) struct Normaliser<'a> {
    pub registry: &'a Registry,
    pub document: &'a ExecutableDocument,
    pub variables: &'a Variables,
}

impl<'a> Normaliser<'a> {
    pub(super) fn normalise(&self, operation: &'a OperationDefinition) -> Normal {
        let root = match operation.ty {
            OperationType::Query => Some(self.registry.query_type.as_str()),
            OperationType::Mutation => self.registry.mutation_type.as_deref(),
            OperationType::Subscription => self.registry.subscription_type.as_deref(),
        };
        let (set, shape) = self.selection(root.unwrap_or_default(), &[&operation.selection_set.node]);
        let selection_set = Positioned::new(set, operation.selection_set.pos);
        let definition = OperationDefinition {
            ty: operation.ty,
            variable_definitions: operation.variable_definitions.clone(),
            directives: Vec::new(),
            selection_set,
        };
        Normal { definition, shape }
    }

    /// What is selected of a type, by one or several sets that are merged.
    fn selection(&self, parent: &'a str, sets: &[&'a SelectionSet]) -> (SelectionSet, Shape) {
        let mut by_type: Vec<(&str, Asked<'a>)> = Vec::new();
        for ty in self.possible(parent) {
            let mut asked = Asked::new();
            for set in sets {
                self.collect(ty, set, &mut asked);
            }
            by_type.push((ty, asked));
        }
        match by_type.as_slice() {
            [(ty, only)] => self.object(ty, only),
            several => self.abstract_type(parent, several),
        }
    }

    /// The fields of an object whose type is known.
    fn object(&self, ty: &'a str, asked: &Asked<'a>) -> (SelectionSet, Shape) {
        let (mut items, shapes): (Vec<_>, Vec<_>) =
            asked.iter().map(|(key, fields)| self.field(ty, key, fields)).unzip();
        if items.is_empty() {
            items.push(hidden_typename());
        }
        (SelectionSet { items }, Shape::of_object(shapes))
    }

    /// Fields that every type has and is asked for in the same places stand once, the rest under the name of each type.
    fn abstract_type(&self, parent: &'a str, by_type: &[(&'a str, Asked<'a>)]) -> (SelectionSet, Shape) {
        let is_common = |key: &str| {
            let places = |asked: &Asked<'a>| {
                asked.get(key).map(|fields| fields.iter().map(|field| field.pos).collect::<Vec<_>>())
            };
            let first = by_type.first().and_then(|(_, asked)| places(asked));
            let known = |name: &str| name == TYPENAME || self.field_of(parent, name).is_some();
            let name = by_type.first().and_then(|(_, asked)| asked.get(key)?.first().copied());
            first.is_some()
                && name.is_some_and(|field| known(&field.node.name.node))
                && by_type.iter().all(|(_, asked)| places(asked) == first)
        };
        let mut items = vec![hidden_typename()];
        if let Some((_, first)) = by_type.first() {
            let common = first.iter().filter(|(key, _)| is_common(key));
            items.extend(common.map(|(key, fields)| self.field(parent, key, fields).0));
        }
        let mut shapes = HashMap::new();
        for (ty, asked) in by_type {
            let (set, shape) = self.object(ty, asked);
            shapes.insert((*ty).to_owned(), shape);
            let own = |item: &Positioned<Selection>| matches!(&item.node, Selection::Field(field) if !is_common(&field.node.response_key().node));
            let items_of_type: Vec<_> = set.items.into_iter().filter(own).collect();
            if !items_of_type.is_empty() {
                items.push(fragment_on(ty, items_of_type));
            }
        }
        (SelectionSet { items }, Shape::ByType(shapes))
    }

    /// One field, with all that is selected of it anywhere; and the shape of its value under its key.
    fn field(
        &self,
        ty: &'a str,
        key: &'a str,
        fields: &[&'a Positioned<Field>],
    ) -> (Positioned<Selection>, (Name, Shape)) {
        let [first, ..] = fields else { return (hidden_typename(), (Name::new(TYPE), Shape::default())) };
        let (selection_set, shape) = match self.field_of(ty, &first.node.name.node) {
            Some(of) if fields.iter().any(|field| !field.node.selection_set.node.items.is_empty()) => {
                let sets: Vec<_> = fields.iter().map(|field| &field.node.selection_set.node).collect();
                self.selection(of, &sets)
            }
            _ => (SelectionSet::default(), Shape::default()),
        };
        let field = Field {
            alias: first.node.alias.clone(),
            name: first.node.name.clone(),
            arguments: first.node.arguments.clone(),
            directives: Vec::new(),
            selection_set: Positioned::new(selection_set, first.node.selection_set.pos),
        };
        let item = Positioned::new(Selection::Field(Positioned::new(field, first.pos)), first.pos);
        (item, (Name::new(key), shape))
    }

    /// Gathers what a set asks of an object of this type.
    fn collect(&self, ty: &str, set: &'a SelectionSet, asked: &mut Asked<'a>) {
        for item in &set.items {
            if self.skips(item.node.directives()) {
                continue;
            }
            let (condition, inner) = match &item.node {
                Selection::Field(field) => {
                    asked.entry(field.node.response_key().node.as_str()).or_default().push(field);
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => {
                    match self.document.fragments.get(&spread.node.fragment_name.node) {
                        Some(fragment) => {
                            (Some(&fragment.node.type_condition), &fragment.node.selection_set.node)
                        }
                        None => continue,
                    }
                }
            };
            let applies = condition.is_none_or(|condition| {
                let of = self.registry.types.get(condition.node.on.node.as_str());
                of.is_some_and(|of| of.is_possible_type(ty))
            });
            if applies {
                self.collect(ty, inner, asked);
            }
        }
    }

    /// Whether `@skip` or `@include` leaves something out (GraphQL, section 3.13).
    fn skips(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let leaves_out = match directive.node.name.node.as_str() {
                "skip" => true,
                "include" => false,
                _ => return false,
            };
            let variable = |name| Ok::<_, Infallible>(self.variables.get(&name).cloned().unwrap_or_default());
            let condition = directive.node.get_argument("if");
            condition.cloned().map(|value| value.node.into_const_with(variable))
                == Some(Ok(Value::Boolean(leaves_out)))
        })
    }

    /// The types that an object may have where this type stands.
    fn possible(&self, parent: &'a str) -> Vec<&'a str> {
        match self.registry.types.get(parent).and_then(MetaType::possible_types) {
            Some(types) => types.iter().map(String::as_str).collect(),
            None => vec![parent],
        }
    }

    /// The type of a field, without what says that it is a list or not null.
    fn field_of(&self, parent: &str, name: &str) -> Option<&'a str> {
        let field = self.registry.types.get(parent)?.field_by_name(name)?;
        Some(MetaTypeName::concrete_typename(&field.ty))
    }
}

/// Says which type an object has, and keeps its selection from being empty. It has no place in the answer.
fn hidden_typename() -> Positioned<Selection> {
    let field = Field {
        alias: Some(Positioned::new(Name::new(TYPE), <_>::default())),
        name: Positioned::new(Name::new(TYPENAME), <_>::default()),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: <_>::default(),
    };
    Positioned::new(Selection::Field(Positioned::new(field, <_>::default())), <_>::default())
}

fn fragment_on(ty: &str, items: Vec<Positioned<Selection>>) -> Positioned<Selection> {
    let on = Positioned::new(Name::new(ty), <_>::default());
    let fragment = InlineFragment {
        type_condition: Some(Positioned::new(TypeCondition { on }, <_>::default())),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet { items }, <_>::default()),
    };
    Positioned::new(Selection::InlineFragment(Positioned::new(fragment, <_>::default())), <_>::default())
}
