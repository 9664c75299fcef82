//! Whether an answer is one: its envelope, its errors, and its data against the question and the schema (GraphQL,
//! sections 6 and 7; GraphQL over HTTP).

use std::collections::BTreeSet;

use async_graphql::parser::types::{BaseType, Type};
use latchkey::graphql::code;
use latchkey::values::Networks;

use super::documents::{Condition, Operation, Picked, Selection};
use super::json::Json;
use super::schema::{Kind, Model, name_of};

const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// What may be in `extensions.code`. `INTERNAL`, `UNAVAILABLE` and `RATE_LIMITED` are in the set of the server, and none
/// of these requests gives reason for them.
const CODES: &[&str] = &[
    code::UNAUTHENTICATED,
    code::FORBIDDEN,
    code::READ_ONLY,
    code::BAD_USER_INPUT,
    code::METHOD_NOT_ALLOWED,
    code::PERSISTED_DOCUMENT_NOT_FOUND,
    code::COST_LIMIT_EXCEEDED,
    code::GRAPHQL_PARSE_FAILED,
    code::GRAPHQL_VALIDATION_FAILED,
];

/// An answer as it came.
pub struct Got {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

/// What an answer is compared with.
pub struct Question<'a> {
    pub model: &'a Model,
    /// What was asked, if it is known.
    pub operation: Option<&'a Operation>,
    /// It follows the rules: only the caller's rights and the limits can stand against it.
    pub valid: bool,
    /// The media type that was accepted, if only one was.
    pub accepted: Option<&'a str>,
}

/// What an answer showed, for counting.
#[derive(Debug, Default)]
pub struct Seen {
    /// The code of the error that kept everything from being executed.
    pub refused: Option<String>,
    /// The codes of the errors of fields.
    pub errors: Vec<String>,
    /// The root fields that had a value.
    pub roots: Vec<String>,
    /// The mutations among them that had nothing to complain about.
    pub changes: Vec<String>,
    /// Every field of every object that was answered.
    pub fields: BTreeSet<String>,
    /// Plain secrets, each where there may be one.
    secrets: usize,
}

type Result<T, E = String> = std::result::Result<T, E>;

/// Fails with a sentence unless it holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

pub fn check(question: &Question<'_>, got: &Got) -> Result<Seen> {
    ensure!(got.status < 500, "the status is {}", got.status);
    ensure!([GRAPHQL, JSON].contains(&got.content_type.as_str()), "the type is {:?}", got.content_type);
    let accepted = question.accepted.is_none_or(|accepted| got.content_type.starts_with(accepted));
    ensure!(accepted, "the type is {}, not {:?}", got.content_type, question.accepted);
    let body = Json::read(&got.text).map_err(|error| format!("the body is no JSON: {error}"))?;
    let entries = body.entries().ok_or("the body is no object")?;
    let other = entries.iter().find(|(key, _)| !["data", "errors", "extensions"].contains(&key.as_str()));
    ensure!(other.is_none(), "the body has the key {:?}", other.map(|(key, _)| key));
    let errors = match body.get("errors") {
        None => &[],
        Some(errors) => errors.list().filter(|errors| !errors.is_empty()).ok_or("`errors` has no error")?,
    };
    let codes = errors.iter().map(error).collect::<Result<Vec<_>>>()?;
    let mut seen = Seen::default();
    match body.get("data") {
        Some(data) => {
            ensure!(got.status == 200, "the status is {} with `data`", got.status);
            answered(question, data, errors, &mut seen)?;
            seen.errors = codes;
        }
        None => {
            let refused = codes.into_iter().next().ok_or("there is neither `data` nor `errors`")?;
            let path = errors.iter().any(|error| error.get("path").is_some());
            ensure!(!path, "an error has a path, and there is no `data`");
            ensure!(
                got.status != 200 || got.content_type == JSON,
                "the status is 200 under {GRAPHQL}, and nothing was executed"
            );
            refusal(question, &refused, errors)?;
            seen.refused = Some(refused);
        }
    }
    let secrets = got.text.matches("lk_sk_").count();
    ensure!(secrets == seen.secrets, "{secrets} secrets, {} of them in `clientSecret`", seen.secrets);
    Ok(seen)
}

/// One error; gives its code.
fn error(error: &Json) -> Result<String> {
    let entries = error.entries().ok_or("an error is no object")?;
    let known = ["message", "locations", "path", "extensions"];
    let other = entries.iter().find(|(key, _)| !known.contains(&key.as_str()));
    ensure!(other.is_none(), "an error has the key {:?}", other.map(|(key, _)| key));
    let message = error.get("message").and_then(Json::text).unwrap_or_default();
    ensure!(!message.is_empty(), "an error has no message");
    if let Some(locations) = error.get("locations") {
        let positive = |place: &Json, key| matches!(place.get(key), Some(Json::Int(1..)));
        let valid = |place: &Json| positive(place, "line") && positive(place, "column");
        let all = locations.list().is_some_and(|places| !places.is_empty() && places.iter().all(valid));
        ensure!(all, "the locations of an error are {locations:?}");
    }
    let code = error.get("extensions").and_then(|extensions| extensions.get("code")).and_then(Json::text);
    let code = code.ok_or("an error has no code")?;
    ensure!(CODES.contains(&code), "the code is {code}: {message}");
    Ok(code.to_owned())
}

/// What may keep a valid operation from being executed.
fn refusal(question: &Question<'_>, code: &str, errors: &[Json]) -> Result<()> {
    let Some(operation) = question.operation.filter(|_| question.valid) else {
        return Ok(());
    };
    let allowed = match code {
        code::COST_LIMIT_EXCEEDED => true,
        code::READ_ONLY => operation.mutation,
        code::GRAPHQL_VALIDATION_FAILED => operation.risky,
        _ => false,
    };
    let message = errors[0].get("message").and_then(Json::text).unwrap_or_default();
    ensure!(allowed, "a valid operation is refused with {code}: {message}");
    Ok(())
}

fn answered(question: &Question<'_>, data: &Json, errors: &[Json], seen: &mut Seen) -> Result<()> {
    for error in errors {
        let message = error.get("message").and_then(Json::text).unwrap_or_default();
        let code = error.get("extensions").and_then(|extensions| extensions.get("code")).and_then(Json::text);
        let of_field = [code::FORBIDDEN, code::BAD_USER_INPUT].map(Some).contains(&code);
        ensure!(of_field, "a field has the error {}: {message}", code.unwrap_or_default());
        let path = error.get("path").and_then(Json::list).ok_or(format!("no path: {message}"))?;
        ensure!(leads_to_null(data, path), "the path {path:?} does not lead to a null: {message}");
    }
    if *data == Json::Null {
        ensure!(!errors.is_empty(), "`data` is null without an error");
        return Ok(());
    }
    let operation = question.operation.ok_or("what cannot be read was executed")?;
    let root = if operation.mutation { "Mutation" } else { "Query" };
    let mut reader = Reader { model: question.model, operation, seen };
    reader.object(root, &[&operation.set], data, "data")?;
    for (key, picked) in reader.collect(root, &[&operation.set]) {
        if data.get(key) != Some(&Json::Null) {
            reader.seen.roots.push(picked[0].name.clone());
            let done =
                data.get(key).and_then(|payload| payload.get("userErrors")) == Some(&Json::List(vec![]));
            reader.seen.changes.extend(done.then(|| picked[0].name.clone()));
            reader.not_both(root, picked[0], &data.get(key).cloned().unwrap_or(Json::Null))?;
        }
    }
    Ok(())
}

/// Whether the way into the data ends at a null, or is cut off by one.
fn leads_to_null(data: &Json, path: &[Json]) -> bool {
    let mut at = data;
    for step in path {
        let next = match (at, step) {
            (Json::Null, _) => return true,
            (Json::List(items), Json::Int(n)) => usize::try_from(*n).ok().and_then(|n| items.get(n)),
            (object, Json::Text(key)) => object.get(key),
            _ => None,
        };
        let Some(next) = next else {
            return false;
        };
        at = next;
    }
    *at == Json::Null
}

struct Reader<'a> {
    model: &'a Model,
    operation: &'a Operation,
    seen: &'a mut Seen,
}

type Fields<'a> = Vec<(&'a str, Vec<&'a Picked>)>;

impl<'a> Reader<'a> {
    /// The fields that a selection asks of an object of this type, in their order (GraphQL, section 6.3.2).
    fn collect(&self, object: &str, sets: &[&'a [Selection]]) -> Fields<'a> {
        let mut fields = Vec::new();
        let mut visited = BTreeSet::new();
        for set in sets {
            self.collect_into(object, set, &mut fields, &mut visited);
        }
        fields
    }

    fn collect_into(
        &self,
        object: &str,
        set: &'a [Selection],
        fields: &mut Fields<'a>,
        visited: &mut BTreeSet<&'a str>,
    ) {
        let stands = |conditions: &[Condition]| conditions.iter().all(|condition| condition.holds);
        for item in set {
            match item {
                Selection::Field(picked) if stands(&picked.conditions) => {
                    match fields.iter_mut().find(|(key, _)| *key == picked.key()) {
                        Some((_, same)) => same.push(picked),
                        None => fields.push((picked.key(), vec![picked])),
                    }
                }
                Selection::Inline { on, conditions, set } if stands(conditions) => {
                    if on.as_ref().is_none_or(|on| self.model.is(object, on)) {
                        self.collect_into(object, set, fields, visited);
                    }
                }
                Selection::Spread { fragment, conditions } if stands(conditions) => {
                    if let Some(found) = self.operation.fragments.get(fragment)
                        && visited.insert(fragment)
                        && self.model.is(object, &found.on)
                    {
                        self.collect_into(object, &found.set, fields, visited);
                    }
                }
                Selection::Field(_) | Selection::Inline { .. } | Selection::Spread { .. } => {}
            }
        }
    }

    fn object(&mut self, of: &str, sets: &[&'a [Selection]], value: &Json, place: &str) -> Result<()> {
        let entries = value.entries().ok_or_else(|| format!("{place} is no object"))?;
        let fields = self.collect(of, sets);
        let wanted: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
        let there: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        ensure!(wanted == there, "the keys of {place}, of type {of}, are {there:?}, not {wanted:?}");
        for ((_, value), (key, picked)) in entries.iter().zip(fields) {
            let name = picked[0].name.as_str();
            let place = format!("{place}.{key}");
            if name == "__typename" {
                ensure!(value.text() == Some(of), "{place} is {value:?} in an object of type {of}");
                continue;
            }
            // The two fields of introspection have types of their own, which the schema's text does not tell.
            let Some(field) = self.model.field(of, name) else {
                ensure!(name.starts_with("__"), "{of} has no field {name}");
                continue;
            };
            self.seen.fields.insert(format!("{of}.{name}"));
            let sets: Vec<&[Selection]> = picked.iter().map(|picked| picked.set.as_slice()).collect();
            self.value(&field.of, &sets, value, &place)?;
        }
        Ok(())
    }

    /// A payload has the changed object or says why it was not changed.
    fn not_both(&self, root: &str, picked: &Picked, payload: &Json) -> Result<()> {
        let payload_type = self.model.field(root, &picked.name).map(|field| name_of(&field.of));
        let refused = payload.get("userErrors").and_then(Json::list).is_some_and(|errors| !errors.is_empty());
        for (key, value) in payload.entries().unwrap_or_default() {
            let field = payload_type.and_then(|of| self.model.field(of, key));
            let object = field.is_some_and(|field| field.of.nullable) && matches!(value, Json::Object(_));
            ensure!(!(refused && object), "{} has errors, and {key} all the same", picked.name);
        }
        Ok(())
    }

    fn value(&mut self, of: &Type, sets: &[&'a [Selection]], value: &Json, place: &str) -> Result<()> {
        if *value == Json::Null {
            ensure!(of.nullable, "{place} is null, and its type is {of}");
            return Ok(());
        }
        match &of.base {
            BaseType::List(item) => {
                let items = value.list().ok_or_else(|| format!("{place} is no list"))?;
                for (n, value) in items.iter().enumerate() {
                    self.value(item, sets, value, &format!("{place}.{n}"))?;
                }
                Ok(())
            }
            BaseType::Named(name) if self.model.is_leaf(name) => self.leaf(name, value, place),
            BaseType::Named(name) => self.composite(name, sets, value, place),
        }
    }

    /// An object of one of the possible types. Which one it is, is not always told: then one must fit.
    fn composite(&mut self, of: &str, sets: &[&'a [Selection]], value: &Json, place: &str) -> Result<()> {
        let mut complaints = Vec::new();
        for object in self.model.possible(of) {
            let mut seen = Seen::default();
            let mut reader = Reader { model: self.model, operation: self.operation, seen: &mut seen };
            match reader.object(object, sets, value, place) {
                Ok(()) => {
                    self.seen.secrets += seen.secrets;
                    self.seen.fields.extend(seen.fields);
                    return Ok(());
                }
                Err(complaint) => complaints.push(complaint),
            }
        }
        Err(complaints.join("; or "))
    }

    fn leaf(&mut self, of: &str, value: &Json, place: &str) -> Result<()> {
        if let Json::Text(text) = value
            && text.contains("lk_sk_")
        {
            let known = place.rsplit('.').next().map(|key| self.is_secret(key)).unwrap_or_default();
            ensure!(known && text.len() == 55, "{place} has a secret that does not belong there");
            self.seen.secrets += 1;
        }
        let fits = match (self.model.kind(of), of, value) {
            (Kind::Enum(values), _, Json::Text(name)) => values.contains(name),
            (_, "Int", Json::Int(number)) => i32::try_from(*number).is_ok(),
            (_, "Float", Json::Int(_) | Json::Float(_))
            | (_, "Long", Json::Int(_))
            | (_, "Boolean", Json::Bool(_))
            | (_, "String", Json::Text(_)) => true,
            (_, "ID", Json::Text(id)) => !id.is_empty(),
            (_, "DateTime", Json::Text(text)) => is_instant(text),
            (_, "Cidr", Json::Text(text)) => is_network(text),
            (Kind::Enum(_), ..)
            | (_, "Int" | "Float" | "Long" | "Boolean" | "String" | "ID" | "DateTime" | "Cidr", _) => false,
            // A scalar of which nothing is known.
            _ => true,
        };
        ensure!(fits, "{place} is {value:?}, and its type is {of}");
        Ok(())
    }

    /// Whether this is the key of a `clientSecret`.
    fn is_secret(&self, key: &str) -> bool {
        fn named(set: &[Selection], key: &str) -> bool {
            set.iter().any(|item| match item {
                Selection::Field(picked) => {
                    picked.key() == key && picked.name == "clientSecret" || named(&picked.set, key)
                }
                Selection::Inline { set, .. } => named(set, key),
                Selection::Spread { .. } => false,
            })
        }
        let fragments = self.operation.fragments.values().map(|fragment| fragment.set.as_slice());
        fragments.chain([self.operation.set.as_slice()]).any(|set| named(set, key))
    }
}

/// A network as this server writes it.
fn is_network(text: &str) -> bool {
    Networks::parse("", &[text.to_owned()]).is_ok_and(|networks| networks.to_texts() == [text])
}

/// An instant as this server writes it: `2026-11-21T09:00:00.000Z`.
fn is_instant(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.000Z";
    let fits = |(form, byte): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == form.len() && form.bytes().zip(text.bytes()).all(fits)
}
