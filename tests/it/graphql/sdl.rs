//! `GET /graphql/schema.graphql`, for code generators.

use latchkey::graphql::Schema;
use reqwest::header::IF_NONE_MATCH;

use crate::harness::Server;

#[tokio::test]
async fn the_schema_is_there_for_everybody_and_can_be_kept() {
    let server = Server::start().await;
    let guest = server.guest();
    let answer = guest.send(guest.get("/graphql/schema.graphql")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, Schema::build().sdl()));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let etag = answer.header("etag").to_owned();
    for (tags, status) in [
        (etag.clone(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"other\", {etag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
    ] {
        let again = guest.send(guest.get("/graphql/schema.graphql").header(IF_NONE_MATCH, &tags)).await;
        assert_eq!((again.status.as_u16(), again.text.is_empty()), (status, status == 304), "{tags}");
        assert_eq!(again.header("etag"), etag);
    }
    server.stop().await;
}
