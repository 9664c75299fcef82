//! Pages elsewhere: they sign nobody in or out, and set nothing up, with a cookie or without.

use reqwest::Method;
use reqwest::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use serde_json::json;

use super::{PASSWORD, code};
use crate::harness::{Answer, Server};

const ADA: &str = "ada@example.com";
const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example.com";

/// What would succeed if it came from the console.
async fn send(server: &Server, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = server.http.request(method.clone(), format!("{}{path}", server.url));
    request = request.header(HOST, server.url.replace("http://", ""));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(match (method, path) {
        (&Method::POST, "/session") => request.json(&json!({ "email": ADA, "password": PASSWORD })),
        (&Method::POST, _) => request.json(&json!({ "token": "x", "email": ADA, "password": PASSWORD })),
        _ => request,
    })
    .await
}

const ROUTES: [(Method, &str); 3] =
    [(Method::POST, "/session"), (Method::DELETE, "/session"), (Method::POST, "/setup")];

#[tokio::test]
async fn pages_elsewhere_sign_nobody_in_or_out() {
    let server = Server::start_with(&format!("cors_origins = ['{APP}']")).await;
    server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    let (sessions, log) = (server.sessions().await, server.sign_in_log().await);
    for elsewhere in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        (ORIGIN.as_str(), EVIL),
        // A page that may call with a token may not sign anybody in.
        (ORIGIN.as_str(), APP),
        (ORIGIN.as_str(), "null"),
    ] {
        for (method, path) in &ROUTES {
            for more in [
                None,
                Some((COOKIE.as_str(), &*browser.cookie)),
                Some(("authorization", "Bearer x")),
                Some(("authorization", "Basic x")),
            ] {
                let headers: Vec<_> = [elsewhere].into_iter().chain(more).collect();
                let answer = send(&server, method, path, &headers).await;
                assert_eq!(code(&answer), (403, "CROSS_ORIGIN".to_owned()), "{method} {path} {elsewhere:?}");
                assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
                assert_eq!(answer.header(SET_COOKIE.as_str()), "");
            }
        }
    }
    assert!(sessions == server.sessions().await, "a sign-in came or went");
    assert_eq!(server.sign_in_log().await, log);
    assert!(browser.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn the_console_and_programs_sign_in_and_out() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let ours = server.url.clone();
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-origin"), ("origin", &ours)],
        &[("origin", &ours)],
        &[("sec-fetch-site", "none")],
    ] {
        for ((method, path), status) in ROUTES.iter().zip([204, 204, 401]) {
            let answer = send(&server, method, path, headers).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path} {headers:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn with_a_cookie_only_the_consoles_own_pages_change_anything() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    let post = |site: &'static str| {
        let request = server.guest().post("/graphql").header(COOKIE, &browser.cookie);
        let query = "mutation { signOutEverywhere { ended } }";
        Answer::of(request.header("sec-fetch-site", site).json(&json!({ "query": query })))
    };
    for site in ["cross-site", "same-site"] {
        assert_eq!(code(&post(site).await), (403, "CROSS_ORIGIN".to_owned()));
    }
    assert!(browser.is_in().await);
    // A form elsewhere can send this type without asking first.
    let form = server.guest().post("/graphql").header(COOKIE, &browser.cookie);
    let form = form.header("content-type", "text/plain").body("{\"query\":\"{ viewer { scopes } }\"}");
    assert_eq!(Answer::of(form).await.status.as_u16(), 415);
    assert_eq!(post("same-origin").await.data()["signOutEverywhere"]["ended"], 1);
    assert!(!browser.is_in().await);
    server.stop().await;
}
