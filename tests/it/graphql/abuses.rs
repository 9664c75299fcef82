//! What is sent to hurt, as plain data: `abuse.rs` shows that each is refused, the benchmark `graphql` what that costs.

use serde_json::json;

const JSON: &str = "application/json";

/// One abusive request. Its sender has a valid token.
pub struct Abuse {
    pub name: &'static str,
    pub method: &'static str,
    /// With the query.
    pub path: String,
    pub content_type: Option<&'static str>,
    pub body: String,
}

impl Abuse {
    fn post(name: &'static str, content_type: &'static str, body: impl Into<String>) -> Self {
        let path = "/graphql".to_owned();
        Self { name, method: "POST", path, content_type: Some(content_type), body: body.into() }
    }

    fn get(name: &'static str, query: &str) -> Self {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let path = format!("/graphql?{query}");
        Self { name, method: "GET", path, content_type: None, body: String::new() }
    }

    fn document(name: &'static str, text: &str) -> Self {
        Self::post(name, JSON, json!({ "query": text }).to_string())
    }
}

/// All of them.
pub fn abuses() -> Vec<Abuse> {
    let mut all = documents();
    all.extend(requests());
    all
}

/// Requests in good form, with documents that are too much.
fn documents() -> Vec<Abuse> {
    let aliases = format!("{{ viewer {{ {} }} }}", many(1_000, |n| format!("a{n}: scopes ")));
    let secrets =
        many(1_000, |n| format!("a{n}: createApiKey(input: {{ name: \"{n}\" }}) {{ clientSecret }} "));
    let deep = format!("{}id{}", "{ viewer ".repeat(200), " }".repeat(200));
    let circle = "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { scopes ...A }";
    let doubling = many(30, |n| format!("fragment F{n} on Viewer {{ ...F{0} ...F{0} }} ", n + 1));
    let doubling = format!("{{ viewer {{ ...F0 }} }} {doubling} fragment F30 on Viewer {{ scopes }}");
    let directives = format!("{{ viewer {{ scopes {} }} }}", "@skip(if: false) ".repeat(10_000));
    let some_directives = format!("{{ viewer {{ scopes {} }} }}", "@skip(if: false) ".repeat(700));
    let tokens = "{ viewer { ".to_owned() + &"id ".repeat(100_000 / 2) + "} }";
    let brackets = "{".repeat(100_000) + &"}".repeat(100_000);
    vec![
        Abuse::document("1,000 aliases", &aliases),
        Abuse::document("1,000 keys in one request", &format!("mutation {{ {secrets} }}")),
        Abuse::document("depth 200", &deep),
        Abuse::document("circular fragments", circle),
        Abuse::document("fragments that double", &doubling),
        Abuse::document("10,000 directives", &directives),
        Abuse::document("700 directives", &some_directives),
        Abuse::document("50,000 fields", &tokens),
        Abuse::document("200,000 brackets", &brackets),
        Abuse::document("a name of 250 KB", &format!("{{ {} }}", "x".repeat(250_000))),
        Abuse::document("a number of 250 KB", &format!("{{ node(id: {}) }}", "1".repeat(250_000))),
        Abuse::document("a string without end", &format!("{{ node(id: \"{}", "x".repeat(250_000))),
        Abuse::document("a bracket without end", &format!("{{ viewer {{ {} }}", "id ".repeat(4_900))),
        Abuse::document(
            "4,900 unknown fields",
            &format!("{{ viewer {{ {} }} }}", many(4_900, |n| format!("x{n} "))),
        ),
    ]
}

/// Requests that are not in the form that is asked for.
fn requests() -> Vec<Abuse> {
    let one = r#"{"query":"{ viewer { scopes } }"}"#;
    let form = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"query\":\"{ viewer { scopes } }\"}\r\n--x--\r\n";
    let variables = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"query\":\"{{ viewer {{ scopes }} }}\",\"variables\":{variables}}}");
    let values = format!(
        "{{\"query\":\"{{ viewer {{ nope }} }}\",\"variables\":{{\"a\":[{}0]}}}}",
        "1,".repeat(120_000)
    );
    let names = format!(
        "{{\"query\":\"{{ viewer {{ nope }} }}\",\"variables\":{{{}\"z\":0}}}}",
        many(20_000, |n| format!("\"a{n}\":1,"))
    );
    vec![
        Abuse::post("120,000 values", JSON, values),
        Abuse::post("20,000 variables", JSON, names),
        Abuse::post("batch array", JSON, format!("[{one},{one}]")),
        Abuse::get("mutation by GET", "mutation { createApiKey(input: { name: \"x\" }) { clientSecret } }"),
        Abuse::post("text/plain", "text/plain", one),
        Abuse::post("multipart", "multipart/form-data; boundary=x", form),
        Abuse::post("a form", "application/x-www-form-urlencoded", "query=%7Bviewer%7Bscopes%7D%7D"),
        Abuse::post("body of 10 MB", JSON, format!("{{\"query\":\"{}\"}}", " ".repeat(10_000_000))),
        Abuse::post("variables without end", JSON, nested),
    ]
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}
