//! From a number to a request: an operation in an envelope that clients use, or one of them spoiled.

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use serde_json::{Map, Value, json};

use super::answers::Got;
use super::chance::Chance;
use super::documents::Operation;
use super::garbage;
use super::schema::Model;
use super::world::World;
use super::writer::Writer;

const GAPS: &[&str] = &[" ", "\n", ", ", "\t \r\n", " # a \" comment {\n"];
const TYPES: &[&str] = &["application/json", "application/json; charset=utf-8", "Application/JSON"];
const ACCEPTS: &[&str] = &["application/json", "application/graphql-response+json", "*/*"];
const AGENTS: &[&[u8]] = &[b"fuzz/1", b"", b"'; --", b"tab\there", b"\xff\xfe", b"latin \xe9", &[b'x'; 2000]];

pub struct Request {
    pub number: u64,
    /// Which of the world's callers.
    pub caller: usize,
    pub method: Method,
    pub path: String,
    pub headers: Vec<(HeaderName, Vec<u8>)>,
    pub body: Vec<u8>,
    /// What it asks, as far as it can be read.
    pub operation: Option<Operation>,
    pub valid: bool,
}

impl Request {
    pub fn make(model: &Model, world: &World, seed: u64, number: u64) -> Self {
        let mut chance = Chance::new(seed, number);
        let caller = chance.below(world.callers.len());
        let reads = world.callers[caller].0 == "read-only";
        let mutation = chance.percent(if reads { 8 } else { 30 });
        let (operation, mut chance) = Writer::new(model, world, chance, number).write(mutation);
        let text = operation.print(GAPS[chance.below(GAPS.len())]);
        let mut request = Self {
            number,
            caller,
            method: Method::POST,
            path: "/graphql".to_owned(),
            headers: headers(&mut chance),
            body: Vec::new(),
            operation: None,
            valid: true,
        };
        if chance.percent(30) {
            garbage::spoil(&mut request, &operation, text, (&mut chance, model));
            request.valid = false;
            if request.method == Method::POST {
                request.operation = serde_json::from_slice(&request.body).ok().and_then(|body| read(&body));
            }
            return request;
        }
        let mut parameters = parameters(&operation, text, &mut chance);
        if chance.percent(4) {
            let digest = digest(&SHA256, parameters["query"].as_str().unwrap_or_default().as_bytes());
            let id = digest.as_ref().iter().fold("sha256:".to_owned(), |id, byte| format!("{id}{byte:02x}"));
            parameters.insert("documentId".to_owned(), id.into());
        }
        if !mutation && chance.percent(5) {
            request.get(&parameters);
        } else {
            request.body = Value::Object(parameters).to_string().into_bytes();
        }
        request.operation = Some(operation);
        request
    }

    /// The same parameters in the address.
    pub fn get(&mut self, parameters: &Map<String, Value>) {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let given = parameters.iter().filter(|(_, value)| !value.is_null());
        let pairs = given.map(|(name, value)| (name.as_str(), text(value)));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.method = Method::GET;
        self.path = format!("/graphql?{query}");
        self.headers.retain(|(name, _)| name != CONTENT_TYPE);
        self.operation = read(&Value::Object(parameters.clone()));
    }

    pub fn set_header(&mut self, name: HeaderName, value: Vec<u8>) {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
    }

    /// The media type of the answer, if only one will do.
    pub fn accepted(&self) -> Option<&str> {
        let (_, accept) = self.headers.iter().find(|(name, _)| name == ACCEPT)?;
        std::str::from_utf8(accept).ok().filter(|accept| self.valid && *accept != "*/*")
    }

    /// Sends it; a connection that ends without an answer is a failure.
    pub async fn send(&self, world: &World) -> Result<Got, String> {
        let caller = &world.callers[self.caller].1;
        let url = format!("{}{}", world.server.url, self.path);
        let mut request = world.server.http.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            request = request.header(name, HeaderValue::from_bytes(value).unwrap());
        }
        if !self.headers.iter().any(|(name, _)| name == AUTHORIZATION) {
            request = request.bearer_auth(caller.token.as_deref().unwrap_or_default());
        }
        if self.method == Method::POST {
            request = request.body(self.body.clone());
        }
        let response = request.send().await.map_err(|error| format!("no answer: {error:?}"))?;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let text = response.bytes().await.map_err(|error| format!("half an answer: {error:?}"))?;
        let text = String::from_utf8(text.into()).map_err(|_| "the answer is not UTF-8".to_owned())?;
        Ok(Got { status, content_type, text })
    }

    /// As much as is needed to send it again by hand.
    pub fn shown(&self, world: &World) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.escape_ascii()));
        format!(
            "request {} of the {}\n{} {}\n{}\n{}",
            self.number,
            world.callers[self.caller].0,
            self.method,
            self.path,
            headers.collect::<String>(),
            String::from_utf8_lossy(&self.body),
        )
    }
}

fn headers(chance: &mut Chance) -> Vec<(HeaderName, Vec<u8>)> {
    let mut headers = vec![(CONTENT_TYPE, chance.pick(TYPES).as_bytes().to_vec())];
    if chance.percent(70) {
        headers.push((ACCEPT, chance.pick(ACCEPTS).as_bytes().to_vec()));
    }
    if chance.percent(10) {
        headers.push((USER_AGENT, chance.pick(AGENTS).to_vec()));
    }
    headers
}

/// The parameters of a request, in the forms that clients give them.
pub fn parameters(operation: &Operation, text: String, chance: &mut Chance) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut text = text;
    if let Some(name) = &operation.name {
        let other = chance.percent(40);
        if other {
            text += " query Other { __typename }";
        }
        if other || chance.percent(50) {
            parameters.insert("operationName".to_owned(), json!(name));
        }
    } else if chance.percent(20) {
        parameters.insert("operationName".to_owned(), Value::Null);
    }
    parameters.insert("query".to_owned(), Value::String(text));
    if !operation.given.is_empty() || chance.percent(30) {
        parameters.insert("variables".to_owned(), operation.given.clone().into());
    }
    if chance.percent(5) {
        parameters.insert("extensions".to_owned(), json!({ "a": [1, null] }));
    }
    parameters
}

/// What parameters ask, if they ask anything.
fn read(parameters: &Value) -> Option<Operation> {
    let none = Map::new();
    let given = parameters.get("variables").and_then(Value::as_object).unwrap_or(&none);
    let name = parameters.get("operationName").and_then(Value::as_str);
    Operation::read(parameters.get("query")?.as_str()?, name, given)
}
