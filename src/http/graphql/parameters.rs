//! The parameters of a request (GraphQL over HTTP, section "Request Parameters"): a JSON object in the body of a POST, the
//! query string of a GET. Others are ignored, as it says.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::graphql::{DocumentRef, Operation, code};
use crate::http::body::{media_type, read};
use crate::http::callers::Refused;

const MAX_BODY: usize = 256 * 1024;
/// Ten times what the longest list of ids has.
const MAX_VALUES: usize = 10_000;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    extensions: Option<Extensions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    persisted_query: Option<PersistedQuery>,
}

/// How Apollo's clients name a document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery {
    version: u8,
    sha256_hash: String,
}

impl Parameters {
    fn into_operation(self, by_get: bool) -> Result<Operation, Refused> {
        let variables = self.variables.unwrap_or_default();
        let mut left = MAX_VALUES;
        if !variables.values().all(|value| counts(value, &mut left)) {
            let message = format!("Send at most {MAX_VALUES} values in `variables`.");
            return Err(Refused::new(StatusCode::BAD_REQUEST, code::COST_LIMIT_EXCEEDED, message));
        }
        Ok(Operation {
            document: asked(self.query, self.document_id, self.extensions)?,
            operation_name: self.operation_name,
            variables,
            by_get,
            idempotency_key: None,
        })
    }
}

/// The name under which the client may send the request again (draft-ietf-httpapi-idempotency-key-header), with or
/// without the quotes that the draft asks for.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut sent = headers.get_all("idempotency-key").iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return match headers.contains_key("idempotency-key") {
            true => Err(bad("The request has more than one Idempotency-Key header.")),
            false => Ok(None),
        };
    };
    let text = value.to_str().unwrap_or_default();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !(1..=255).contains(&bare.len()) || !bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
        return Err(bad("An Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID."));
    }
    Ok(Some(bare.to_owned()))
}

/// Counts a value and what it holds; false as soon as there are too many.
fn counts(value: &Value, left: &mut usize) -> bool {
    let Some(fewer) = left.checked_sub(1) else { return false };
    *left = fewer;
    match value {
        Value::Array(items) => items.iter().all(|item| counts(item, left)),
        Value::Object(members) => members.values().all(|member| counts(member, left)),
        _ => true,
    }
}

fn asked(
    text: Option<String>,
    id: Option<String>,
    extensions: Option<Extensions>,
) -> Result<DocumentRef, Refused> {
    let by_apollo = extensions.and_then(|extensions| extensions.persisted_query);
    if by_apollo.as_ref().is_some_and(|named| named.version != 1) {
        return Err(bad("Only version 1 of `persistedQuery` is supported."));
    }
    let by_apollo = by_apollo.map(|named| format!("sha256:{}", named.sha256_hash));
    match (text, id, by_apollo) {
        (text, Some(id), None) => Ok(DocumentRef::Id { id, text, apollo: false }),
        (text, None, Some(id)) => Ok(DocumentRef::Id { id, text, apollo: true }),
        (Some(text), None, None) => Ok(DocumentRef::Text(text)),
        (None, None, None) => {
            Err(bad("Send `query` with a document, or `documentId` with the id of a registered document."))
        }
        (_, Some(_), Some(_)) => Err(bad("Send `documentId` or `persistedQuery`, not both.")),
    }
}

/// From the body of a POST.
pub(super) async fn posted(headers: &HeaderMap, body: Body) -> Result<Operation, Refused> {
    if media_type(headers).as_deref() != Some("application/json") {
        let message = "Send Content-Type: application/json.";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::BAD_USER_INPUT, message));
    }
    let body = read(body, MAX_BODY).await.map_err(|_| {
        let message = format!("Send at most {} KiB.", MAX_BODY / 1024);
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, code::COST_LIMIT_EXCEEDED, message)
    })?;
    // An array would be read as the members in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(bad("Send one JSON object with `query`. Batches are not accepted."));
    }
    let parameters: Parameters = serde_json::from_slice(&body).map_err(|error| {
        if error.is_data() {
            bad("Send `query`, `documentId` and `operationName` as strings, `variables` and `extensions` as \
                objects.")
        } else {
            bad("The body is not JSON.")
        }
    })?;
    parameters.into_operation(false)
}

/// From the query string of a GET: the objects in it are JSON.
pub(super) fn in_query(query: Option<&str>) -> Result<Operation, Refused> {
    let mut parameters = Parameters::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let value = value.into_owned();
        match &*name {
            "query" => once("query", &mut parameters.query, value)?,
            "documentId" => once("documentId", &mut parameters.document_id, value)?,
            "operationName" => once("operationName", &mut parameters.operation_name, value)?,
            "variables" => {
                parameters.variables = object("variables", parameters.variables.is_some(), &value)?;
            }
            "extensions" => {
                parameters.extensions = object("extensions", parameters.extensions.is_some(), &value)?;
            }
            _ => {}
        }
    }
    parameters.into_operation(true)
}

fn once(name: &str, place: &mut Option<String>, value: String) -> Result<(), Refused> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(name)),
    }
}

fn object<T: DeserializeOwned>(name: &str, known: bool, value: &str) -> Result<Option<T>, Refused> {
    if known {
        return Err(twice(name));
    }
    if value.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(value).map_err(|_| bad(&format!("`{name}` is not a JSON object.")))
}

fn twice(name: &str) -> Refused {
    bad(&format!("`{name}` is given more than once."))
}

fn bad(message: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, code::BAD_USER_INPUT, message)
}
