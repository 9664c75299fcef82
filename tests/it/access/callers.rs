//! Who tries every field and every route, what they ask about, and what they are told.

use serde_json::{Value, json};

use crate::harness::changes::{
    CREATE_ACCOUNT, CREATE_API, CREATE_GROUP, CREATE_ROLE, CREATE_SCOPE, CREATE_USER,
};
use crate::harness::keys::Person;
use crate::harness::{Account, Answer, Caller, Grants, Key, Server};

pub async fn callers(server: &Server, owner: &Person) -> Vec<(&'static str, Caller)> {
    let bot = server.service_account("asker").await;
    let asker = server.generous_key(&bot, "asker", Grants::Scopes(&["tokens:introspect"])).await;
    let stranger = server.person("stranger@example.com", &["member"]).await;
    let root = server.user("root@example.com", &["admin"]).await;
    let most = Some(latchkey::values::Quota { requests: 10_000_000, per_seconds: 1 });
    let admin = server.generous_key(&root, "admin", Grants::Roles(&["admin"])).await;
    let reader = server
        .key_with(&root, "read-only admin", Grants::Roles(&["admin"]), |new| {
            (new.read_only, new.token_limit, new.call_limit) = (true, most, most);
        })
        .await;
    vec![
        ("nobody", server.guest()),
        ("without grants", server.sign_in(&asker).await),
        ("a stranger", stranger.caller),
        ("the owner", owner.caller.clone()),
        ("an administrator", server.sign_in(&admin).await),
        ("a read-only admin", server.sign_in(&reader).await),
    ]
}

pub async fn variables(server: &Server, victim: &Key, owner: &Account, name: &str) -> Value {
    let scope = latchkey::actions::scopes::ScopeFilter::default();
    let first = latchkey::actions::page::PageRequest { limit: 1, backward: false, after: None, before: None };
    let scopes = latchkey::actions::scopes::list(&server.operator(), &scope, &first).await.unwrap().unwrap();
    json!({
        "key": victim.id,
        "clientId": victim.client_id,
        "owner": owner.public_id,
        "email": owner.name,
        "role": server.role("member").await,
        "scope": scopes.rows[0].1.id.to_string(),
        "name": name,
    })
}

/// Makes the objects that a question is about: for each question its own, so that they can be deleted.
pub async fn make_what_is_asked(maker: &Caller, query: &str, variables: &mut Value, unique: usize) {
    let name = format!("n{unique}");
    let email = format!("{name}@example.com");
    let api = json!({ "identifier": format!("urn:{name}"), "name": name });
    (variables["newEmail"], variables["newScope"]) =
        (json!(format!("new-{email}")), json!(format!("new-{name}:read")));
    variables["newIdentifier"] = json!(format!("urn:new-{name}"));
    let asked = |variable: &str| query.contains(&format!("${variable}:"));
    let objects = [
        ("user", CREATE_USER, json!({ "email": email, "displayName": name })),
        ("service", CREATE_ACCOUNT, json!({ "name": variables["name"] })),
        ("group", CREATE_GROUP, json!({ "name": name })),
        ("ownRole", CREATE_ROLE, json!({ "name": name, "scopes": [] })),
        ("api", CREATE_API, api.clone()),
    ];
    for (variable, mutation, input) in objects {
        if asked(variable) {
            variables[variable] = maker.made(mutation, input).await.into();
        }
    }
    if asked("ownScope") {
        let api = maker.made(CREATE_API, api).await;
        let scope = json!({ "apiId": api, "name": format!("{name}:read"), "kind": "READ" });
        variables["ownScope"] = maker.made(CREATE_SCOPE, scope).await.into();
    }
}

/// What a caller is told: a word for the field, or the code of the error.
pub fn outcome(answer: &Answer, field: &str) -> String {
    let body = answer.json();
    if body.get("errors").is_some() {
        let value = &body["data"][field];
        assert!(
            value.is_null() || *value == json!([null]),
            "an error comes with no data of the field: {body:#}"
        );
        return answer.code();
    }
    let value = &body["data"][field];
    let mistakes = value["userErrors"].as_array().into_iter().flatten();
    let mistakes: Vec<&str> = mistakes.map(|error| error["code"].as_str().unwrap()).collect();
    match value {
        Value::Null => "NULL".to_owned(),
        value if *value == json!([null]) => "NULL".to_owned(),
        value if value["nodes"] == json!([]) => "EMPTY".to_owned(),
        _ if mistakes.is_empty() => "OK".to_owned(),
        _ => mistakes.join(" "),
    }
}
