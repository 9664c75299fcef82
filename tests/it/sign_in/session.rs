//! `POST /session`: the cookie, who is refused, and what the cookie opens.

use entity::GlobalId;
use entity::activity::{ActivityKind, Outcome};
use latchkey::crypto::digest::sha256_hex;
use reqwest::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::{BEHIND_A_PROXY, Browser, OTHER, PASSWORD, WRONG, assert_unsaid, code, problem};
use crate::harness::changes::DEACTIVATE_USER;
use crate::harness::keys::CREATE;
use crate::harness::{Answer, Grants, START, Server};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn the_cookie_is_for_this_host_and_for_no_script() {
    let plain = Server::start().await;
    plain.member(ADA, &["member"]).await;
    let tls = Server::start_with("public_url = 'https://keys.example.com'").await;
    tls.member(ADA, &["member"]).await;
    for (server, name, secure) in [(&plain, "latchkey", ""), (&tls, "__Host-latchkey", "; Secure")] {
        let answer = server.enter(ADA, PASSWORD).await;
        let browser = server.browser_of(&answer);
        assert_eq!(answer.headers.get_all(SET_COOKIE).iter().count(), 1);
        let token = browser.token();
        assert!(token.len() == 43 && token.chars().all(|letter| letter.is_ascii_alphanumeric()));
        let expected = format!("{name}={token}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict{secure}");
        assert!(answer.header(SET_COOKIE.as_str()) == expected, "the attributes differ");
        assert_eq!((&*answer.text, answer.header("content-type")), ("", ""));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(browser.is_in().await);
    }
    plain.stop().await;
    tls.stop().await;
}

#[tokio::test]
async fn a_cookie_never_travels_unprotected_beyond_loopback() {
    let server = Server::start_with("public_url = 'http://keys.example.com'").await;
    server.member(ADA, &["member"]).await;
    let answer = server.enter(ADA, PASSWORD).await;
    assert_eq!(code(&answer), (403, "INSECURE".to_owned()));
    assert_eq!((answer.header(SET_COOKIE.as_str()), server.sessions().await.len()), ("", 0));
    server.stop().await;
    for public_url in ["http://localhost:8080", "http://127.0.0.2", "http://[::1]:8080"] {
        let server = Server::start_with(&format!("public_url = '{public_url}'")).await;
        server.member(ADA, &["member"]).await;
        assert!(server.browser(ADA).await.cookie.starts_with("latchkey="), "{public_url}");
        server.stop().await;
    }
    for public_url in ["http://localhost.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1"] {
        let server = Server::start_with(&format!("public_url = '{public_url}'")).await;
        assert_eq!(code(&server.enter(ADA, PASSWORD).await).0, 403, "{public_url}");
        server.stop().await;
    }
}

/// A page on another host can set `latchkey`, but nobody else can set a cookie that is named `__Host-…`.
#[tokio::test]
async fn over_tls_only_the_cookie_that_no_other_host_can_set_counts() {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    server.member(ADA, &["member"]).await;
    server.member("eve@example.com", &["member"]).await;
    let (ada, eve) = (server.browser(ADA).await, server.browser("eve@example.com").await);
    let planted = Browser { cookie: format!("latchkey={}", eve.token()), ..eve.clone() };
    assert!(!planted.is_in().await, "a cookie without the prefix counts");
    for cookie in
        [format!("{}; {}", planted.cookie, ada.cookie), format!("{}; {}", ada.cookie, planted.cookie)]
    {
        let both = Browser { cookie, ..ada.clone() };
        let viewer = both.graphql("{ viewer { user { email } } }").await.data()["viewer"].take();
        assert_eq!(viewer, json!({ "user": { "email": ADA } }));
    }
    server.leave(&planted.cookie).await;
    assert!(eve.is_in().await, "the planted cookie signs out");
    server.stop().await;
}

#[tokio::test]
async fn a_person_acts_as_themselves() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let browser = server.browser(" ADA@Example.com ").await;
    let query = "{ viewer { user { id email } owner { __typename } apiKey { id } scopes can { createApiKeys viewUsers }
        signIns { createdAt lastSeenAt endsAt ip userAgent current } } rateLimit { cost } }";
    let answer = browser.graphql(query).await;
    let viewer = answer.data()["viewer"].take();
    assert_eq!(
        viewer,
        json!({
            "user": { "id": ada.public_id, "email": ADA },
            "owner": { "__typename": "User" },
            "apiKey": null,
            "scopes": ["activity:read", "keys:read", "keys:use", "keys:write", "roles:read", "scopes:read"],
            "can": { "createApiKeys": true, "viewUsers": false },
            "signIns": [{
                "createdAt": START, "lastSeenAt": START, "endsAt": "2026-11-21T09:30:00.000Z",
                "ip": "127.0.0.1", "userAgent": null, "current": true,
            }],
        })
    );
    let made = browser.change(CREATE, json!({ "name": "ci", "scopes": ["keys:read"] })).await;
    assert_eq!(made["userErrors"], json!([]));
    let id = made["apiKey"]["id"].as_str().unwrap();
    let key = server.key_row(id.parse().unwrap()).await;
    assert_eq!(key.owner_id, ada.id);
    let row = server.changes_of(id).await.remove(0);
    let user: GlobalId = ada.public_id.parse().unwrap();
    assert_eq!(
        (row.kind, row.actor_kind.zip(row.actor_id)),
        (ActivityKind::KeyCreated, Some((user.kind, user.uuid)))
    );
    assert_eq!(row.owner_id, Some(ada.id));
    // What a person does not hold, they cannot give.
    let refused = browser.change(CREATE, json!({ "name": "more", "scopes": ["users:read"] })).await;
    assert_eq!(refused["userErrors"][0]["code"], "SCOPE_NOT_HELD");
    server.stop().await;
}

#[tokio::test]
async fn the_viewers_sign_ins_are_their_own_newest_first() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.member(ADA, &["member"]).await;
    server.member("eve@example.com", &["admin"]).await;
    let key = server.generous_key(&ada, "own", Grants::Inherit).await;
    let first = server.browser(ADA).await;
    server.advance(super::MINUTE);
    let request = server.entering(ADA, PASSWORD).header("x-forwarded-for", "203.0.113.7");
    let second = server.browser_of(&Answer::of(request.header("user-agent", "x".repeat(300))).await);
    server.browser("eve@example.com").await;
    let query = "{ viewer { signIns { createdAt ip userAgent current } } }";
    let expected = |current: usize| {
        let long = "x".repeat(200);
        let mut list = json!([
            { "createdAt": "2026-11-21T09:01:00.000Z", "ip": "203.0.113.7", "userAgent": long, "current": false },
            { "createdAt": START, "ip": "127.0.0.1", "userAgent": null, "current": false },
        ]);
        if let Some(one) = list.get_mut(current) {
            one["current"] = json!(true);
        }
        list
    };
    assert_eq!(second.graphql(query).await.data()["viewer"]["signIns"], expected(0));
    assert_eq!(first.graphql(query).await.data()["viewer"]["signIns"], expected(1));
    // Through a key one sees them too, and none of them is this request's.
    let keyed = server.sign_in(&key).await.graphql(query).await.data();
    assert_eq!(keyed["viewer"]["signIns"], expected(9));
    let bot = server.service_account("bot").await;
    let bots = server.generous_key(&bot, "bots", Grants::Scopes(&["keys:read"])).await;
    assert_eq!(server.sign_in(&bots).await.graphql(query).await.data()["viewer"]["signIns"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn the_cookie_is_not_accepted_by_get_and_not_beside_another_credential() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let eve = server.person("eve@example.com", &["member"]).await;
    let browser = server.browser(ADA).await;
    let get = server.guest().get("/graphql?query=%7Bviewer%7Buser%7Bemail%7D%7D%7D");
    let answer =
        Answer::of(get.header(COOKIE, &browser.cookie).header("sec-fetch-site", "same-origin")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "UNAUTHENTICATED"));
    let query = json!({ "query": "{ viewer { user { email } } }" });
    let with = |authorization: String| {
        let request = server.guest().post("/graphql").json(&query).header(COOKIE, &browser.cookie);
        Answer::of(request.header(AUTHORIZATION, authorization))
    };
    let answer = with(format!("Bearer {}", eve.caller.token.unwrap())).await;
    assert_eq!(answer.data()["viewer"]["user"]["email"], "eve@example.com");
    for other in ["Bearer nonsense", "Bearer", "Digest abc", "Basic abc", ""] {
        let answer = with(other.to_owned()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "UNAUTHENTICATED"), "{other}");
    }
    for cookie in ["latchkey=", "latchkey", "other=1", "latchkey=;", "latchkey=%00", "__Host-latchkey=x"] {
        let browser = Browser { cookie: cookie.to_owned(), guest: server.guest() };
        assert!(!browser.is_in().await, "{cookie}");
    }
    // The token is no bearer, and its digest no cookie.
    assert_eq!(server.bearer(browser.token()).graphql("{ viewer { scopes } }").await.status.as_u16(), 401);
    let digest = format!("latchkey={}", sha256_hex(browser.token().as_bytes()));
    assert!(!Browser { cookie: digest, guest: server.guest() }.is_in().await);
    server.stop().await;
}

#[tokio::test]
async fn what_a_person_may_do_is_asked_at_each_request() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member", "admin"]).await;
    let browser = server.browser(ADA).await;
    let query = "{ viewer { can { manageUsers } } users { nodes { email } } }";
    assert_eq!(browser.graphql(query).await.data()["viewer"]["can"]["manageUsers"], true);
    server.take_role(&ada, "admin").await;
    let answer = browser.graphql(query).await.data();
    assert_eq!(answer["viewer"]["can"]["manageUsers"], false);
    server.take_role(&ada, "member").await;
    let answer = browser.graphql("{ viewer { scopes } }").await.data();
    assert_eq!(answer["viewer"]["scopes"], json!([]));
    let refused = browser.graphql_with(CREATE, json!({ "input": { "name": "x" } })).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    server.give_role(&ada, "admin").await;
    assert_eq!(browser.graphql(query).await.data()["viewer"]["can"]["manageUsers"], true);
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_told_why_they_were_refused_and_the_log_knows() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    let gone = server.member("gone@example.com", &["member"]).await;
    let bare = server.user("bare@example.com", &["member"]).await;
    let bot = server.service_account("bot").await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    boss.caller.done(DEACTIVATE_USER, json!({ "id": gone.public_id })).await;
    let long = "x".repeat(300);
    let tries = [
        (ADA, WRONG, Outcome::BadSecret, Some(&ada)),
        (ADA, "", Outcome::BadSecret, Some(&ada)),
        ("bare@example.com", PASSWORD, Outcome::BadSecret, Some(&bare)),
        ("gone@example.com", WRONG, Outcome::BadSecret, Some(&gone)),
        ("gone@example.com", PASSWORD, Outcome::OwnerInactive, Some(&gone)),
        ("nobody@example.com", PASSWORD, Outcome::UnknownClient, None),
        (&bot.name, PASSWORD, Outcome::UnknownClient, None),
        (&bot.public_id, PASSWORD, Outcome::UnknownClient, None),
        (&ada.public_id, PASSWORD, Outcome::UnknownClient, None),
        ("", PASSWORD, Outcome::UnknownClient, None),
        ("ada@example.com\0", PASSWORD, Outcome::UnknownClient, None),
        (&long, PASSWORD, Outcome::UnknownClient, None),
        ("' OR 1=1 --", PASSWORD, Outcome::UnknownClient, None),
    ];
    let mut answers = Vec::new();
    for (email, password, outcome, who) in tries {
        let before = server.sign_in_log().await.len();
        let answer = server.enter(email, password).await;
        let mut rows = server.sign_in_log().await.split_off(before);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        let row = rows.remove(0);
        assert_eq!((row.kind, row.outcome), (ActivityKind::SignInRefused, outcome), "{email:?}");
        assert_eq!((row.actor_id, row.target_id), (None, who.map(|who| who.id.0)), "{email:?}");
        assert_eq!(row.owner_id, who.map(|who| who.id));
        assert_eq!(row.request_id.as_deref(), Some(answer.header("x-request-id")));
        assert_eq!((row.ip.as_deref(), row.detail.as_deref()), (Some("127.0.0.1"), None));
        assert_unsaid(&format!("{row:?}{answer:?}"), &[PASSWORD, WRONG]);
        answers.push(problem(&answer));
    }
    assert_eq!((answers[0].0, &answers[0].1["code"]), (401, &json!("UNAUTHENTICATED")));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    // Too long to be anybody's: refused the same way.
    assert_eq!(problem(&server.enter("else@example.com", &"x".repeat(1025)).await), answers[0]);
    assert_eq!(server.sessions().await, []);
    server.stop().await;
}

#[tokio::test]
async fn signing_in_and_out_is_logged_and_only_a_digest_is_kept() {
    let server = Server::start().await;
    let ada = server.member(ADA, &["member"]).await;
    assert_eq!(server.user_row(&ada).await.last_sign_in_at, None);
    server.advance(super::MINUTE);
    let request = server.entering(ADA, PASSWORD).header("user-agent", "Browser/1.0");
    let entered = Answer::of(request).await;
    let browser = server.browser_of(&entered);
    assert_eq!(server.user_row(&ada).await.last_sign_in_at, Some(server.app.clock.now()));
    let stored = server.sessions().await.remove(0);
    assert!(stored.token_hash == sha256_hex(browser.token().as_bytes()), "the digest is another one");
    let left = server.leave(&browser.cookie).await;
    let rows = server.sign_in_log().await;
    for (row, answer, kind, agent) in [
        (&rows[0], &entered, ActivityKind::SignedIn, Some("Browser/1.0")),
        (&rows[1], &left, ActivityKind::SignedOut, None),
    ] {
        assert_eq!((row.kind, row.outcome), (kind, Outcome::Ok));
        assert_eq!([row.actor_id, row.target_id, row.owner_id.map(|id| id.0)], [Some(ada.id.0); 3]);
        assert_eq!(row.request_id.as_deref(), Some(answer.header("x-request-id")));
        assert_eq!((row.ip.as_deref(), row.user_agent.as_deref()), (Some("127.0.0.1"), agent));
        assert_eq!(row.at, server.app.clock.now());
    }
    let again = server.browser(ADA).await;
    let bytes = server.place().stored().await;
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has(&sha256_hex(again.token().as_bytes())), "looked in the wrong place");
    for (n, secret) in [again.token(), browser.token(), PASSWORD, OTHER].iter().enumerate() {
        assert!(!has(secret), "secret {n} is stored");
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_that_are_no_sign_in_are_told_what_to_send() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let post = |kind: &'static str, body: String| {
        Answer::of(server.guest().post("/session").header("content-type", kind).body(body))
    };
    let good = json!({ "email": ADA, "password": PASSWORD }).to_string();
    for (kind, body, status) in [
        ("text/plain", good.clone(), 415),
        ("application/x-www-form-urlencoded", "email=a&password=b".to_owned(), 415),
        ("application/json", String::new(), 400),
        ("application/json", "[]".to_owned(), 400),
        ("application/json", format!("{good}x"), 400),
        ("application/json", json!({ "email": ADA }).to_string(), 400),
        ("application/json", json!({ "email": ADA, "password": null }).to_string(), 400),
        ("application/json", json!({ "email": [ADA], "password": PASSWORD }).to_string(), 400),
        ("application/json", json!({ "email": ADA, "password": PASSWORD, "otp": "1" }).to_string(), 400),
        ("application/json", format!("{{\"email\":\"{ADA}\",\"password\":\"a\",\"password\":\"b\"}}"), 400),
        ("application/json", json!({ "email": ADA, "password": "x".repeat(8192) }).to_string(), 413),
    ] {
        let answer = post(kind, body).await;
        assert_eq!(code(&answer), (status, "BAD_USER_INPUT".to_owned()));
        assert_unsaid(&answer.text, &[PASSWORD]);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(server.sign_in_outcomes().await, []);
    server.browser_of(&post("application/json; charset=utf-8", good).await);
    let get = Answer::of(server.guest().get("/session")).await;
    assert_eq!(get.status.as_u16(), 405);
    let mut allowed: Vec<Value> = get.header("allow").split(',').map(|name| json!(name.trim())).collect();
    allowed.sort_by_key(ToString::to_string);
    assert_eq!(allowed, [json!("DELETE"), json!("POST")]);
    server.stop().await;
}
