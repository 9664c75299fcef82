//! Whether every input fits its type, told before anything runs. The library's validation leaves some of it to the
//! resolvers, and then an earlier mutation of the same request has happened already. Literals are looked at once for a
//! document, variables at each request.

use std::convert::Infallible;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaInputValue, MetaType, MetaTypeName, Registry};
use async_graphql::{Name, ServerError, Value, Variables};

use super::error::{code, request_error};

/// Begins what stands in literals for a variable, whose value is looked at by itself. No document has it: it is no name.
const VARIABLE: char = '$';

/// An input that does not fit, and why.
struct Misfit {
    path: Vec<String>,
    problem: String,
}

type Fit = Result<(), Misfit>;

/// Refuses variables that are missing or do not fit what the operation declares. Defaults must be filled in.
pub(super) fn check_variables(
    registry: &Registry,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in operation.variable_definitions.iter().map(|definition| &definition.node) {
        let (name, ty) = (&definition.name.node, definition.var_type.node.to_string());
        let fit = match variables.get(name) {
            None if definition.var_type.node.nullable => Ok(()),
            None => Err(Misfit::new("is missing")),
            Some(value) => Inputs { registry, document: None }.value(&ty, value),
        };
        fit.map_err(|misfit| misfit.within(&format!("${name}")).into_error())?;
    }
    Ok(())
}

/// Refuses literals that do not fit, and variables of types that do not exist or are no inputs (the library's validation
/// takes their existence for granted).
pub(super) fn check_literals(registry: &Registry, document: &ExecutableDocument) -> Result<(), ServerError> {
    let operations = || document.operations.iter().map(|(_, operation)| operation);
    for definition in operations().flat_map(|operation| &operation.node.variable_definitions) {
        let ty = definition.node.var_type.node.to_string();
        if !registry.types.get(MetaTypeName::concrete_typename(&ty)).is_some_and(MetaType::is_input) {
            let message = format!(
                "The type of the variable ${} is no input type of the schema.",
                definition.node.name.node
            );
            let mut error = request_error(message, code::GRAPHQL_VALIDATION_FAILED);
            error.locations = vec![definition.pos];
            return Err(error);
        }
    }
    let inputs = Inputs { registry, document: Some(document) };
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
    sets.try_for_each(|(parent, set)| inputs.selection(parent, set)).map_err(Misfit::into_error)
}

struct Inputs<'a> {
    registry: &'a Registry,
    /// The document that values stand in. There enum values are names, and variables have types; in the variables of a
    /// request enum values are text.
    document: Option<&'a ExecutableDocument>,
}

impl Inputs<'_> {
    fn selection(&self, parent: &str, set: &SelectionSet) -> Fit {
        set.items.iter().try_for_each(|item| match &item.node {
            Selection::Field(field) if field.node.name.node == "__typename" => {
                let plain = field.node.arguments.is_empty() && field.node.selection_set.node.items.is_empty();
                let problem = "takes no arguments and has no fields";
                if plain { Ok(()) } else { Err(Misfit::new(problem).within("__typename")) }
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
                    self.value(&argument.ty, &value).map_err(|misfit| misfit.within(&name.node))?;
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

    fn value(&self, ty: &str, value: &Value) -> Fit {
        match (MetaTypeName::create(ty), value) {
            (_, Value::Enum(name)) if name.starts_with(VARIABLE) => self.variable(ty, name),
            (MetaTypeName::NonNull(_), Value::Null) => Err(Misfit::new("is null, and must not be")),
            (_, Value::Null) => Ok(()),
            (MetaTypeName::NonNull(ty), value) => self.value(ty, value),
            (MetaTypeName::List(ty), Value::List(items)) => {
                items.iter().enumerate().try_for_each(|(index, item)| {
                    self.value(ty, item).map_err(|misfit| misfit.within(&index.to_string()))
                })
            }
            (MetaTypeName::List(ty), value) => self.value(ty, value),
            (MetaTypeName::Named(name), value) => self.named(name, value),
        }
    }

    /// Whether a variable may stand where a value of this type is expected (GraphQL, section 5.8.5), in each operation
    /// that has it.
    fn variable(&self, position: &str, name: &str) -> Fit {
        let operations = self.document.iter().flat_map(|document| document.operations.iter());
        let mut definitions = operations
            .flat_map(|(_, operation)| &operation.node.variable_definitions)
            .map(|definition| &definition.node)
            .filter(|definition| name.strip_prefix(VARIABLE) == Some(definition.name.node.as_str()));
        let misfit = definitions.find(|definition| {
            let ty = definition.var_type.node.to_string();
            let default = definition.default_value.as_ref().is_some_and(|value| value.node != Value::Null);
            let expected = if default { position.strip_suffix('!').unwrap_or(position) } else { position };
            !accepts(expected, &ty)
        });
        misfit.map_or(Ok(()), |definition| {
            Err(Misfit::new(format!(
                "is of the type {position}, and {name} of the type {}",
                definition.var_type.node
            )))
        })
    }

    fn named(&self, name: &str, value: &Value) -> Fit {
        let other = || Err(Misfit::new(format!("is no {name}")));
        match (self.registry.types.get(name), value) {
            (Some(MetaType::Scalar { .. }), Value::Number(number)) if name == "Int" => {
                match number.as_i64() {
                    Some(number) if i32::try_from(number).is_ok() => Ok(()),
                    _ => Err(Misfit::new("is no Int, a whole number of 32 bits")),
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
                    return Err(Misfit::new("has exactly one field, which is not null"));
                }
                self.fields(input_fields, fields)
            }
            (Some(MetaType::InputObject { .. }), _) => Err(Misfit::new("is no object")),
            _ => Ok(()),
        }
    }

    fn fields(&self, declared: &IndexMap<String, MetaInputValue>, given: &IndexMap<Name, Value>) -> Fit {
        for field in declared.values() {
            let fit = match given.get(field.name.as_str()) {
                Some(value) => self.value(&field.ty, value),
                None if field.ty.ends_with('!') && field.default_value.is_none() => {
                    Err(Misfit::new("is missing"))
                }
                None => Ok(()),
            };
            fit.map_err(|misfit| misfit.within(&field.name))?;
        }
        let mut unknown = given.keys().filter(|name| !declared.contains_key(name.as_str()));
        unknown.next().map_or(Ok(()), |name| Err(Misfit::new("does not exist").within(name)))
    }
}

/// Whether a place of one type takes a variable of another.
fn accepts(place: &str, variable: &str) -> bool {
    match (MetaTypeName::create(place), MetaTypeName::create(variable)) {
        (MetaTypeName::NonNull(place), MetaTypeName::NonNull(variable)) => accepts(place, variable),
        (MetaTypeName::NonNull(_), _) => false,
        (_, MetaTypeName::NonNull(variable)) => accepts(place, variable),
        (MetaTypeName::List(place), MetaTypeName::List(variable)) => accepts(place, variable),
        (MetaTypeName::Named(place), MetaTypeName::Named(variable)) => place == variable,
        (MetaTypeName::List(_), MetaTypeName::Named(_)) | (MetaTypeName::Named(_), MetaTypeName::List(_)) => {
            false
        }
    }
}

impl Misfit {
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
