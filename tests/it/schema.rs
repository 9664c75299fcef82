//! What is generated and checked in equals what the library generates; and the schema explains itself.

use std::path::Path;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition};
use latchkey::graphql::Schema;

#[test]
fn the_checked_in_schema_is_what_the_server_prints() {
    same("schema.graphql", Schema::build().sdl());
}

#[test]
fn the_page_of_errors_is_what_the_server_answers() {
    same("docs/errors.md", &latchkey::http::outcomes::reference());
}

#[test]
fn the_page_of_settings_is_what_the_server_reads() {
    same("docs/configuration.md", &latchkey::config::reference());
}

#[test]
fn everything_in_the_schema_has_a_description() {
    assert_eq!(
        undescribed(Schema::build().sdl()),
        Vec::<String>::new(),
        "write a sentence for each of these"
    );
}

#[test]
fn a_missing_description_is_noticed_wherever_it_is() {
    let sdl = r#"
        type A { a(b: Int): Int }
        "x" input I { c: Int }
        "x" enum E { D }
        "x" interface N { "x" id("x" e: Int): ID }
        scalar S
        union U = A
    "#;
    let missing = ["type A", "A.a", "A.a(b)", "I.c", "E.D", "type S", "type U"];
    assert_eq!(undescribed(sdl), missing);
}

#[test]
fn scalars_say_what_they_are() {
    let schema = Schema::build();
    let sdl = schema.sdl();
    let scalars: Vec<&str> = sdl.lines().filter(|line| line.starts_with("scalar ")).collect();
    assert!(
        !scalars.is_empty() && scalars.iter().all(|line| line.contains("@specifiedBy(url:")),
        "{scalars:#?}"
    );
}

/// A checked-in file is what is generated.
#[track_caller]
pub fn same(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let kept = std::fs::read_to_string(path).unwrap();
    let difference = kept.lines().zip(generated.lines()).enumerate().find(|(_, (kept, new))| kept != new);
    assert!(kept == generated, "{file} is stale: run `make generate`. The first difference: {difference:?}");
}

/// Whatever has no description, as `Type.field(argument)`.
fn undescribed(sdl: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for definition in parse_schema(sdl).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let (definition, name) = (&definition.node, &definition.node.name.node);
        if definition.description.is_none() {
            missing.push(format!("type {name}"));
        }
        match &definition.kind {
            TypeKind::Object(object) => {
                object.fields.iter().for_each(|field| of_field(name, &field.node, &mut missing));
            }
            TypeKind::Interface(interface) => {
                interface.fields.iter().for_each(|field| of_field(name, &field.node, &mut missing));
            }
            TypeKind::InputObject(input) => {
                missing.extend(
                    input
                        .fields
                        .iter()
                        .filter_map(|field| of_input(&field.node, |field| format!("{name}.{field}"))),
                );
            }
            TypeKind::Enum(values) => {
                let silent = values.values.iter().filter(|value| value.node.description.is_none());
                missing.extend(silent.map(|value| format!("{name}.{}", value.node.value.node)));
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    missing
}

fn of_field(parent: &str, field: &FieldDefinition, missing: &mut Vec<String>) {
    let path = format!("{parent}.{}", field.name.node);
    if field.description.is_none() {
        missing.push(path.clone());
    }
    missing.extend(
        field
            .arguments
            .iter()
            .filter_map(|argument| of_input(&argument.node, |name| format!("{path}({name})"))),
    );
}

fn of_input(value: &InputValueDefinition, path: impl Fn(&str) -> String) -> Option<String> {
    value.description.is_none().then(|| path(&value.name.node))
}
