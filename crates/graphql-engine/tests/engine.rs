//! The engine from outside, on a small schema: where async-graphql alone departs from the specification, and in which order
//! a request is refused, charged and run.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod subject;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use graphql_engine::{Executed, Request, code};
use serde_json::{Value, json};

use subject::{Recorder, Recording};

async fn run(recorder: &Arc<Recorder>, text: &str, variables: Value) -> Executed {
    let Value::Object(variables) = variables else { panic!("variables are an object") };
    let request = Request { document: text.into(), operation_name: None, variables };
    subject::engine().execute(Arc::new(Recording(Arc::clone(recorder))), request).await
}

async fn body(text: &str, variables: Value) -> String {
    run(&Arc::default(), text, variables).await.body
}

/// The code and the message of a request that is not executed, and not charged either.
async fn refusal(text: &str, variables: Value) -> String {
    let recorder = Arc::new(Recorder::default());
    let executed = run(&recorder, text, variables).await;
    let body: Value = serde_json::from_str(&executed.body).unwrap();
    assert!(body.get("data").is_none(), "{body}");
    assert_eq!(recorder.charged(), None);
    let message = body["errors"][0]["message"].as_str().unwrap();
    format!("{}: {message}", executed.refused.unwrap())
}

#[tokio::test]
async fn fields_with_one_key_run_once_and_their_selections_merge() {
    let text = "mutation { count { calls } ...F } fragment F on Mutation { count { again: calls } }";
    assert_eq!(body(text, json!({})).await, r#"{"data":{"count":{"calls":1,"again":1}}}"#);
}

#[tokio::test]
async fn keys_come_in_the_order_of_the_selection() {
    let text = "{ slow fast last: slow }";
    assert_eq!(body(text, json!({})).await, r#"{"data":{"slow":1,"fast":2,"last":1}}"#);
}

#[tokio::test]
async fn fragments_apply_by_the_type_of_the_object_and_common_fields_are_charged_once() {
    let text = "{ animals { ... on Purring { ... on Cat { lives } } name ... on Dog { name tricks } } }";
    let animals = r#"[{"lives":9,"name":"Tom"},{"name":"Rex","tricks":["sit"]}]"#;
    assert_eq!(body(text, json!({})).await, format!(r#"{{"data":{{"animals":{animals}}}}}"#));
    let mut charged = Vec::new();
    for text in ["{ animals { name } }", "{ animals { name ...F } } fragment F on Animal { name }"] {
        let recorder = Arc::default();
        run(&recorder, text, json!({})).await;
        charged.push(recorder.charged());
    }
    assert_eq!(charged[0], charged[1]);
    assert!(charged[0].is_some());
}

#[tokio::test]
async fn an_object_of_which_everything_is_skipped_is_empty_and_defaults_count() {
    let text = "query($x: Boolean! = true) { animals { name @skip(if: $x) } fast @include(if: $x) }";
    assert_eq!(body(text, json!({})).await, r#"{"data":{"animals":[{},{}],"fast":2}}"#);
    let text = "query($x: Boolean! = true) { fast __typename @skip(if: $x) }";
    assert_eq!(body(text, json!({})).await, r#"{"data":{"fast":2}}"#);
}

#[tokio::test]
async fn a_null_propagates_to_where_it_is_allowed_and_no_error_is_lost() {
    let executed = run(&Arc::default(), "{ broken { required optional } fast }", json!({})).await;
    let body: Value = serde_json::from_str(&executed.body).unwrap();
    assert_eq!(body["data"], json!({ "broken": null, "fast": 2 }));
    assert_eq!(executed.refused, None);
    let errors = body["errors"].as_array().unwrap();
    let mut paths: Vec<String> = errors.iter().map(|error| error["path"].to_string()).collect();
    paths.sort();
    assert_eq!(paths, [r#"["broken","optional"]"#, r#"["broken","required"]"#]);
    assert_eq!(errors[0]["extensions"], json!({ "code": "BAD_USER_INPUT", "requestId": "r" }));
}

#[tokio::test]
async fn the_hooks_are_called_in_order_and_each_may_end_the_request() {
    let text = "mutation Counting { count { calls } }";
    let refusing =
        |admit, charge| Recorder { refuse_mutations: admit, refuse_charges: charge, ..<_>::default() };
    for (recorder, called, calls) in [
        (refusing(false, false), "admit, attach, charge 2, use Counting", 1),
        (refusing(true, false), "admit, complete", 0),
        (refusing(false, true), "admit, attach, charge 2, complete", 0),
    ] {
        let recorder = Arc::new(recorder);
        run(&recorder, text, json!({})).await;
        assert_eq!(recorder.called.lock().unwrap().join(", "), called);
        assert_eq!(recorder.calls.load(Ordering::SeqCst), calls);
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused_before_it_is_charged() {
    let nested = |levels: usize| format!("{{ {} end {}", "deep {".repeat(levels), "}".repeat(levels + 1));
    let add = "addCat(cat: { name: \"\" }) { name }";
    for (text, told) in [
        (nested(12), "The operation is 13 levels deep; at most 12 are allowed."),
        (
            "{ many(n: 10001) { name } }".to_owned(),
            "The operation costs 10001 points; at most 10000 are allowed.",
        ),
        (
            format!("mutation {{ a: {add} {add} }}"),
            "A request may have only one of these fields, once: addCat.",
        ),
        (
            format!("{{ {} }}", "fast ".repeat(11)),
            "The operation has too many root fields; at most 10 are allowed.",
        ),
        (format!("{{{}}}", " a".repeat(5_000)), "The document is too long: at most 5000 tokens are allowed."),
    ] {
        let told = format!("{}: {told}", code::COST_LIMIT_EXCEEDED);
        assert_eq!(refusal(&text, json!({})).await, told);
    }
    assert!(!body(&nested(11), json!({})).await.contains("errors"));
}

#[tokio::test]
async fn inputs_that_do_not_have_their_type_are_refused_before_anything_runs() {
    let text = "mutation($cat: NewCat!) { count { calls } addCat(cat: $cat) { name } }";
    for (variables, told) in [
        (json!({}), "`$cat` is missing."),
        (json!({ "cat": null }), "`$cat` must not be null."),
        (json!({ "cat": "Tom" }), "`$cat` is not an object."),
        (json!({ "cat": { "name": 1 } }), "`$cat.name` is not a valid String."),
        (json!({ "cat": { "name": "", "age": 1 } }), "`$cat.age` is not a field of this input."),
        (
            json!({ "cat": { "name": "", "lives": 1_u64 << 40 } }),
            "`$cat.lives` is not a valid Int: a whole number of 32 bits.",
        ),
    ] {
        let told = format!("{}: {told}", code::GRAPHQL_VALIDATION_FAILED);
        assert_eq!(refusal(text, variables).await, told);
    }
    let text = "query($n: String) { many(n: $n) { name } }";
    let told = "`n` has the type Int!, but the variable $n has the type String.";
    assert_eq!(refusal(text, json!({})).await, format!("{}: {told}", code::GRAPHQL_VALIDATION_FAILED));
}
