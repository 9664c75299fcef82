//! Browsers on other origins: who may call the API with a token, and that a cookie never helps them.

use reqwest::Method;
use reqwest::header::{COOKIE, HOST, ORIGIN};

use crate::harness::{Answer, Server};

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example.com";

async fn preflight(server: &Server, path: &str, origin: &str, method: &str) -> Answer {
    let request = server.http.request(Method::OPTIONS, format!("{}{path}", server.url));
    Answer::of(
        request
            .header(ORIGIN, origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization, content-type"),
    )
    .await
}

#[tokio::test]
async fn pages_of_listed_origins_may_call_with_a_token() {
    let server = Server::start_with(&format!("cors_origins = ['{APP}', 'http://localhost:5173']")).await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for (path, method) in [("/graphql", "POST"), ("/graphql", "GET"), ("/oauth/token", "POST")] {
        let allowed = preflight(&server, path, APP, method).await;
        assert_eq!(allowed.status, 200);
        assert_eq!(allowed.header("access-control-allow-origin"), APP);
        assert!(allowed.header("access-control-allow-methods").contains(method));
        assert_eq!(
            allowed.header("access-control-allow-headers"),
            "authorization,content-type,idempotency-key"
        );
        assert_eq!(allowed.header("access-control-max-age"), "600");
        assert_eq!(allowed.header("access-control-allow-credentials"), "", "no cookies, ever");
    }
    let query = |origin: &str| {
        let request =
            ada.caller.post("/graphql").header(ORIGIN, origin).header("sec-fetch-site", "cross-site");
        ada.caller.send(request.json(&serde_json::json!({ "query": "{ viewer { scopes } }" })))
    };
    let answer = query(APP).await;
    answer.data();
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    let exposed = answer.header("access-control-expose-headers");
    for header in ["x-request-id", "ratelimit", "ratelimit-policy", "retry-after", "www-authenticate"] {
        assert!(exposed.split(',').any(|name| name == header), "{header} in {exposed}");
    }
    assert!(answer.header("vary").contains("origin"));
    // A refusal can be read too.
    let request = server.guest().post("/graphql").header(ORIGIN, APP);
    let refused = Answer::of(request.json(&serde_json::json!({ "query": "{ viewer { scopes } }" }))).await;
    assert_eq!((refused.status.as_u16(), refused.header("access-control-allow-origin")), (401, APP));
    // Others get an answer that their browser does not show them.
    assert_eq!(query(EVIL).await.header("access-control-allow-origin"), "");
    assert_eq!(preflight(&server, "/graphql", EVIL, "POST").await.header("access-control-allow-origin"), "");
    server.stop().await;
}

#[tokio::test]
async fn without_a_list_nothing_is_said_of_origins() {
    let server = Server::start().await;
    let answer = preflight(&server, "/graphql", APP, "POST").await;
    assert_eq!(answer.status, 405);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_cookie_from_elsewhere_is_refused_whatever_the_path() {
    let server = Server::start_with(&format!("cors_origins = ['{APP}']")).await;
    let host = server.url.replace("http://", "");
    let send = |method: Method, path: &str, cookie: &str, headers: &[(&str, &str)]| {
        let mut request = server.http.request(method, format!("{}{path}", server.url)).header(HOST, &host);
        if !cookie.is_empty() {
            request = request.header(COOKIE, cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.json(&serde_json::json!({ "query": "{ viewer { scopes } }" })))
    };
    let cross = [("sec-fetch-site", "cross-site")];
    for (cookie, headers) in [
        ("latchkey=abc", &cross[..]),
        ("__Host-latchkey=abc", &cross),
        ("theme=dark; __Host-latchkey=abc", &[("sec-fetch-site", "same-site")]),
        ("latchkey=abc", &[("origin", EVIL)]),
        // A page that may call with a token may not call with a cookie.
        ("latchkey=abc", &[("origin", APP)]),
        ("latchkey=abc", &[("origin", "null")]),
    ] {
        for (method, path) in
            [(Method::POST, "/graphql"), (Method::DELETE, "/nowhere"), (Method::POST, "/oauth/token")]
        {
            let answer = send(method, path, cookie, headers).await;
            assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (403, Some("CROSS_ORIGIN")));
            assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
        }
    }
    let ours = format!("http://{host}");
    for (cookie, headers) in [
        ("latchkey=abc", &[("sec-fetch-site", "same-origin")][..]),
        ("latchkey=abc", &[("origin", &ours)]),
        ("latchkey=abc", &[]),
        ("other=abc", &cross),
        ("", &cross),
        ("latchkey=abc", &[("sec-fetch-site", "cross-site"), ("authorization", "Bearer x")]),
    ] {
        let answer = send(Method::POST, "/graphql", cookie, headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "UNAUTHENTICATED"),
            "{cookie} {headers:?}"
        );
    }
    server.stop().await;
}
