//! What no code of ours answers to.

use super::*;

#[tokio::test]
async fn a_variable_left_out_is_null_in_an_input_object() {
    let answer = ask("query ($note: String) { change(change: { number: 1, note: $note }) }").await;
    assert_eq!(answer.data, r#"{change: "1 Null"}"#);
    assert_eq!(ask("{ change(change: { number: 1 }) }").await.data, r#"{change: "1 Undefined"}"#);
}

#[tokio::test]
async fn a_variable_left_out_hides_the_default_of_an_argument() {
    let answer = ask("query ($number: Int) { withDefault(number: $number) }").await;
    assert_eq!(answer.data, "{withDefault: null}");
}

#[tokio::test]
async fn fields_that_conflict_below_others_or_in_fragments_are_accepted() {
    for document in [
        "{ thing { x: id } thing { x: name } }",
        "{ thing { x: id ... on Thing { x: name } } }",
        "{ thing { x: id ...Named } } fragment Named on Thing { x: name }",
    ] {
        assert_eq!(ask(document).await.data, "{thing: {x: 0}}", "{document}");
    }
}

#[tokio::test]
async fn an_input_field_may_be_given_twice() {
    let answer = ask("{ change(change: { number: 1, number: 2 }) }").await;
    assert_eq!(answer.data, r#"{change: "2 Undefined"}"#);
}

#[tokio::test]
async fn text_that_the_grammar_allows_is_not_parsed() {
    for document in [
        r#"{ text(text: "\ud83d\ude80") }"#,
        r#"{ text(text: "\u{1F680}") }"#,
        "query ($n: [ Int! ]!) { numbers(numbers: $n) }",
        "{ thing { ... on # a comment\nThing { id } } }",
    ] {
        let answer = ask_with(document, value!({ "n": [1] })).await;
        assert_eq!((answer.data.as_str(), answer.errors.is_empty()), ("null", false), "{document}");
    }
}

#[tokio::test]
async fn text_is_read_otherwise_than_the_grammar_says() {
    let quoted = r#"{ text(text: """\"""""") }"#;
    assert_eq!(ask(quoted).await.data, r#"{text: "\\\"\"\""}"#);
    assert_eq!(ask("{ numbers(numbers: [007]) }").await.data, "{numbers: [0, 0, 7]}");
}
