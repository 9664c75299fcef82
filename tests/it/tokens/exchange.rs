//! `POST /oauth/token`: the ways to ask (RFC 6749, sections 2.3, 3.2, 4.4), and exactly what comes back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::wire::{FORM, GRANT, JSON, PATH, basic, decoded, in_body, line, request_id, send, token, whole};
use crate::harness::{Answer, Grants, Key, Server};

/// Label, headers, body.
type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, String);

/// A server whose issuer is known beforehand, and a key that is limited by nothing here.
async fn started() -> (Server, Key) {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    let ci = server.service_account("ci").await;
    let key = server.generous_key(&ci, "ci", Grants::Scopes(&["keys:read"])).await;
    (server, key)
}

/// The answers to all rows, a line each.
async fn table(server: &Server, rows: Vec<Row<'_>>) -> String {
    let mut lines = String::new();
    for (label, headers, body) in rows {
        lines += &format!("{label} -> {}\n", line(&send(server, &headers, &body).await));
    }
    lines
}

#[tokio::test]
async fn a_token_comes_with_exactly_these_headers_and_members() {
    let (server, key) = started().await;
    let authorization = basic(&key.client_id, &key.secret);
    let answer = send(&server, &[FORM, ("authorization", &authorization)], GRANT).await;
    assert_eq!(request_id(&answer).len(), 32);
    let jwt = token(&answer);
    let length = format!("content-length: {}", answer.text.len());
    let shown = whole(&answer).replace(&jwt, "<jwt>").replace(&length, "content-length: <length>");
    insta::assert_snapshot!(shown, @r#"
    200
    cache-control: no-store
    content-length: <length>
    content-type: application/json
    pragma: no-cache
    ratelimit-policy: "token";q=10000000;w=1
    ratelimit: "token";r=9999999;t=1

    {"access_token":"<jwt>","token_type":"Bearer","expires_in":600,"scope":"keys:read"}
    "#);

    let (header, claims) = decoded(&jwt);
    let kid = header["kid"].as_str().unwrap();
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "ES256", "kid": kid }));
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(jti.len(), 32);
    // 2026-11-21T09:00:00Z, and ten minutes later.
    let expected = json!({
        "iss": "https://keys.example.com", "sub": claims["sub"], "aud": "https://keys.example.com",
        "client_id": key.client_id, "scope": "keys:read", "iat": 1_795_251_600, "exp": 1_795_252_200,
        "jti": jti, "gen": 0,
    });
    assert_eq!(claims, expected);
    assert!(claims["sub"].as_str().unwrap().starts_with("svc_"));
    server.stop().await;
}

/// Proves: X-07
#[tokio::test]
async fn every_token_has_an_id_of_its_own_and_names_the_owner_as_its_subject() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let tokens = [server.exchange(&key, &[]).await, server.exchange(&key, &[]).await];
    let [one, two] = tokens.map(|answer| decoded(&token(&answer)).1);
    assert_ne!(one["jti"], two["jti"]);
    assert_eq!(one["sub"], *ada.public_id);
    assert_eq!(one["client_id"], *key.client_id);
    server.stop().await;
}

#[tokio::test]
async fn the_lifetime_is_that_of_the_key_or_ten_minutes() {
    let server = Server::start().await;
    let ci = server.service_account("ci").await;
    for (asked, granted) in [(None, 600), (Some(60), 60), (Some(3_600), 3_600)] {
        let key = server
            .key_with(&ci, &format!("{asked:?}"), Grants::Scopes(&["keys:read"]), |new| {
                new.token_lifetime_seconds = asked;
            })
            .await;
        let answer = server.exchange(&key, &[]).await;
        let claims = decoded(&token(&answer)).1;
        assert_eq!(answer.json()["expires_in"], granted);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), granted);
    }
    server.stop().await;
}

#[tokio::test]
async fn credentials_come_by_basic_each_half_form_encoded_or_not() {
    let (server, key) = started().await;
    let Key { client_id: id, secret, .. } = &key;
    let plain = basic(id, secret);
    let escaped = basic(id, &secret.replace('_', "%5F"));
    let all_escaped: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let all_escaped = basic(&id.replace('A', "%41"), &all_escaped);
    let (lower, upper) = (plain.replace("Basic", "basic"), plain.replace("Basic", "BASIC"));
    let spaced = plain.replace("Basic ", "Basic   ");
    let with = |authorization| vec![FORM, ("authorization", authorization)];
    let grant = |more: &str| format!("{GRANT}{more}");
    let as_json = vec![JSON, ("authorization", &*plain)];
    let rows = vec![
        ("as they are", with(&plain), grant("")),
        ("with %5F for _", with(&escaped), grant("")),
        ("with everything form-encoded", with(&all_escaped), grant("")),
        ("basic in lower case", with(&lower), grant("")),
        ("BASIC in upper case", with(&upper), grant("")),
        ("after several spaces", with(&spaced), grant("")),
        ("beside the same client_id", with(&plain), grant(&format!("&client_id={id}"))),
        ("beside an empty client_secret", with(&plain), grant("&client_secret=")),
        ("beside empty parameters", with(&plain), grant("&client_id=&client_secret=&scope=&resource=")),
        ("beside unknown parameters", with(&plain), grant("&foo=1&bar=2")),
        ("beside JSON", as_json, json!({ "grant_type": "client_credentials" }).to_string()),
    ];
    insta::assert_snapshot!(table(&server, rows).await, @"
    as they are -> 200 keys:read
    with %5F for _ -> 200 keys:read
    with everything form-encoded -> 200 keys:read
    basic in lower case -> 200 keys:read
    BASIC in upper case -> 200 keys:read
    after several spaces -> 200 keys:read
    beside the same client_id -> 200 keys:read
    beside an empty client_secret -> 200 keys:read
    beside empty parameters -> 200 keys:read
    beside unknown parameters -> 200 keys:read
    beside JSON -> 200 keys:read
    ");
    server.stop().await;
}

/// Proves: X-06
#[tokio::test]
async fn credentials_come_in_the_body_as_a_form_or_as_json() {
    let (server, key) = started().await;
    let Key { client_id: id, secret, .. } = &key;
    let shuffled = format!("client_secret={secret}&client_id={id}&{GRANT}");
    let as_json = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    let typed = |kind| vec![("content-type", kind)];
    let form_with_charset = typed("Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    let json_with_charset = typed("application/json;charset=utf-8");
    let rows = vec![
        ("form", vec![FORM], in_body(&key)),
        ("form in another order", vec![FORM], shuffled),
        ("form with a charset", form_with_charset, in_body(&key)),
        ("JSON", vec![JSON], as_json.to_string()),
        ("JSON with a charset", json_with_charset, as_json.to_string()),
    ];
    insta::assert_snapshot!(table(&server, rows).await, @"
    form -> 200 keys:read
    form in another order -> 200 keys:read
    form with a charset -> 200 keys:read
    JSON -> 200 keys:read
    JSON with a charset -> 200 keys:read
    ");
    server.stop().await;
}

#[tokio::test]
async fn two_ways_to_authenticate_at_once_are_refused() {
    let (server, key) = started().await;
    let other = server
        .generous_key(&server.service_account("other").await, "x", Grants::Scopes(&["keys:read"]))
        .await;
    let plain = basic(&key.client_id, &key.secret);
    let with = || vec![FORM, ("authorization", &*plain)];
    let twice = vec![FORM, ("authorization", &*plain), ("authorization", &*plain)];
    let rows = vec![
        ("the same credentials twice", with(), in_body(&key)),
        ("the secret alone in the body", with(), format!("{GRANT}&client_secret={}", key.secret)),
        ("somebody else's in the body", with(), in_body(&other)),
        ("another client_id", with(), format!("{GRANT}&client_id={}", other.client_id)),
        ("two Authorization headers", twice, GRANT.to_owned()),
    ];
    insta::assert_snapshot!(table(&server, rows).await, @"
    the same credentials twice -> 400 invalid_request: Authenticate with the Authorization header or in the body, not both.
    the secret alone in the body -> 400 invalid_request: Authenticate with the Authorization header or in the body, not both.
    somebody else's in the body -> 400 invalid_request: Authenticate with the Authorization header or in the body, not both.
    another client_id -> 400 invalid_request: Authenticate with the Authorization header or in the body, not both.
    two Authorization headers -> 400 invalid_request: The request has more than one Authorization header.
    ");
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_another_kind_is_told_what_is_expected() {
    let (server, key) = started().await;
    let plain = basic(&key.client_id, &key.secret);
    let authorization = ("authorization", &*plain);
    let form = |label, body: &str| (label, vec![FORM, authorization], body.to_owned());
    let json = |label, body: &str| (label, vec![JSON, authorization], body.to_owned());
    let typed = |label, kind| (label, vec![("content-type", kind), authorization], GRANT.to_owned());
    let rows = vec![
        ("no content type", vec![authorization], GRANT.to_owned()),
        typed("plain text", "text/plain"),
        typed("a form of another kind", "multipart/form-data; boundary=x"),
        json("a form sent as JSON", GRANT),
        form("JSON sent as a form", r#"{"grant_type":"client_credentials"}"#),
        json("JSON that is a list", r#"["client_credentials"]"#),
        json("JSON with a number", r#"{"grant_type":"client_credentials","scope":1}"#),
    ];
    insta::assert_snapshot!(table(&server, rows).await, @"
    no content type -> 400 invalid_request: Send Content-Type: application/x-www-form-urlencoded.
    plain text -> 400 invalid_request: Send Content-Type: application/x-www-form-urlencoded.
    a form of another kind -> 400 invalid_request: Send Content-Type: application/x-www-form-urlencoded.
    a form sent as JSON -> 400 invalid_request: The body is not a JSON object of strings, or a parameter is repeated.
    JSON sent as a form -> 400 invalid_request: The parameter grant_type is missing.
    JSON that is a list -> 400 invalid_request: The body is not a JSON object of strings, or a parameter is repeated.
    JSON with a number -> 400 invalid_request: The body is not a JSON object of strings, or a parameter is repeated.
    ");
    server.stop().await;
}

#[tokio::test]
async fn a_parameter_that_is_missing_unknown_or_repeated_is_told() {
    let (server, key) = started().await;
    let plain = basic(&key.client_id, &key.secret);
    let authorization = ("authorization", &*plain);
    let form = |label, body: &str| (label, vec![FORM, authorization], body.to_owned());
    let json = |label, body: &str| (label, vec![JSON, authorization], body.to_owned());
    let rows = vec![
        form("nothing", ""),
        form("no grant_type", "scope=keys:read"),
        form("an empty grant_type", "grant_type=&scope=keys:read"),
        form("an unknown grant_type", "grant_type=password"),
        form("a grant_type in another case", "grant_type=Client_Credentials"),
        form("grant_type twice", &format!("{GRANT}&{GRANT}")),
        form("scope twice", &format!("{GRANT}&scope=keys:read&scope=keys:read")),
        form("scope twice, once empty", &format!("{GRANT}&scope=keys:read&scope=")),
        form("an unknown parameter twice", &format!("{GRANT}&foo=1&foo=2")),
        json("JSON with scope twice", r#"{"grant_type":"client_credentials","scope":"a","scope":"a"}"#),
    ];
    insta::assert_snapshot!(table(&server, rows).await, @"
    nothing -> 400 invalid_request: The parameter grant_type is missing.
    no grant_type -> 400 invalid_request: The parameter grant_type is missing.
    an empty grant_type -> 400 invalid_request: The parameter grant_type is missing.
    an unknown grant_type -> 400 unsupported_grant_type: Only grant_type=client_credentials is supported.
    a grant_type in another case -> 400 unsupported_grant_type: Only grant_type=client_credentials is supported.
    grant_type twice -> 400 invalid_request: A parameter is repeated.
    scope twice -> 400 invalid_request: A parameter is repeated.
    scope twice, once empty -> 400 invalid_request: A parameter is repeated.
    an unknown parameter twice -> 400 invalid_request: A parameter is repeated.
    JSON with scope twice -> 400 invalid_request: A parameter is repeated.
    ");
    server.stop().await;
}

#[tokio::test]
async fn a_scope_or_resource_that_cannot_be_granted_is_told() {
    let (server, key) = started().await;
    let plain = basic(&key.client_id, &key.secret);
    let authorization = ("authorization", &*plain);
    let form = |label, body: &str| (label, vec![FORM, authorization], body.to_owned());
    let rows = vec![
        form("a scope with two spaces", &format!("{GRANT}&scope=keys:read++keys:use")),
        form("a scope with a space before", &format!("{GRANT}&scope=+keys:read")),
        form("a scope with a space behind", &format!("{GRANT}&scope=keys:read+")),
        form("a scope with a tab", &format!("{GRANT}&scope=keys:read%09keys:use")),
        form("a scope with a quote", &format!("{GRANT}&scope=%22keys:read%22")),
        form("a scope with a backslash", &format!("{GRANT}&scope=keys%5Cread")),
        form("a scope beyond ASCII", &format!("{GRANT}&scope=cl%C3%A9s:read")),
        form("a scope with U+0000", &format!("{GRANT}&scope=keys:read%00")),
        form("an unknown scope", &format!("{GRANT}&scope=no:such")),
        form("an unknown resource", &format!("{GRANT}&resource=https://nowhere.example.com")),
        form("a resource with U+0000", &format!("{GRANT}&resource=%00")),
    ];
    insta::assert_snapshot!(table(&server, rows).await, @"
    a scope with two spaces -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope with a space before -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope with a space behind -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope with a tab -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope with a quote -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope with a backslash -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope beyond ASCII -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    a scope with U+0000 -> 400 invalid_scope: scope must be a list of names separated by single spaces.
    an unknown scope -> 400 invalid_scope: This API key does not hold every requested scope.
    an unknown resource -> 400 invalid_target: No API has the identifier given as resource.
    a resource with U+0000 -> 400 invalid_target: No API has the identifier given as resource.
    ");
    server.stop().await;
}

#[tokio::test]
async fn eight_kib_are_read_and_not_a_byte_more() {
    let (server, key) = started().await;
    let plain = basic(&key.client_id, &key.secret);
    let headers = [FORM, ("authorization", &*plain)];
    let padded = |length: usize| format!("{GRANT}&x={}", "x".repeat(length - GRANT.len() - 3));
    assert_eq!(line(&send(&server, &headers, &padded(8_192)).await), "200 keys:read");
    let refused = send(&server, &headers, &padded(8_193)).await;
    assert_eq!(line(&refused), "413 invalid_request: Send at most 8 KiB.");
    server.stop().await;
}

#[tokio::test]
async fn without_credentials_or_with_a_malformed_header_the_answer_names_basic() {
    let (server, key) = started().await;
    let Key { client_id: id, secret, .. } = &key;
    let of = |text: &[u8]| format!("Basic {}", STANDARD.encode(text));
    let unpadded = basic(id, secret).trim_end_matches('=').to_owned();
    let headers = [
        ("not base64", "Basic !!!".to_owned()),
        ("base64 without its padding", unpadded),
        ("no colon", of(b"client")),
        ("not UTF-8", of(&[0xff, b':', 0xff])),
        ("nothing after the scheme", "Basic".to_owned()),
        ("another scheme", format!("Bearer {secret}")),
        ("credentials without a scheme", STANDARD.encode(format!("{id}:{secret}"))),
        ("an empty header", String::new()),
    ];
    let mut rows: Vec<Row<'_>> = headers
        .iter()
        .map(|(label, value)| (*label, vec![FORM, ("authorization", value.as_str())], GRANT.to_owned()))
        .collect();
    rows.push(("nothing at all", vec![FORM], GRANT.to_owned()));
    rows.push(("a client_id alone", vec![FORM], format!("{GRANT}&client_id={id}")));
    rows.push(("an empty client_secret", vec![FORM], format!("{GRANT}&client_id={id}&client_secret=")));
    rows.push(("a client_secret alone", vec![FORM], format!("{GRANT}&client_secret={secret}")));
    insta::assert_snapshot!(table(&server, rows).await, @"
    not base64 -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    base64 without its padding -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    no colon -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    not UTF-8 -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    nothing after the scheme -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    another scheme -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    credentials without a scheme -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    an empty header -> 401 invalid_client: The Authorization header must be Basic, with the form-encoded client id and client secret. [challenged]
    nothing at all -> 401 invalid_client: Authenticate with HTTP Basic, or with client_id and client_secret in the body. [challenged]
    a client_id alone -> 401 invalid_client: Authenticate with HTTP Basic, or with client_id and client_secret in the body. [challenged]
    an empty client_secret -> 401 invalid_client: Authenticate with HTTP Basic, or with client_id and client_secret in the body. [challenged]
    a client_secret alone -> 401 invalid_client: Authenticate with HTTP Basic, or with client_id and client_secret in the body. [challenged]
    ");
    let address = format!("{PATH}?client_id={id}&client_secret={secret}");
    let answer = super::wire::send_to(&server, &address, &[FORM], GRANT).await;
    assert!(line(&answer).starts_with("401 invalid_client"));
    server.stop().await;
}

#[tokio::test]
async fn other_methods_are_told_that_it_is_post() {
    let (server, _) = started().await;
    for path in [PATH, "/api/v2/authenticate"] {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let method: reqwest::Method = method.parse().unwrap();
            let answer =
                Answer::of(server.http.request(method.clone(), format!("{}{path}", server.url))).await;
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"), "{method} {path}");
            assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
            assert_eq!(request_id(&answer).len(), 32);
            if method != reqwest::Method::HEAD {
                assert_eq!(answer.json()["error"], "invalid_request");
            }
        }
    }
    server.stop().await;
}
