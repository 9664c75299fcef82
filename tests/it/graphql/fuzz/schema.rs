//! The types of a schema as far as requests and answers need them, read from its text.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned};

pub struct Model(BTreeMap<String, Kind>);

pub enum Kind {
    Scalar,
    Enum(Vec<String>),
    Object { fields: Vec<Field>, interfaces: Vec<String> },
    Interface { fields: Vec<Field> },
    Union(Vec<String>),
    Input { fields: Vec<Argument>, one_of: bool },
}

#[derive(Clone)]
pub struct Field {
    pub name: String,
    pub arguments: Vec<Argument>,
    pub of: Type,
}

/// An argument, or a field of an input object.
#[derive(Clone)]
pub struct Argument {
    pub name: String,
    pub of: Type,
    pub required: bool,
}

impl Model {
    pub fn read(sdl: &str) -> Self {
        let mut types: BTreeMap<String, Kind> = ["Int", "Float", "String", "Boolean", "ID"]
            .map(|name| (name.to_owned(), Kind::Scalar))
            .into_iter()
            .collect();
        for definition in parse_schema(sdl).unwrap().definitions {
            if let TypeSystemDefinition::Type(definition) = definition {
                types.insert(definition.node.name.node.to_string(), kind(definition.node));
            }
        }
        Self(types)
    }

    pub fn kind(&self, name: &str) -> &Kind {
        self.0.get(name).unwrap_or_else(|| panic!("the schema has no type {name}"))
    }

    /// The fields that can be asked of a type; none of a union.
    pub fn fields(&self, name: &str) -> &[Field] {
        match self.kind(name) {
            Kind::Object { fields, .. } | Kind::Interface { fields } => fields,
            Kind::Scalar | Kind::Enum(_) | Kind::Union(_) | Kind::Input { .. } => &[],
        }
    }

    pub fn field(&self, of: &str, name: &str) -> Option<&Field> {
        self.fields(of).iter().find(|field| field.name == name)
    }

    pub fn is_leaf(&self, name: &str) -> bool {
        matches!(self.kind(name), Kind::Scalar | Kind::Enum(_))
    }

    /// The object types that a value of this type can have.
    pub fn possible<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        match self.kind(name) {
            Kind::Object { .. } => vec![name],
            Kind::Union(members) => members.iter().map(String::as_str).collect(),
            Kind::Interface { .. } => self.objects().filter(|object| self.implements(object, name)).collect(),
            Kind::Scalar | Kind::Enum(_) | Kind::Input { .. } => Vec::new(),
        }
    }

    /// Whether an object of this type is also of that type.
    pub fn is(&self, object: &str, of: &str) -> bool {
        object == of || self.possible(of).contains(&object)
    }

    /// The composite types that share an object type with this one: what a fragment inside it can be on.
    pub fn overlapping<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        let possible = self.possible(name);
        let shares = |other: &&str| self.possible(other).iter().any(|object| possible.contains(object));
        self.0.keys().map(String::as_str).filter(shares).collect()
    }

    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, kind)| matches!(kind, Kind::Object { .. })).map(|(name, _)| name.as_str())
    }

    fn implements(&self, object: &str, interface: &str) -> bool {
        match self.kind(object) {
            Kind::Object { interfaces, .. } => interfaces.iter().any(|name| name == interface),
            _ => false,
        }
    }
}

/// The name inside lists and exclamation marks.
pub fn name_of(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(item) => name_of(item),
    }
}

fn kind(definition: TypeDefinition) -> Kind {
    let one_of = definition.directives.iter().any(|directive| directive.node.name.node == "oneOf");
    match definition.kind {
        TypeKind::Scalar => Kind::Scalar,
        TypeKind::Enum(of) => {
            Kind::Enum(of.values.iter().map(|value| value.node.value.node.to_string()).collect())
        }
        TypeKind::Object(of) => Kind::Object { fields: fields(of.fields), interfaces: names(&of.implements) },
        TypeKind::Interface(of) => Kind::Interface { fields: fields(of.fields) },
        TypeKind::Union(of) => Kind::Union(names(&of.members)),
        TypeKind::InputObject(of) => Kind::Input { fields: arguments(of.fields), one_of },
    }
}

fn names(names: &[Positioned<Name>]) -> Vec<String> {
    names.iter().map(|name| name.node.to_string()).collect()
}

fn fields(fields: Vec<Positioned<FieldDefinition>>) -> Vec<Field> {
    fields
        .into_iter()
        .map(|field| Field {
            name: field.node.name.node.to_string(),
            arguments: arguments(field.node.arguments),
            of: field.node.ty.node,
        })
        .collect()
}

fn arguments(arguments: Vec<Positioned<InputValueDefinition>>) -> Vec<Argument> {
    arguments
        .into_iter()
        .map(|argument| Argument {
            name: argument.node.name.node.to_string(),
            required: !argument.node.ty.node.nullable && argument.node.default_value.is_none(),
            of: argument.node.ty.node,
        })
        .collect()
}
