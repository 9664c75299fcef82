//! An operation in normal form: what is skipped is gone, fragments are expanded, each key has one field (section 6.3.2),
//! and where the type of an object is abstract, each possible type has its own fields. The library executes this form
//! correctly. It does not execute every operation correctly as it comes: fields with the same key are executed twice,
//! fragments on unions are overlooked, and an object of which everything is skipped is null.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, InlineFragment, OperationDefinition, OperationType, Selection,
    SelectionSet, TypeCondition,
};
use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Name, Positioned, Value, Variables};

use crate::shape::{Shape, TYPE_KEY};

const TYPENAME: &str = "__typename";

/// A collected fields map (section 6.3.2): for each key the nodes of the document that select it.
type CollectedFields<'a> = IndexMap<&'a str, Vec<&'a Positioned<Field>>>;

/// What is selected of an object if it has this type.
struct TypeFields<'a> {
    ty: &'a str,
    fields: CollectedFields<'a>,
}

/// A selection set in normal form, and the shape of the objects that it selects from.
#[derive(Default)]
struct NormalSet {
    set: SelectionSet,
    shape: Shape,
}

/// A field in normal form, and the shape of its value.
struct NormalField {
    selection: Positioned<Selection>,
    shape: Shape,
}

/// An operation in normal form, and the shape of its response.
pub(crate) struct NormalForm {
    pub definition: OperationDefinition,
    pub shape: Shape,
}

/// Writes operations of one document in normal form.
pub(crate) struct Normaliser<'a> {
    pub registry: &'a Registry,
    pub document: &'a ExecutableDocument,
    pub variables: &'a Variables,
}

impl<'a> Normaliser<'a> {
    pub(crate) fn normalise(&self, operation: &'a OperationDefinition) -> NormalForm {
        let root = match operation.ty {
            OperationType::Query => Some(self.registry.query_type.as_str()),
            OperationType::Mutation => self.registry.mutation_type.as_deref(),
            OperationType::Subscription => self.registry.subscription_type.as_deref(),
        };
        let NormalSet { set, shape } =
            self.selection(root.unwrap_or_default(), &[&operation.selection_set.node]);
        let selection_set = Positioned::new(set, operation.selection_set.pos);
        let definition = OperationDefinition {
            ty: operation.ty,
            variable_definitions: operation.variable_definitions.clone(),
            directives: Vec::new(),
            selection_set,
        };
        NormalForm { definition, shape }
    }

    /// What several selection sets select together of a value of this type (CollectSubfields in section 6.3.2).
    fn selection(&self, parent: &'a str, sets: &[&'a SelectionSet]) -> NormalSet {
        let possible = self.possible_types(parent).into_iter();
        let by_type: Vec<TypeFields<'a>> = possible
            .map(|ty| {
                let mut fields = CollectedFields::new();
                sets.iter().for_each(|set| self.collect(ty, set, &mut fields));
                TypeFields { ty, fields }
            })
            .collect();
        match by_type.as_slice() {
            [only] => self.object_type(only),
            several => self.abstract_type(parent, several),
        }
    }

    /// The selection of an object whose type is known.
    fn object_type(&self, of: &TypeFields<'a>) -> NormalSet {
        let (mut items, mut shapes) = (Vec::new(), Vec::new());
        for (key, fields) in &of.fields {
            let Some(field) = self.field(of.ty, fields) else { continue };
            items.push(field.selection);
            shapes.push((Name::new(key), field.shape));
        }
        if items.is_empty() {
            // Everything is skipped, and the object is `{}`. For an empty selection set the library gives null.
            items.push(hidden_typename());
        }
        NormalSet { set: SelectionSet { items }, shape: Shape::of_object(shapes) }
    }

    /// The selection of an object that may have one of several types.
    ///
    /// Which fragments apply is decided here for each type (DoesFragmentTypeApply in section 6.3.2), and what is left is
    /// one fragment for each object type. The library compares the type condition of a fragment with the type of the object
    /// and the interfaces of that type, so that a fragment on a union selected nothing of an object reached through an
    /// interface or another union.
    ///
    /// Fields that every type has in common stay outside the fragments. The library adds up the cost of all fragments,
    /// although an object has one type only: inside them, a field of an interface would be charged once for each type
    /// that implements it. Common means selected by the same nodes of the document, since nodes with the same key may
    /// have other arguments or subfields for another type (section 5.3.2), and a field of the abstract type itself: a
    /// union has none but `__typename`.
    fn abstract_type(&self, parent: &'a str, by_type: &[TypeFields<'a>]) -> NormalSet {
        let is_common = |key: &str| {
            let first = by_type.first().and_then(|of| of.fields.get(key));
            let Some(fields @ [field, ..]) = first.map(Vec::as_slice) else { return false };
            let name = &field.node.name.node;
            (name == TYPENAME || self.field_type(parent, name).is_some())
                && by_type
                    .iter()
                    .all(|of| of.fields.get(key).is_some_and(|others| same_nodes(fields, others)))
        };
        // The shape of the answer depends on the type of the object, so each object says which it has.
        let mut items = vec![hidden_typename()];
        if let Some(first) = by_type.first() {
            let common = first.fields.iter().filter(|(key, _)| is_common(key));
            items.extend(common.filter_map(|(_, fields)| Some(self.field(parent, fields)?.selection)));
        }
        let mut shapes = HashMap::new();
        for of in by_type {
            let NormalSet { set, shape } = self.object_type(of);
            shapes.insert(of.ty.to_owned(), shape);
            let is_own = |item: &Positioned<Selection>| match &item.node {
                Selection::Field(field) => !is_common(&field.node.response_key().node),
                Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
            };
            let own: Vec<_> = set.items.into_iter().filter(is_own).collect();
            if !own.is_empty() {
                items.push(fragment_on(of.ty, own));
            }
        }
        NormalSet { set: SelectionSet { items }, shape: Shape::ByType(shapes) }
    }

    /// One field set as one field (section 6.3.2), with everything that its nodes select merged; none if it is empty. The
    /// library would execute each of the nodes: mutations would happen twice.
    fn field(&self, ty: &'a str, fields: &[&'a Positioned<Field>]) -> Option<NormalField> {
        let first = fields.first()?;
        let NormalSet { set, shape } = match self.field_type(ty, &first.node.name.node) {
            Some(of) if fields.iter().any(|field| !field.node.selection_set.node.items.is_empty()) => {
                let sets: Vec<_> = fields.iter().map(|field| &field.node.selection_set.node).collect();
                self.selection(of, &sets)
            }
            _ => NormalSet::default(),
        };
        let field = Field {
            alias: first.node.alias.clone(),
            name: first.node.name.clone(),
            arguments: first.node.arguments.clone(),
            directives: Vec::new(),
            selection_set: Positioned::new(set, first.node.selection_set.pos),
        };
        let selection = Positioned::new(Selection::Field(Positioned::new(field, first.pos)), first.pos);
        Some(NormalField { selection, shape })
    }

    /// Collects the fields that a set selects of an object of this type (CollectFields in section 6.3.2).
    fn collect(&self, ty: &str, set: &'a SelectionSet, collected: &mut CollectedFields<'a>) {
        for item in &set.items {
            if self.skips(item.node.directives()) {
                continue;
            }
            let (condition, inner) = match &item.node {
                Selection::Field(field) => {
                    collected.entry(field.node.response_key().node.as_str()).or_default().push(field);
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
                self.collect(ty, inner, collected);
            }
        }
    }

    /// Whether `@skip` or `@include` leaves a selection out (section 3.13).
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

    /// The object types that a value of this type may have.
    fn possible_types(&self, parent: &'a str) -> Vec<&'a str> {
        match self.registry.types.get(parent).and_then(MetaType::possible_types) {
            Some(types) => types.iter().map(String::as_str).collect(),
            None => vec![parent],
        }
    }

    /// The named type of a field, without its lists and non-nulls.
    fn field_type(&self, parent: &str, name: &str) -> Option<&'a str> {
        let field = self.registry.types.get(parent)?.field_by_name(name)?;
        Some(MetaTypeName::concrete_typename(&field.ty))
    }
}

/// Makes an object say which type it has. The shape removes it from the response.
fn hidden_typename() -> Positioned<Selection> {
    let field = Field {
        alias: Some(Positioned::new(Name::new(TYPE_KEY), <_>::default())),
        name: Positioned::new(Name::new(TYPENAME), <_>::default()),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: <_>::default(),
    };
    Positioned::new(Selection::Field(Positioned::new(field, <_>::default())), <_>::default())
}

/// Whether two field sets are the same nodes of the document.
fn same_nodes(some: &[&Positioned<Field>], others: &[&Positioned<Field>]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(a, b)| a.pos == b.pos)
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
