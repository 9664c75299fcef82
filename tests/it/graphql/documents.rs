//! Documents that are named instead of sent: those of manifests, and those that clients register.

use std::path::PathBuf;

use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::harness::keys::Person;
use crate::harness::{Answer, Server, encoded};

const KNOWN: &str = "query Known($first: Int) { apiKeys(first: $first) { nodes { id } } }";
const NOBODYS_ID: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
const OTHER: &str = "{ viewer { scopes } }";

fn id(text: &str) -> String {
    format!("sha256:{}", latchkey::crypto::digest::sha256_hex(text.as_bytes()))
}

/// A server that knows one document, and accepts others or does not.
async fn started(accepts: &str) -> (Server, Person, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("documents.json");
    std::fs::write(&path, json!({ id(KNOWN): KNOWN }).to_string()).unwrap();
    let settings =
        format!("graphql_documents = '{accepts}'\ngraphql_documents_files = ['{}']", path.display());
    let server = Server::start_with(&settings).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    (server, ada, directory)
}

async fn send(ada: &Person, body: Value) -> Answer {
    let request = ada.caller.post("/graphql").header(ACCEPT, "application/graphql-response+json");
    ada.caller.send(request.json(&body)).await
}

#[tokio::test]
async fn a_known_document_is_executed_by_its_id() {
    let (server, ada, _directory) = started("any").await;
    let answer = send(&ada, json!({ "documentId": id(KNOWN), "variables": { "first": 1 } })).await;
    assert_eq!(answer.data()["apiKeys"]["nodes"][0]["id"], ada.key.id);
    let parameters = encoded(&[("documentId", id(KNOWN).as_str()), ("variables", r#"{"first":1}"#)]);
    let by_get = ada.caller.send(ada.caller.get(&format!("/graphql?{parameters}"))).await;
    assert_eq!(by_get.data(), answer.data());
    send(&ada, json!({ "documentId": id(KNOWN), "query": KNOWN })).await.data();
    server.stop().await;
}

#[tokio::test]
async fn an_id_that_leads_nowhere_is_told_so() {
    let (server, ada, _directory) = started("any").await;
    for (body, told) in [
        (json!({ "documentId": id(OTHER) }), "404 PERSISTED_DOCUMENT_NOT_FOUND"),
        (json!({ "documentId": NOBODYS_ID }), "404 PERSISTED_DOCUMENT_NOT_FOUND"),
        (json!({ "documentId": "md5:abc" }), "400 BAD_USER_INPUT"),
        (json!({ "documentId": id(KNOWN).to_uppercase() }), "400 BAD_USER_INPUT"),
        (json!({ "documentId": id(KNOWN), "query": OTHER }), "400 BAD_USER_INPUT"),
        (json!({ "documentId": 7 }), "400 BAD_USER_INPUT"),
        (json!({ "documentId": null }), "400 BAD_USER_INPUT"),
    ] {
        let answer = send(&ada, body.clone()).await;
        assert_eq!(format!("{} {}", answer.status.as_u16(), answer.code()), told, "{body}");
        assert_eq!(answer.json().get("data"), None);
    }
    server.stop().await;
}

/// What Apollo's clients do: the digest alone, and the text too when the server does not know it.
#[tokio::test]
async fn automatic_persisted_queries_are_registered_and_found() {
    let (server, ada, _directory) = started("any").await;
    let digest = id(OTHER).replace("sha256:", "");
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": digest } });
    let unknown = send(&ada, json!({ "extensions": extensions })).await;
    assert_eq!(unknown.json()["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "PERSISTED_DOCUMENT_NOT_FOUND"));
    let wrong = send(&ada, json!({ "query": KNOWN, "extensions": extensions })).await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "BAD_USER_INPUT"));
    send(&ada, json!({ "query": OTHER, "extensions": extensions })).await.data();
    send(&ada, json!({ "extensions": extensions })).await.data();
    // Once registered, it can be asked for in either way.
    send(&ada, json!({ "documentId": id(OTHER) })).await.data();
    for extensions in [
        json!({ "persistedQuery": { "version": 2, "sha256Hash": digest } }),
        json!({ "persistedQuery": { "version": 1 } }),
        json!({ "persistedQuery": "x" }),
    ] {
        let answer = send(&ada, json!({ "query": OTHER, "extensions": extensions })).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "BAD_USER_INPUT"), "{extensions}");
    }
    let both = send(&ada, json!({ "documentId": id(OTHER), "extensions": extensions })).await;
    assert_eq!((both.status.as_u16(), both.code().as_str()), (400, "BAD_USER_INPUT"));
    server.stop().await;
}

#[tokio::test]
async fn with_known_documents_only_everything_else_is_refused() {
    let (server, ada, _directory) = started("known").await;
    send(&ada, json!({ "documentId": id(KNOWN) })).await.data();
    send(&ada, json!({ "query": KNOWN })).await.data();
    for body in [
        json!({ "query": OTHER }),
        json!({ "query": "{ __schema { queryType { name } } }" }),
        json!({ "query": "mutation { createApiKey(input: { name: \"x\" }) { clientSecret } }" }),
        json!({ "query": OTHER, "documentId": id(OTHER) }),
        json!({ "query": format!("{KNOWN} ") }),
    ] {
        let answer = send(&ada, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "DOCUMENT_NOT_ALLOWED"), "{body}");
        assert_eq!(answer.header("ratelimit"), "", "what is refused costs nothing");
    }
    assert_eq!(send(&ada, json!({ "documentId": id(OTHER) })).await.code(), "PERSISTED_DOCUMENT_NOT_FOUND");
    server.stop().await;
}
