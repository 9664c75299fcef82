//! What is sent to hurt: each is refused before anything of it runs, and costs its sender nothing. What the refusals cost
//! the server is measured by `make bench`.

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use super::abuses::{Abuse, abuses};
use crate::harness::{Caller, Server};

fn request(caller: &Caller, abuse: Abuse) -> RequestBuilder {
    let request = match abuse.method {
        "GET" => caller.get(&abuse.path),
        "POST" => caller.post(&abuse.path),
        other => panic!("{}: a caller does not send {other}", abuse.name),
    };
    let request = request.header(ACCEPT, "application/graphql-response+json");
    match abuse.content_type {
        Some(content_type) => request.header(CONTENT_TYPE, content_type).body(abuse.body),
        None => request,
    }
}

#[tokio::test]
async fn each_is_refused_before_anything_runs() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let before = server.state().await;
    let mut table = String::new();
    for abuse in abuses() {
        let name = abuse.name;
        let reads = server.reads_before(&ada.caller).await;
        let answer = ada.caller.send(request(&ada.caller, abuse)).await;
        let body = answer.json();
        assert_eq!(body.get("data"), None, "{name}");
        assert_eq!(answer.header("ratelimit"), "", "{name} costs nothing");
        let identified = server.app.db.reads() - reads;
        table += &format!("{name:<26} {} {:<26} {identified} reads\n", answer.status.as_u16(), answer.code());
    }
    assert_eq!(server.state().await, before);
    insta::assert_snapshot!(table);
    server.stop().await;
}
