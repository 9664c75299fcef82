//! Checks that every input has its type, before anything runs (sections 5.6.1, 5.8.5 and 6.1.2). The library's validation
//! leaves some of that to the resolvers; by then an earlier mutation of the same request has happened. Literals are
//! checked once for a document, variables with each request.

use std::convert::Infallible;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaInputValue, MetaType, MetaTypeName, Registry};
use async_graphql::{Name, ServerError, Value, Variables};

use crate::error::{code, request_error};

/// Marks an enum value that stands for a variable in a literal. No document has such a value: it is not a name.
const VARIABLE: char = '$';

/// An input that does not have its type.
struct InvalidInput {
    path: Vec<String>,
    /// The rest of a sentence that begins with the path.
    problem: String,
}

type Checked = Result<(), InvalidInput>;

/// Refuses variables that are missing or not of the type that the operation declares. Defaults must be filled in.
pub(crate) fn check_variables(
    registry: &Registry,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in operation.variable_definitions.iter().map(|definition| &definition.node) {
        let (name, ty) = (&definition.name.node, definition.var_type.node.to_string());
        let checked = match variables.get(name) {
            None if definition.var_type.node.nullable => Ok(()),
            None => Err(InvalidInput::new("is missing")),
            Some(value) => InputChecker { registry, document: None }.value(&ty, value),
        };
        checked.map_err(|invalid| invalid.within(&format!("${name}")).into_error())?;
    }
    Ok(())
}

/// Refuses literals that do not have their type, and variables whose type does not exist or is not an input type: the
/// library's validation relies on it, and panics on a list of an unknown type.
pub(crate) fn check_literals(registry: &Registry, document: &ExecutableDocument) -> Result<(), ServerError> {
    let operations = || document.operations.iter().map(|(_, operation)| operation);
    for definition in operations().flat_map(|operation| &operation.node.variable_definitions) {
        let ty = definition.node.var_type.node.to_string();
        if !registry.types.get(MetaTypeName::concrete_typename(&ty)).is_some_and(MetaType::is_input) {
            let message = format!(
                "The type of the variable ${} is not an input type of the schema.",
                definition.node.name.node
            );
            let mut error = request_error(message, code::GRAPHQL_VALIDATION_FAILED);
            error.locations = vec![definition.pos];
            return Err(error);
        }
    }
    let inputs = InputChecker { registry, document: Some(document) };
    let of_operations = operations().map(|operation| {
        let root = match operation.node.ty {
            OperationType::Query => Some(registry.query_type.as_str()),
            OperationType::Mutation => registry.mutation_type.as_deref(),
            OperationType::Subscription => registry.subscription_type.as_deref(),
        };
        (root.unwrap_or_default(), &operation.node.selection_set.node)
    });
    let of_fragments = document.fragments.values().map(|fragment| {
        (fragment.node.type_condition.node.on.node.as_str(), &fragment.node.selection_set.node)
    });
    let mut sets = of_operations.chain(of_fragments);
    sets.try_for_each(|(parent, set)| inputs.selection(parent, set)).map_err(InvalidInput::into_error)
}

struct InputChecker<'a> {
    registry: &'a Registry,
    /// The document whose literals are checked: enum values are names there, and variables have types. None for the
    /// variables of a request, where enum values are strings.
    document: Option<&'a ExecutableDocument>,
}

impl InputChecker<'_> {
    fn selection(&self, parent: &str, set: &SelectionSet) -> Checked {
        set.items.iter().try_for_each(|item| match &item.node {
            Selection::Field(field) if field.node.name.node == "__typename" => {
                let plain = field.node.arguments.is_empty() && field.node.selection_set.node.items.is_empty();
                let problem = "takes no arguments and has no fields";
                if plain { Ok(()) } else { Err(InvalidInput::new(problem).within("__typename")) }
            }
            Selection::Field(field) => {
                let fields = self.registry.types.get(parent);
                let Some(meta) = fields.and_then(|of| of.field_by_name(&field.node.name.node)) else {
                    return Ok(());
                };
                for (name, value) in &field.node.arguments {
                    let Some(argument) = meta.args.get(name.node.as_str()) else { continue };
                    let variable =
                        |name| Ok::<_, Infallible>(Value::Enum(Name::new(format!("{VARIABLE}{name}"))));
                    let Ok(value) = value.node.clone().into_const_with(variable);
                    self.value(&argument.ty, &value).map_err(|invalid| invalid.within(&name.node))?;
                }
                self.selection(MetaTypeName::concrete_typename(&meta.ty), &field.node.selection_set.node)
            }
            Selection::InlineFragment(fragment) => {
                let on = fragment.node.type_condition.as_ref();
                let on = on.map_or(parent, |condition| condition.node.on.node.as_str());
                self.selection(on, &fragment.node.selection_set.node)
            }
            Selection::FragmentSpread(_) => Ok(()),
        })
    }

    fn value(&self, ty: &str, value: &Value) -> Checked {
        match (MetaTypeName::create(ty), value) {
            (_, Value::Enum(name)) if name.starts_with(VARIABLE) => self.variable(ty, name),
            (MetaTypeName::NonNull(_), Value::Null) => Err(InvalidInput::new("must not be null")),
            (_, Value::Null) => Ok(()),
            (MetaTypeName::NonNull(ty), value) => self.value(ty, value),
            (MetaTypeName::List(ty), Value::List(items)) => {
                items.iter().enumerate().try_for_each(|(index, item)| {
                    self.value(ty, item).map_err(|invalid| invalid.within(&index.to_string()))
                })
            }
            (MetaTypeName::List(ty), value) => self.value(ty, value),
            (MetaTypeName::Named(name), value) => self.named(name, value),
        }
    }

    /// Checks that a variable may be used where a value of this type is expected, in each operation that defines it
    /// (section 5.8.5).
    fn variable(&self, position: &str, name: &str) -> Checked {
        let operations = self.document.iter().flat_map(|document| document.operations.iter());
        let mut definitions = operations
            .flat_map(|(_, operation)| &operation.node.variable_definitions)
            .map(|definition| &definition.node)
            .filter(|definition| name.strip_prefix(VARIABLE) == Some(definition.name.node.as_str()));
        let unfit = definitions.find(|definition| {
            let ty = definition.var_type.node.to_string();
            let default = definition.default_value.as_ref().is_some_and(|value| value.node != Value::Null);
            let expected = if default { position.strip_suffix('!').unwrap_or(position) } else { position };
            !accepts(expected, &ty)
        });
        unfit.map_or(Ok(()), |definition| {
            Err(InvalidInput::new(format!(
                "has the type {position}, but the variable {name} has the type {}",
                definition.var_type.node
            )))
        })
    }

    fn named(&self, name: &str, value: &Value) -> Checked {
        let other = || Err(InvalidInput::new(format!("is not a valid {name}")));
        match (self.registry.types.get(name), value) {
            (Some(MetaType::Scalar { .. }), Value::Number(number)) if name == "Int" => {
                match number.as_i64() {
                    Some(number) if i32::try_from(number).is_ok() => Ok(()),
                    _ => Err(InvalidInput::new("is not a valid Int: a whole number of 32 bits")),
                }
            }
            (Some(MetaType::Scalar { is_valid: Some(is_valid), .. }), value) if !is_valid(value) => other(),
            (Some(MetaType::Enum { enum_values, .. }), Value::Enum(value))
                if enum_values.contains_key(value.as_str()) =>
            {
                Ok(())
            }
            (Some(MetaType::Enum { enum_values, .. }), Value::String(value))
                if self.document.is_none() && enum_values.contains_key(value) =>
            {
                Ok(())
            }
            (Some(MetaType::Enum { .. }), _) => other(),
            (Some(MetaType::InputObject { input_fields, oneof, .. }), Value::Object(fields)) => {
                if *oneof && (fields.len() != 1 || fields.values().any(|value| *value == Value::Null)) {
                    return Err(InvalidInput::new("must have exactly one field, which must not be null"));
                }
                self.fields(input_fields, fields)
            }
            (Some(MetaType::InputObject { .. }), _) => Err(InvalidInput::new("is not an object")),
            _ => Ok(()),
        }
    }

    fn fields(&self, declared: &IndexMap<String, MetaInputValue>, given: &IndexMap<Name, Value>) -> Checked {
        for field in declared.values() {
            let checked = match given.get(field.name.as_str()) {
                Some(value) => self.value(&field.ty, value),
                None if field.ty.ends_with('!') && field.default_value.is_none() => {
                    Err(InvalidInput::new("is missing"))
                }
                None => Ok(()),
            };
            checked.map_err(|invalid| invalid.within(&field.name))?;
        }
        let mut unknown = given.keys().filter(|name| !declared.contains_key(name.as_str()));
        unknown
            .next()
            .map_or(Ok(()), |name| Err(InvalidInput::new("is not a field of this input").within(name)))
    }
}

/// Whether a position of one type accepts a variable of another (AreTypesCompatible in section 5.8.5).
fn accepts(position: &str, variable: &str) -> bool {
    match (MetaTypeName::create(position), MetaTypeName::create(variable)) {
        (MetaTypeName::NonNull(position), MetaTypeName::NonNull(variable)) => accepts(position, variable),
        (MetaTypeName::NonNull(_), _) => false,
        (_, MetaTypeName::NonNull(variable)) => accepts(position, variable),
        (MetaTypeName::List(position), MetaTypeName::List(variable)) => accepts(position, variable),
        (MetaTypeName::Named(position), MetaTypeName::Named(variable)) => position == variable,
        (MetaTypeName::List(_), MetaTypeName::Named(_)) | (MetaTypeName::Named(_), MetaTypeName::List(_)) => {
            false
        }
    }
}

impl InvalidInput {
    fn new(problem: impl Into<String>) -> Self {
        Self { path: Vec::new(), problem: problem.into() }
    }

    fn within(mut self, name: &str) -> Self {
        self.path.insert(0, name.to_owned());
        self
    }

    fn into_error(self) -> ServerError {
        let message = format!("`{}` {}.", self.path.join("."), self.problem);
        request_error(message, code::GRAPHQL_VALIDATION_FAILED)
    }
}
