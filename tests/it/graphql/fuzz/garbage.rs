//! Spoils requests: documents with a few wrong tokens, variables of the wrong type, bodies and headers of all sorts.

use reqwest::header::HeaderName;
use serde_json::{Map, Value, json};

use super::chance::Chance;
use super::documents::{Input, Operation, Variable};
use super::requests::{Request, parameters};
use super::schema::Model;
use super::values::odd_text;

const TOKENS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "$",
    "$v0",
    "$unknown",
    "!",
    "=",
    ":",
    "@",
    "@skip",
    "@skip(if: null)",
    "@unknown",
    "@include(if: true) @include(if: false)",
    "...",
    "... on Node",
    "... on Int",
    "...F0",
    "&",
    "|",
    "\"",
    "\"\"\"",
    "\\",
    "#",
    "null",
    "true",
    "0",
    "-0",
    "1.5",
    "1e400",
    "2147483648",
    "99999999999999999999",
    "0x1",
    "00",
    "on",
    "fragment",
    "query",
    "mutation",
    "subscription",
    "subscription { a }",
    "__typename",
    "__schema { types { name } }",
    "__type(name: \"Query\") { name fields { name } }",
    "id",
    "nodes { id }",
    "unknown",
    "é",
    "\u{0}",
    "\u{feff}",
    "👾",
    "\"\\u{1F600}\"",
    "\"\\ud83d\"",
    "\"\\x\"",
    "{ a: 1, a: 2 }",
    "ENUM_VALUE",
    "lk",
    "_",
    "__",
    "a: a: a",
    "fragment F0 on Query { ...F0 }",
    "query Asked { __typename }",
];

const BODIES: &[&str] = &[
    "",
    " ",
    "null",
    "1",
    "\"{ viewer { scopes } }\"",
    "[]",
    "{}",
    "[[[[]]]]",
    "{\"query\":null}",
    "{\"query\":1}",
    "{\"query\":\"\"}",
    "{\"query\":\" \"}",
    "{\"query\":\"#\"}",
    "{\"query\":{}}",
    "{\"query\":\"{viewer{scopes}}\"",
    "{\"query\":\"{viewer{scopes}}\"}}",
    "{\"query\":\"{viewer{scopes}}\",\"query\":2}",
    "{'query':'{viewer{scopes}}'}",
    "{\"query\":\"{viewer{scopes}}\",\"variables\":\"{}\"}",
    "{\"query\":\"{viewer{scopes}}\",\"variables\":[[]]}",
    "{\"query\":\"{viewer{scopes}}\",\"variables\":{\"a\":1e999}}",
    "{\"query\":\"{viewer{\\ud800}}\"}",
    "{\"query\":\"{viewer{scopes}}\",\"operationName\":7}",
    "{\"query\":\"{viewer{scopes}}\",\"operationName\":\"x\"}",
    "{\"query\":\"{viewer{scopes}}\",\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"00\"}}}",
    "{\"query\":\"{viewer{scopes}}\",\"variables\":null,\"extensions\":3}",
    "{\"\":{}}",
    "\u{feff}{}",
    "NaN",
    "[{\"query\":\"{viewer{scopes}}\"},{\"query\":\"{viewer{scopes}}\"}]",
    "query=%7Bviewer%7Bscopes%7D%7D",
    "{\"documentId\":\"sha256:00\"}",
    "{\"documentId\":\"\",\"query\":\"{viewer{scopes}}\"}",
    "{\"documentId\":7}",
    "{\"documentId\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}",
    "{\"query\":\"{viewer{scopes}}\"}\u{0}",
    "{\"query\":\"{viewer{scopes}}\"} {}",
];

const HEADERS: &[(&str, &[&[u8]])] = &[
    (
        "content-type",
        &[
            b"",
            b"text/plain",
            b"application/json;charset=utf-16",
            b"application/graphql",
            b"*/*",
            b";",
            b"\xff",
            b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=a",
            b"application/json, text/plain",
        ],
    ),
    (
        "accept",
        &[
            b"",
            b"text/html",
            b"application/json;q=0",
            b"application/json;q=NaN",
            b"application/json;q=inf",
            b",;,;q=",
            b"application/graphql-response+json;q=-1, */*;q=2",
            b"\xff\xfe",
            b"application/*;q=0.0001",
            b"q=1",
        ],
    ),
    (
        "authorization",
        &[
            b"",
            b"Bearer",
            b"Bearer ",
            b"bearer x",
            b"Basic Og==",
            b"Bearer a.b.c",
            b"Bearer \xff",
            b"Bearer \t.",
            b"Bearer eyJhbGciOiJub25lIn0.e30.",
            b"Digest username=\"a\"",
            b"Bearer a, Bearer b",
        ],
    ),
    ("content-encoding", &[b"gzip", b"identity", b"br", b"\xff"]),
    ("accept-encoding", &[b"gzip;q=1", b"identity;q=0", b"*;q=0", b""]),
    ("x-request-id", &[b"", b"\xff", b"a b", &[b'x'; 1000], b"' OR 1=1"]),
    ("x-forwarded-for", &[b"", b"1.2.3.4", b"::1, x", b"\xff", &[b','; 500]]),
    ("x-http-method-override", &[b"GET", b"PUT"]),
    ("cookie", &[b"a=b", b"\xff", &[b'c'; 4000]]),
];

const LARGEST: usize = 256 * 1024;

pub fn spoil(request: &mut Request, operation: &Operation, text: String, by: (&mut Chance, &Model)) {
    let (chance, model) = by;
    let mut asked = parameters(operation, text, chance);
    match chance.below(100) {
        0..40 => edit_document(&mut asked, chance, model),
        40..53 => edit_variables(&mut asked, chance),
        53..62 => {
            asked.insert("query".to_owned(), with_other_types(operation, chance, model).into());
        }
        62..70 => {
            let body = Value::Object(asked).to_string().into_bytes();
            request.body = edit_bytes(body, chance);
            return;
        }
        70..80 => {
            request.body = chance.pick(BODIES).as_bytes().to_vec();
            return;
        }
        80..84 => {
            let length = chance.below(300);
            request.body = chance.bytes(length);
            return;
        }
        84..94 => {
            let (name, values) = chance.pick(HEADERS);
            request.set_header(HeaderName::from_static(name), chance.pick(values).to_vec());
        }
        94..97 => {
            asked.insert("query".to_owned(), too_much(chance).into());
        }
        97..98 => {
            asked.insert("padding".to_owned(), "x".repeat(LARGEST - 1000 + chance.below(2000)).into());
        }
        _ => asked = nested(asked, chance),
    }
    let short = asked.get("query").and_then(Value::as_str).is_some_and(|text| text.len() < 2000);
    if short && !asked.contains_key("padding") && chance.percent(4) {
        request.get(&asked);
    } else {
        request.body = Value::Object(asked).to_string().into_bytes();
    }
}

fn edit_document(asked: &mut Map<String, Value>, chance: &mut Chance, model: &Model) {
    let text = asked["query"].as_str().unwrap_or_default();
    let mut tokens = tokens(text);
    for _ in 0..1 + chance.below(3) {
        let (at, other) = (chance.below(tokens.len()), chance.below(tokens.len()));
        match chance.below(8) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at].clone()),
            2 => tokens.swap(at, other),
            3 => tokens.insert(at, format!(" {} ", chance.pick(TOKENS))),
            4 => tokens[at] = (*chance.pick(TOKENS)).to_owned(),
            5 => tokens[at] = name(chance, model),
            6 => tokens.truncate(at + 1),
            _ => tokens[at] = tokens[other].clone(),
        }
        if tokens.is_empty() {
            break;
        }
    }
    asked.insert("query".to_owned(), tokens.concat().into());
}

/// Words, each with what is not one between them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = vec![String::new()];
    let mut in_word = false;
    for letter in text.chars() {
        let word = letter.is_alphanumeric() || letter == '_';
        match tokens.last_mut() {
            Some(last) if word && in_word => last.push(letter),
            _ => tokens.push(letter.to_string()),
        }
        in_word = word;
    }
    tokens
}

/// A field that exists somewhere, or a type.
fn name(chance: &mut Chance, model: &Model) -> String {
    let objects: Vec<&str> = model.objects().collect();
    let of = *chance.pick(&objects);
    if chance.percent(20) {
        return of.to_owned();
    }
    chance.pick(model.fields(of)).name.clone()
}

fn edit_variables(asked: &mut Map<String, Value>, chance: &mut Chance) {
    let mut given = asked.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let names: Vec<String> = given.keys().cloned().collect();
    let name = if names.is_empty() { "v0".to_owned() } else { chance.pick(&names).clone() };
    if chance.percent(15) {
        given.remove(&name);
    } else {
        given.insert(name, any_json(chance, 3));
    }
    asked.insert("variables".to_owned(), given.into());
}

/// The document with a variable of another type, that may not exist.
fn with_other_types(operation: &Operation, chance: &mut Chance, model: &Model) -> String {
    let mut operation = operation.clone();
    let other = name(chance, model);
    let of = (*chance.pick(&["Unknown", "ID", "Int", "String", "Boolean", "ApiKeyFilter", "Viewer", &other]))
        .to_owned();
    let of = match chance.below(5) {
        0 => of,
        1 => format!("{of}!"),
        2 => format!("[{of}]"),
        3 => format!("[{of}!]!"),
        _ => format!("[[{of}]]"),
    };
    let default = chance.percent(50).then(|| match chance.below(4) {
        0 => Input::Null,
        1 => Input::List(vec![Input::Int(1), Input::List(vec![Input::Null])]),
        2 => Input::Object(vec![("ids".to_owned(), Input::Text("a".to_owned()))]),
        _ => Input::Enum("SOMETHING".to_owned()),
    });
    match operation.variables.len() {
        0 => operation.variables.push(Variable { name: "v0".to_owned(), of, default }),
        some => {
            let variable = &mut operation.variables[chance.below(some)];
            variable.of = of;
            variable.default = default.or_else(|| variable.default.take());
        }
    }
    operation.print(" ")
}

fn any_json(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(if depth > 0 { 12 } else { 8 }) {
        0 => Value::Null,
        1 => json!(chance.percent(50)),
        2 => json!(0),
        3 => json!(1.5),
        4 => json!(u64::MAX),
        5 => json!(-1e300),
        6 | 7 => odd_text(chance).into(),
        8 | 9 => (0..chance.below(4)).map(|_| any_json(chance, depth - 1)).collect(),
        _ => {
            let names = ["id", "ids", "name", "", "selection", "input", "__proto__"];
            let fields = (0..chance.below(3))
                .map(|_| ((*chance.pick(&names)).to_owned(), any_json(chance, depth - 1)))
                .collect::<Map<_, _>>();
            fields.into()
        }
    }
}

fn edit_bytes(mut body: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    for _ in 0..1 + chance.below(3) {
        let at = chance.below(body.len());
        match chance.below(5) {
            0 => body.truncate(at.max(1)),
            1 => body[at] ^= 1 << chance.below(8),
            2 => drop(body.remove(at)),
            3 => body.insert(at, chance.bytes(1)[0]),
            _ => body.extend_from_within(at..),
        }
        if body.is_empty() {
            break;
        }
    }
    body
}

/// More than the limits allow, or just as much.
fn too_much(chance: &mut Chance) -> String {
    let times = *chance.pick(&[9, 12, 13, 30, 31, 64, 65, 200, 2000]);
    match chance.below(7) {
        0 => format!("{{ viewer {} }}", "{ owner ".repeat(times)),
        1 => format!("{{ node(id: {}{}) {{ id }} }}", "[".repeat(times), "]".repeat(times)),
        2 => (0..times).fold("{".to_owned(), |text, n| format!("{text} a{n}: viewer {{ scopes }}")) + "}",
        3 => format!("{{ {} }}", "viewer { scopes } ".repeat(times)),
        4 => format!("query ({}) {{ viewer {{ scopes }} }}", "$a: ID ".repeat(times)),
        5 => format!("{{ viewer {{ scopes {} }} }}", "@skip(if: false) ".repeat(times)),
        _ => format!(
            "{{ viewer {}{} }}",
            "{ ... ".repeat(times),
            "{ scopes }".to_owned() + &"} ".repeat(times)
        ),
    }
}

fn nested(mut asked: Map<String, Value>, chance: &mut Chance) -> Map<String, Value> {
    let levels = *chance.pick(&[10, 100, 126, 127, 1000]);
    let deep = (0..levels)
        .fold(Value::Null, |inner, _| if levels % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) });
    asked.insert("variables".to_owned(), json!({ "v0": deep }));
    asked
}
