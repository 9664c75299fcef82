//! Operations as data: printed to be sent, and kept to be compared with the answer. A text that somebody else wrote is
//! read into the same form.

use std::collections::BTreeMap;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{self as parsed, ExecutableDocument, OperationType};
use async_graphql::{Positioned, Value};
use serde_json::{Map, json};

#[derive(Clone, Debug, Default)]
pub struct Operation {
    pub mutation: bool,
    pub name: Option<String>,
    pub variables: Vec<Variable>,
    pub set: Vec<Selection>,
    pub fragments: BTreeMap<String, Fragment>,
    /// The variables that are sent.
    pub given: Map<String, serde_json::Value>,
    /// Has a value that a scalar may refuse: then the operation may be invalid after all.
    pub risky: bool,
}

#[derive(Clone, Debug)]
pub struct Variable {
    pub name: String,
    pub of: String,
    pub default: Option<Input>,
}

#[derive(Clone, Debug)]
pub struct Fragment {
    pub on: String,
    pub set: Vec<Selection>,
}

#[derive(Clone, Debug)]
pub enum Selection {
    Field(Picked),
    Inline { on: Option<String>, conditions: Vec<Condition>, set: Vec<Selection> },
    Spread { fragment: String, conditions: Vec<Condition> },
}

/// A field that is asked for.
#[derive(Clone, Debug)]
pub struct Picked {
    pub alias: Option<String>,
    pub name: String,
    pub arguments: Vec<(String, Input)>,
    pub conditions: Vec<Condition>,
    pub set: Vec<Selection>,
}

impl Picked {
    /// The key of its value in the answer.
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// `@include` or `@skip`, and whether it lets the selection stand.
#[derive(Clone, Debug)]
pub struct Condition {
    pub skip: bool,
    pub when: Input,
    pub holds: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Enum(String),
    List(Vec<Input>),
    Object(Vec<(String, Input)>),
    Variable(String),
}

impl Input {
    /// As a variable's value is sent.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Null | Self::Variable(_) => serde_json::Value::Null,
            Self::Bool(value) => json!(value),
            Self::Int(value) => json!(value),
            Self::Text(text) | Self::Enum(text) => json!(text),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), value.json())).collect::<Map<_, _>>().into()
            }
        }
    }

    /// As it is written into a document.
    pub fn print(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) => quoted(text),
            Self::Enum(name) => name.clone(),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::print).collect::<Vec<_>>().join(", "))
            }
            Self::Object(fields) => format!("{{{}}}", pairs(fields)),
            Self::Variable(name) => format!("${name}"),
        }
    }
}

/// A string as JSON and GraphQL both write it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f")
}

pub fn pairs(pairs: &[(String, Input)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}: {}", value.print())).collect::<Vec<_>>().join(", ")
}

impl Operation {
    /// The document, with this between its tokens where there may be anything.
    pub fn print(&self, gap: &str) -> String {
        let kind = if self.mutation { "mutation" } else { "query" };
        let name = self.name.as_deref().unwrap_or_default();
        let variables = self.variables.iter().map(|variable| {
            let default =
                variable.default.as_ref().map(|value| format!(" = {}", value.print())).unwrap_or_default();
            format!("${}: {}{default}", variable.name, variable.of)
        });
        let variables = variables.collect::<Vec<_>>().join(gap);
        let variables = if variables.is_empty() { variables } else { format!("({variables})") };
        let head = match (self.mutation, name.is_empty(), variables.is_empty()) {
            (false, true, true) => String::new(),
            _ => format!("{kind} {name}{variables} "),
        };
        let mut text = format!("{head}{}", set(&self.set, gap));
        for (name, fragment) in &self.fragments {
            text += &format!("{gap}fragment {name} on {} {}", fragment.on, set(&fragment.set, gap));
        }
        text
    }

    /// Reads a document; none if it is no document, or it is not clear which operation is meant.
    pub fn read(text: &str, name: Option<&str>, given: &Map<String, serde_json::Value>) -> Option<Self> {
        let document = parse_query(text).ok()?;
        let name = name.filter(|name| !name.is_empty());
        let mut operations = document
            .operations
            .iter()
            .filter(|(known, _)| name.is_none_or(|name| known.is_some_and(|known| known.as_str() == name)));
        let (_, operation) = operations.next()?;
        if operations.next().is_some() {
            return None;
        }
        let truth = |name: &str| truth(operation, name, given);
        let fragment = |fragment: &parsed::FragmentDefinition| Fragment {
            on: fragment.type_condition.node.on.node.to_string(),
            set: read_set(&fragment.selection_set.node, &truth),
        };
        Some(Self {
            mutation: operation.node.ty == OperationType::Mutation,
            set: read_set(&operation.node.selection_set.node, &truth),
            fragments: fragments(&document).map(|(name, found)| (name.to_owned(), fragment(found))).collect(),
            given: given.clone(),
            ..Self::default()
        })
    }
}

fn set(items: &[Selection], gap: &str) -> String {
    let printed: Vec<String> = items.iter().map(|item| selection(item, gap)).collect();
    format!("{{{gap}{}{gap}}}", printed.join(gap))
}

fn selection(item: &Selection, gap: &str) -> String {
    match item {
        Selection::Field(field) => {
            let alias = field.alias.as_ref().map(|alias| format!("{alias}: ")).unwrap_or_default();
            let arguments = match field.arguments.as_slice() {
                [] => String::new(),
                arguments => format!("({})", pairs(arguments)),
            };
            let inner = if field.set.is_empty() { String::new() } else { set(&field.set, gap) };
            format!("{alias}{}{arguments}{}{inner}", field.name, conditions(&field.conditions))
        }
        Selection::Inline { on, conditions: when, set: inner } => {
            let on = on.as_ref().map(|on| format!(" on {on} ")).unwrap_or_default();
            format!("...{on}{}{}", conditions(when), set(inner, gap))
        }
        Selection::Spread { fragment, conditions: when } => format!("...{fragment}{}", conditions(when)),
    }
}

fn conditions(conditions: &[Condition]) -> String {
    let shown = |condition: &Condition| {
        let name = if condition.skip { "skip" } else { "include" };
        format!(" @{name}(if: {}) ", condition.when.print())
    };
    conditions.iter().map(shown).collect()
}

fn fragments(document: &ExecutableDocument) -> impl Iterator<Item = (&str, &parsed::FragmentDefinition)> {
    document.fragments.iter().map(|(name, fragment)| (name.as_str(), &fragment.node))
}

/// What a variable of type `Boolean!` stands for.
fn truth(
    operation: &Positioned<parsed::OperationDefinition>,
    name: &str,
    given: &Map<String, serde_json::Value>,
) -> bool {
    let default = || {
        let mut known = operation.node.variable_definitions.iter();
        let known = known.find(|variable| variable.node.name.node == name)?;
        known.node.default_value.as_ref().map(|value| value.node == Value::Boolean(true))
    };
    given.get(name).and_then(serde_json::Value::as_bool).or_else(default).unwrap_or_default()
}

fn read_set(set: &parsed::SelectionSet, truth: &dyn Fn(&str) -> bool) -> Vec<Selection> {
    let read = |item: &Positioned<parsed::Selection>| match &item.node {
        parsed::Selection::Field(field) => Selection::Field(Picked {
            alias: field.node.alias.as_ref().map(|alias| alias.node.to_string()),
            name: field.node.name.node.to_string(),
            arguments: Vec::new(),
            conditions: read_conditions(&field.node.directives, truth),
            set: read_set(&field.node.selection_set.node, truth),
        }),
        parsed::Selection::InlineFragment(fragment) => Selection::Inline {
            on: fragment.node.type_condition.as_ref().map(|on| on.node.on.node.to_string()),
            conditions: read_conditions(&fragment.node.directives, truth),
            set: read_set(&fragment.node.selection_set.node, truth),
        },
        parsed::Selection::FragmentSpread(spread) => Selection::Spread {
            fragment: spread.node.fragment_name.node.to_string(),
            conditions: read_conditions(&spread.node.directives, truth),
        },
    };
    set.items.iter().map(read).collect()
}

fn read_conditions(
    directives: &[Positioned<parsed::Directive>],
    truth: &dyn Fn(&str) -> bool,
) -> Vec<Condition> {
    let read = |directive: &Positioned<parsed::Directive>| {
        let skip = match directive.node.name.node.as_str() {
            "skip" => true,
            "include" => false,
            _ => return None,
        };
        let when = directive.node.get_argument("if").map(|when| when.node.to_string()).unwrap_or_default();
        let when = when.strip_prefix('$').map_or(when == "true", truth);
        Some(Condition { skip, when: Input::Bool(when), holds: when != skip })
    };
    directives.iter().filter_map(read).collect()
}
