//! The check, checked: answers that are wrong in one way each.

use super::answers::{Got, Question, check};
use super::documents::Operation;
use super::schema::Model;

const SDL: &str = "
    type Query { thing: Thing must: Thing! any: Any }
    type Mutation { make: Made }
    type Made { thing: Thing clientSecret: String name: String userErrors: [Mistake!]! }
    type Mistake { code: String! }
    type Thing { id: ID! size: Int! colour: Colour tags: [String!]! at: DateTime many: Long self: Thing! }
    type Other { id: ID! size: String! }
    union Any = Thing | Other
    enum Colour { RED BLUE }
    scalar DateTime
    scalar Long
";

/// What the check says of an answer to a document; nothing when it is content.
fn complaint(document: &str, status: u16, body: &str) -> Option<String> {
    let model = Model::read(SDL);
    let operation = Operation::read(document, None, &serde_json::Map::new()).unwrap();
    let content_type = "application/json; charset=utf-8".to_owned();
    let got = Got { status, content_type, text: body.to_owned() };
    check(&Question { model: &model, operation: Some(&operation), valid: true, accepted: None }, &got).err()
}

fn of_data(document: &str, data: &str) -> Option<String> {
    complaint(document, 200, &format!("{{\"data\":{data}}}"))
}

fn error(rest: &str) -> String {
    format!(r#"{{"message":"No.","extensions":{{"code":"FORBIDDEN"}}{rest}}}"#)
}

#[test]
fn right_answers_pass() {
    for (document, data) in [
        ("{ thing { id } }", r#"{"thing":null}"#),
        ("{ thing { size id } }", r#"{"thing":{"size":-2147483648,"id":"a"}}"#),
        ("{ thing { colour tags } }", r#"{"thing":{"colour":"RED","tags":["a"]}}"#),
        (
            "{ thing { at many } }",
            r#"{"thing":{"at":"2026-11-21T09:00:00.000Z","many":9223372036854775807}}"#,
        ),
        (
            "{ any { __typename ... on Thing { id } ... on Other { size } } }",
            r#"{"any":{"__typename":"Other","size":""}}"#,
        ),
        ("{ any { ... on Thing { tags } } }", r#"{"any":{}}"#),
        (
            "{ thing { self { id } ...F } } fragment F on Thing { self { size } }",
            r#"{"thing":{"self":{"id":"a","size":1}}}"#,
        ),
        ("{ thing @skip(if: true) { id } a: thing @include(if: true) { id } }", r#"{"a":null}"#),
    ] {
        assert_eq!(of_data(document, data), None, "{document}");
    }
    let answer = format!(r#"{{"data":{{"thing":null}},"errors":[{}]}}"#, error(r#","path":["thing"]"#));
    assert_eq!(complaint("{ thing { id } }", 200, &answer), None);
}

#[test]
fn data_that_does_not_fit_is_noticed() {
    for (document, data, expected) in [
        ("{ must { id } }", r#"{"must":null}"#, "data.must is null, and its type is Thing!"),
        ("{ thing { id } }", r#"{"thing":{"id":null}}"#, "data.thing.id is null, and its type is ID!"),
        ("{ thing { id size } }", r#"{"thing":{"id":"a"}}"#, "the keys of data.thing"),
        ("{ thing { id size } }", r#"{"thing":{"size":1,"id":"a"}}"#, "the keys of data.thing"),
        ("{ thing { id } }", r#"{"thing":{"id":"a","size":1}}"#, "the keys of data.thing"),
        ("{ thing { id } }", r#"{"thing":{"id":"a","id":"a"}}"#, "the key id is there twice"),
        ("{ thing { id } }", r#"{"thing":[]}"#, "data.thing is no object"),
        ("{ thing { colour } }", r#"{"thing":{"colour":"GREEN"}}"#, "data.thing.colour is Text(\"GREEN\")"),
        ("{ thing { size } }", r#"{"thing":{"size":2147483648}}"#, "data.thing.size is Int(2147483648)"),
        ("{ thing { size } }", r#"{"thing":{"size":"1"}}"#, "data.thing.size is Text(\"1\")"),
        ("{ thing { id } }", r#"{"thing":{"id":1}}"#, "data.thing.id is Int(1)"),
        ("{ thing { many } }", r#"{"thing":{"many":1.5}}"#, "data.thing.many is Float(1.5)"),
        ("{ thing { at } }", r#"{"thing":{"at":"2026-11-21"}}"#, "data.thing.at is Text(\"2026-11-21\")"),
        ("{ thing { tags } }", r#"{"thing":{"tags":"a"}}"#, "data.thing.tags is no list"),
        ("{ thing { tags } }", r#"{"thing":{"tags":["a",null]}}"#, "data.thing.tags.1 is null"),
        ("{ thing { __typename } }", r#"{"thing":{"__typename":"Other"}}"#, "data.thing.__typename is Text"),
        ("{ any { __typename } }", r#"{"any":{"__typename":"Query"}}"#, "data.any.__typename is Text"),
        (
            "{ any { __typename ... on Thing { size } } }",
            r#"{"any":{"__typename":"Other","size":1}}"#,
            "the keys of",
        ),
        ("{ thing @skip(if: true) { id } }", r#"{"thing":null}"#, "the keys of data"),
        ("{ thing { id } }", "null", "`data` is null without an error"),
    ] {
        let complaint = of_data(document, data).unwrap_or_default();
        assert!(complaint.contains(expected), "{document} with {data}: {complaint}");
    }
}

#[test]
fn an_envelope_that_is_none_is_noticed() {
    let foreign = error("").replace("FORBIDDEN", "SOMETHING");
    for (status, body, expected) in [
        (500, r#"{"data":{"thing":null}}"#.to_owned(), "the status is 500"),
        (400, r#"{"data":{"thing":null}}"#.to_owned(), "the status is 400 with `data`"),
        (200, "[]".to_owned(), "the body is no object"),
        (200, "{".to_owned(), "the body is no JSON"),
        (200, "{}".to_owned(), "there is neither"),
        (200, r#"{"data":{"thing":null},"errors":[]}"#.to_owned(), "`errors` has no error"),
        (200, r#"{"data":{"thing":null},"more":1}"#.to_owned(), "the body has the key"),
        (200, format!(r#"{{"errors":[{foreign}]}}"#), "the code is SOMETHING"),
        (
            200,
            format!(r#"{{"errors":[{}]}}"#, error("").replace("FORBIDDEN", "INTERNAL")),
            "the code is INTERNAL",
        ),
        (200, format!(r#"{{"errors":[{}]}}"#, error("").replace("No.", "")), "an error has no message"),
        (200, r#"{"errors":[{"message":"No."}]}"#.to_owned(), "an error has no code"),
        (200, format!(r#"{{"errors":[{}]}}"#, error("")), "a valid operation is refused with FORBIDDEN"),
        (200, format!(r#"{{"errors":[{}]}}"#, error(r#","path":["thing"]"#)), "an error has a path"),
        (200, format!(r#"{{"data":{{"thing":null}},"errors":[{}]}}"#, error("")), "no path"),
        (
            200,
            format!(r#"{{"data":{{"thing":null}},"errors":[{}]}}"#, error(r#","path":["other"]"#)),
            "does not lead",
        ),
        (
            200,
            format!(r#"{{"data":{{"thing":{{"id":"a"}}}},"errors":[{}]}}"#, error(r#","path":["thing"]"#)),
            "does not lead to a null",
        ),
        (200, format!(r#"{{"errors":[{}]}}"#, error(r#","locations":[]"#)), "the locations of an error"),
    ] {
        let complaint = complaint("{ thing { id } }", status, &body).unwrap_or_default();
        assert!(complaint.contains(expected), "{status} {body}: {complaint}");
    }
}

#[test]
fn a_change_that_is_told_and_refused_is_noticed() {
    let document = "mutation { make { thing { id } userErrors { code } } }";
    let data = |thing: &str, errors: &str| format!(r#"{{"make":{{"thing":{thing},"userErrors":{errors}}}}}"#);
    assert_eq!(of_data(document, &data(r#"{"id":"a"}"#, "[]")), None);
    assert_eq!(of_data(document, &data("null", r#"[{"code":"NO"}]"#)), None);
    let both = of_data(document, &data(r#"{"id":"a"}"#, r#"[{"code":"NO"}]"#)).unwrap();
    assert!(both.contains("make has errors, and thing all the same"), "{both}");
}

#[test]
fn another_media_type_than_the_accepted_one_is_noticed() {
    let model = Model::read(SDL);
    let content_type = "application/json; charset=utf-8".to_owned();
    let got = Got { status: 400, content_type, text: format!(r#"{{"errors":[{}]}}"#, error("")) };
    let accepted = |accepted| {
        let question = Question { model: &model, operation: None, valid: false, accepted: Some(accepted) };
        check(&question, &got).is_ok()
    };
    assert!(accepted("application/json"));
    assert!(!accepted("application/graphql-response+json"));
}

#[test]
fn a_secret_in_another_place_is_noticed() {
    let secret = format!("lk_sk_{}", "x".repeat(49));
    let document = "mutation { make { secret: clientSecret name } }";
    let data = |first: &str, second: &str| format!(r#"{{"make":{{"secret":"{first}","name":"{second}"}}}}"#);
    assert_eq!(of_data(document, &data(&secret, "a")), None);
    let misplaced = of_data(document, &data("", &secret)).unwrap();
    assert!(misplaced.contains("does not belong there"), "{misplaced}");
    let leaked = error(r#","path":["make"]"#).replace("No.", &secret);
    let body = format!(r#"{{"data":{{"make":null}},"errors":[{leaked}]}}"#);
    let leaked = complaint(document, 200, &body).unwrap();
    assert!(leaked.contains("1 secrets, 0 of them"), "{leaked}");
}
