//! `GET /whoami` of a person: by the cookie, or by a password where the settings allow it.

use reqwest::header::COOKIE;
use serde_json::json;

use super::{PASSWORD, WRONG, code};
use crate::harness::{Answer, Server};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_person_is_told_who_they_are_and_has_no_limit() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["auditor"]).await;
    server.run_sql("UPDATE settings SET password_api_access = TRUE").await;
    let browser = server.browser(ADA).await;
    let expected = json!({
        "type": "user",
        "sub": ada.public_id,
        "id": ada.public_id,
        "email": ADA,
        "display_name": ADA,
        "scopes": [
            "activity:read", "activity:read:any", "groups:read", "keys:read", "keys:read:any", "roles:read",
            "scopes:read", "service-accounts:read", "settings:read", "users:read",
        ],
    });
    for request in [
        server.guest().get("/whoami").header(COOKIE, &browser.cookie),
        server.guest().get("/whoami").basic_auth(ADA, Some(PASSWORD)),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), ("", ""));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_has_ended_and_a_wrong_password_are_nobodys() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let browser = server.browser(ADA).await;
    let by_cookie = || server.guest().get("/whoami").header(COOKIE, &browser.cookie);
    let by_password = |password| server.guest().get("/whoami").basic_auth(ADA, Some(password));
    let unauthenticated = (401, "UNAUTHENTICATED".to_owned());
    // Passwords are not accepted at the API unless the settings say so.
    assert_eq!(code(&Answer::of(by_password(PASSWORD)).await), unauthenticated);
    server.run_sql("UPDATE settings SET password_api_access = TRUE").await;
    assert_eq!(code(&Answer::of(by_password(WRONG)).await), unauthenticated);
    for _ in 0..10 {
        Answer::of(by_password(WRONG)).await;
    }
    let throttled = Answer::of(by_password(PASSWORD)).await;
    assert_eq!(code(&throttled), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(throttled.header("retry-after"), "60");
    // The cookie does not help out where another credential is presented.
    let both = by_cookie().bearer_auth("nonsense");
    assert_eq!(code(&Answer::of(both).await), unauthenticated);
    assert_eq!(Answer::of(by_cookie()).await.status, 200);
    server.leave(&browser.cookie).await;
    assert_eq!(code(&Answer::of(by_cookie()).await), unauthenticated);
    server.stop().await;
}
