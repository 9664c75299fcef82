//! What is measured: the abusive requests, and accepted ones to compare them with.

use anyhow::{Context as _, ensure};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use serde_json::{Value, json};

use crate::abuses::{Abuse, abuses};

const VIEWER: &str = "{ viewer { scopes } }";
const PAGE: &str = "{ apiKeys(first: 20) {
    nodes {
        id name clientId status createdAt
        owner { ... on User { id email } ... on ServiceAccount { id name } }
        roles { id name scopes { name } }
    }
    pageInfo { hasNextPage endCursor }
} }";
/// The last object of a whole page.
const LAST_OF_PAGE: &str = "/data/apiKeys/nodes/19/roles/0/name";
const ANSWER_LIMIT: usize = 1024 * 1024;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) expected: Expected,
    method: &'static str,
    path: String,
    content_type: Option<&'static str>,
    body: Content,
}

#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// Nothing is executed, and it must be cheap.
    Refusal,
    /// There is something at this place of the answer.
    At(&'static str),
}

enum Content {
    Same(Bytes),
    /// A document that was never sent before: the text, made different by a comment.
    Fresh(&'static str),
}

/// The accepted ones first.
pub(crate) fn cases() -> Vec<Case> {
    let viewer = Expected::At("/data/viewer/scopes/0");
    let page = Expected::At(LAST_OF_PAGE);
    let mut all = vec![
        Case::accepted("viewer", viewer, Content::Same(document(VIEWER))),
        Case::accepted("viewer, a new text each time", viewer, Content::Fresh(VIEWER)),
        Case::accepted("page of 20 keys", page, Content::Same(document(PAGE))),
        Case::accepted("page, a new text each time", page, Content::Fresh(PAGE)),
    ];
    all.extend(abuses().into_iter().map(Case::from));
    all
}

impl From<Abuse> for Case {
    fn from(Abuse { name, method, path, content_type, body }: Abuse) -> Self {
        let body = Content::Same(body.into());
        Self { name, expected: Expected::Refusal, method, path, content_type, body }
    }
}

impl Case {
    fn accepted(name: &'static str, expected: Expected, body: Content) -> Self {
        let path = "/graphql".to_owned();
        Self { name, expected, method: "POST", path, content_type: Some("application/json"), body }
    }

    /// A request like all of this case; `serial` is another number each time.
    pub(crate) fn request(&self, authorization: &str, serial: u64) -> anyhow::Result<Request> {
        let body = match &self.body {
            Content::Same(body) => body.clone(),
            Content::Fresh(text) => document(&format!("{text} # {serial}")),
        };
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/graphql-response+json");
        if let Some(content_type) = self.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        Ok(request.body(Body::from(body))?)
    }

    /// The status of an answer that is as expected.
    pub(crate) async fn check(&self, answer: Response) -> anyhow::Result<StatusCode> {
        let status = answer.status();
        let body = to_bytes(answer.into_body(), ANSWER_LIMIT).await?;
        let json: Value =
            serde_json::from_slice(&body).with_context(|| format!("status {status}, no JSON"))?;
        let expected = match self.expected {
            // A caller who is not known, or has no more to spend, never came as far as what is measured.
            Expected::Refusal => {
                let for_the_caller = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
                status.is_client_error() && !for_the_caller.contains(&status) && json.get("data").is_none()
            }
            Expected::At(place) => {
                status == StatusCode::OK && json.get("errors").is_none() && json.pointer(place).is_some()
            }
        };
        ensure!(expected, "{}: status {status}: {json}", self.name);
        Ok(status)
    }
}

fn document(text: &str) -> Bytes {
    json!({ "query": text }).to_string().into()
}
