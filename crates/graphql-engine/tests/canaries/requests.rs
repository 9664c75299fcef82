//! Fields, fragments, variables and `__typename`.

use super::*;

// Fields and fragments: `normal.rs` writes them out.

/// `Normaliser::selection` and `collect` merge them.
#[tokio::test]
async fn a_field_under_one_key_twice_is_executed_twice() {
    let answer = ask("{ thing { id } thing { name } }").await;
    assert_eq!((answer.data.as_str(), answer.ran.len()), (r#"{thing: {id: 0, name: "thing"}}"#, 2));
    let answer = ask("mutation { first { id } first { name } }").await;
    assert_eq!((answer.data.as_str(), answer.ran.len()), (r#"{first: {id: 1, name: "thing"}}"#, 2));
}

/// As above.
#[tokio::test]
async fn of_two_fields_under_one_key_the_null_of_the_second_is_lost() {
    assert_eq!(ask("{ maybeThing { id } maybeThing { fails } }").await.data, "{maybeThing: {id: 0}}");
    assert_eq!(ask("{ maybeThing { fails } maybeThing { id } }").await.data, "{maybeThing: null}");
}

/// `Normaliser::collect` asks `is_possible_type`.
#[tokio::test]
async fn a_fragment_on_a_union_is_not_applied_to_an_object_reached_through_another_type() {
    let set = "{ id ... on Any { ... on Thing { name } } }";
    let through_union = ask(&format!("{{ any {{ ... on Thing {set} }} }}")).await;
    assert_eq!(through_union.data, "{any: {id: 0}}");
    assert_eq!(ask(&format!("{{ thing {set} }}")).await.data, "{thing: {id: 0}}");
    let any = ask("{ any { ... on Any { ... on Thing { name } } } }").await;
    assert_eq!(any.data, r#"{any: {name: "thing"}}"#, "it is applied where the union stands itself");
}

/// `hidden_typename` keeps a selection from being empty, in `Normaliser::object` and `abstract_type`.
#[tokio::test]
async fn an_object_of_which_nothing_is_selected_is_null() {
    assert_eq!(ask("{ thing { id @skip(if: true) } }").await.data, "{thing: null}");
    assert_eq!(ask("{ any(other: true) { ... on Thing { id } } }").await.data, "{any: null}");
}

// Variables: `document.rs` fills in defaults, `inputs.rs` looks at the values.

/// `Operation::with_defaults`.
#[tokio::test]
async fn the_default_of_a_variable_is_forgotten_in_skip_and_include() {
    let skip = "query ($yes: Boolean! = true) { thing { id name @skip(if: $yes) } }";
    assert_eq!(ask(skip).await.data, r#"{thing: {id: 0, name: "thing"}}"#);
    let include = "query ($yes: Boolean! = true) { thing { id name @include(if: $yes) } }";
    assert_eq!(ask(include).await.data, "{thing: {id: 0}}");
}

/// `check_variables`.
#[tokio::test]
async fn a_required_variable_that_is_missing_is_false_in_skip() {
    let answer = ask("query ($yes: Boolean!) { thing { id @skip(if: $yes) } }").await;
    assert_eq!((answer.data.as_str(), answer.errors.len()), ("{thing: {id: 0}}", 0));
}

/// The check of variable definitions in `check_literals`.
#[tokio::test]
async fn a_default_for_a_list_of_an_unknown_type_panics() {
    let asked = tokio::spawn(ask("query ($ids: [Unknown] = [1]) { numbers(numbers: $ids) }"));
    assert!(asked.await.is_err_and(|error| error.is_panic()));
}

/// `check_literals` and `check_variables`, as far as `InputChecker::named` looks at numbers and at objects.
#[tokio::test]
async fn inputs_that_do_not_fit_are_found_after_an_earlier_mutation_has_run() {
    for (document, variables) in [
        ("mutation { first { id } number(number: 3000000000) }", value!({})),
        ("mutation ($n: Int!) { first { id } number(number: $n) }", value!({ "n": 3_000_000_000_i64 })),
        ("mutation ($n: Int!) { first { id } number(number: $n) }", value!({})),
        ("mutation { first { id } change(change: 5) }", value!({})),
        ("mutation ($to: Change!) { first { id } change(change: $to) }", value!({ "to": "text" })),
        (
            "mutation ($n: Int!, $t: String) { first { id } change(change: { number: $n, note: $t }) }",
            value!({ "n": "text" }),
        ),
    ] {
        let answer = ask_with(document, variables).await;
        assert_eq!(
            (answer.ran.as_slice(), answer.errors.len()),
            (["first".to_owned()].as_slice(), 1),
            "{document}"
        );
    }
}

/// `InputChecker::variable` and `accepts`.
#[tokio::test]
async fn whether_a_variable_may_stand_in_its_place_is_not_checked() {
    for document in [
        "mutation ($n: Int) { first { id } number(number: $n) }",
        "mutation ($n: Int = null) { first { id } number(number: $n) }",
    ] {
        let answer = ask(document).await;
        assert_eq!((answer.ran.len(), answer.errors.len()), (1, 1), "{document}");
    }
    let answer = ask_with("query ($n: Int!) { numbers(numbers: $n) }", value!({ "n": 1 })).await;
    assert_eq!(answer.data, "{numbers: [1]}");
}

/// The enum values in `InputChecker::named`, which differ between documents and variables.
#[tokio::test]
async fn text_is_taken_for_an_enum_value_in_a_document() {
    assert_eq!(ask(r#"mutation { colour(colour: "RED") }"#).await.data, "{colour: RED}");
}

// `__typename`: `wrap_typenames_with_directives` in `document.rs`, and `InputChecker::selection`.

/// `wrap_typenames_with_directives`.
#[tokio::test]
async fn directives_of_typename_are_not_validated() {
    let variables = value!({ "yes": true });
    let answer =
        ask_with("query ($yes: Boolean!) { thing { id __typename @skip(if: $yes) } }", variables).await;
    assert_eq!(answer.errors, [r#"Variable "$yes" is not used []"#]);
    assert!(ask("{ thing { id __typename @skip(if: $unknown) } }").await.errors.is_empty());
    assert!(ask("{ thing { __typename @unknown } }").await.errors.is_empty());
}

/// `InputChecker::selection`.
#[tokio::test]
async fn typename_may_have_arguments_and_fields() {
    for document in ["{ thing { __typename(a: 1) } }", "{ thing { __typename { id } } }"] {
        assert_eq!(ask(document).await.data, r#"{thing: {__typename: "Thing"}}"#);
    }
}
