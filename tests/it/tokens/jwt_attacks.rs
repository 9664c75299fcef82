//! The known attacks on JWT (RFC 8725, RFC 9068) against `POST /graphql`: all are refused, and none makes the server
//! fetch anything.

use std::net::TcpListener;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::forge::{Forge, joined, signed, unsigned, with_signature};
use crate::harness::{Answer, Grants, Server};

async fn started() -> (Server, Forge) {
    let server = Server::start().await;
    let robot = server.service_account("robot").await;
    let key = server.generous_key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
    let forge = Forge::beside(&server, &key).await;
    (server, forge)
}

#[tokio::test]
async fn what_is_built_by_hand_is_accepted_as_long_as_nothing_is_wrong_with_it() {
    let (server, forge) = started().await;
    let issuer = forge.claims["iss"].clone();
    forge.is_accepted("the genuine one", &forge.genuine).await;
    forge.is_accepted("a copy", &forge.ours(&forge.header, &forge.claims)).await;
    // RFC 9068, section 4: with or without `application/`; types are compared without case.
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT", "Application/AT+jwt"] {
        let token = forge.ours(&forge.header_with(json!({ "typ": typ })), &forge.claims);
        forge.is_accepted(typ, &token).await;
    }
    for (label, claims) in [
        ("a list of audiences", json!({ "aud": ["https://billing.example.com", issuer] })),
        ("a list of one audience", json!({ "aud": [issuer] })),
        ("unknown claims", json!({ "roles": ["admin"], "scp": ["users:write"] })),
        ("another end", json!({ "exp": forge.claims["iat"].as_i64().unwrap() + 1 })),
    ] {
        forge.is_accepted(label, &forge.ours(&forge.header, &forge.claims_with(claims))).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let (server, forge) = started().await;
    let signature = forge.genuine.rsplit_once('.').unwrap().1;
    for alg in ["none", "None", "NONE", "nOnE", "", "null"] {
        let unsigned = unsigned(&forge.header_with(json!({ "alg": alg })), &forge.claims);
        forge.is_refused(&format!("{alg}, no signature"), &format!("{unsigned}.")).await;
        forge.is_refused(&format!("{alg}, a genuine signature"), &format!("{unsigned}.{signature}")).await;
        forge
            .is_refused(&format!("{alg}, signed with our key"), &with_signature(&forge.ours, &unsigned))
            .await;
    }
    let same = unsigned(&forge.header, &forge.claims);
    forge.is_refused("ES256, no signature", &format!("{same}.")).await;
    for (label, signature) in [
        ("zeroes", vec![0; 64]),
        ("the order of the curve", [ORDER, ORDER].concat()),
        ("too short", vec![1; 63]),
        ("too long", vec![1; 65]),
    ] {
        forge.is_refused(label, &format!("{same}.{}", URL_SAFE_NO_PAD.encode(signature))).await;
    }
    server.stop().await;
}

/// The order of P-256 (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The public key in the forms in which a library may hold it.
fn public_key(forge: &Forge) -> Vec<(&'static str, Vec<u8>)> {
    let key = forge.ours.public_key();
    let der: PublicKeyX509Der<'_> = key.as_der().unwrap();
    let lines: Vec<String> = STANDARD
        .encode(der.as_ref())
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    let (x, y) = (&forge.public_jwk["x"], &forge.public_jwk["y"]);
    let coordinate = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
    vec![
        ("the point", key.as_ref().to_vec()),
        ("the coordinates", [coordinate(x), coordinate(y)].concat()),
        ("x", coordinate(x)),
        ("x in base64", x.as_str().unwrap().as_bytes().to_vec()),
        ("DER", der.as_ref().to_vec()),
        ("DER in base64", STANDARD.encode(der.as_ref()).into_bytes()),
        ("PEM", pem.clone().into_bytes()),
        ("PEM with a line end", format!("{pem}\n").into_bytes()),
        ("PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
        ("JWK as published", forge.public_jwk.to_string().into_bytes()),
        ("JWK for a thumbprint", format!(r#"{{"crv":"P-256","kty":"EC","x":{x},"y":{y}}}"#).into_bytes()),
        ("the kid", forge.header["kid"].as_str().unwrap().as_bytes().to_vec()),
        ("nothing", Vec::new()),
    ]
}

#[tokio::test]
async fn the_public_key_is_no_secret_for_an_hmac() {
    let (server, forge) = started().await;
    for (alg, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let unsigned = unsigned(&forge.header_with(json!({ "alg": alg })), &forge.claims);
        for (form, secret) in public_key(&forge) {
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), unsigned.as_bytes());
            let token = format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(tag));
            forge.is_refused(&format!("{alg} with {form}"), &token).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_whatever_the_header_says() {
    let (server, forge) = started().await;
    for alg in [
        json!("es256"),
        json!("ES384"),
        json!("ES256K"),
        json!("RS256"),
        json!("PS256"),
        json!("EdDSA"),
        json!("HS256"),
        json!("dir"),
        json!(["ES256"]),
        json!({ "ES256": true }),
        json!(7),
        json!(null),
    ] {
        let token = forge.ours(&forge.header_with(json!({ "alg": alg })), &forge.claims);
        forge.is_refused(&format!("alg {alg}"), &token).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn only_the_key_that_the_kid_names_counts() {
    let (server, forge) = started().await;
    let foreign = |changes: Value| signed(&forge.foreign, &forge.header_with(changes), &forge.claims);
    forge.is_refused("a foreign key under our kid", &foreign(json!({}))).await;
    forge
        .is_refused("a foreign key under its own kid", &foreign(json!({ "kid": forge.foreign_jwk["kid"] })))
        .await;
    for kid in [
        json!(null),
        json!(""),
        json!("unknown"),
        json!("../../../../dev/null"),
        json!("' OR '1'='1"),
        json!(0),
        json!([]),
        json!([forge.header["kid"]]),
        json!(format!("{} ", forge.header["kid"].as_str().unwrap())),
    ] {
        let header = forge.header_with(json!({ "kid": kid }));
        forge.is_refused(&format!("our key under the kid {kid}"), &forge.ours(&header, &forge.claims)).await;
        forge
            .is_refused(&format!("a foreign key under the kid {kid}"), &foreign(json!({ "kid": kid })))
            .await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used_and_none_is_fetched() {
    let (server, forge) = started().await;
    let bait = TcpListener::bind("127.0.0.1:0").unwrap();
    bait.set_nonblocking(true).unwrap();
    let address = format!("http://{}/jwks.json", bait.local_addr().unwrap());
    let der: PublicKeyX509Der<'_> = forge.foreign.public_key().as_der().unwrap();
    let certificate = STANDARD.encode(der.as_ref());
    for kid in [&forge.header["kid"], &forge.foreign_jwk["kid"], &json!(null)] {
        for (label, changes) in [
            ("jku", json!({ "kid": kid, "jku": address })),
            ("x5u", json!({ "kid": kid, "x5u": address })),
            ("jwk", json!({ "kid": kid, "jwk": forge.foreign_jwk })),
            ("x5c", json!({ "kid": kid, "x5c": [certificate] })),
            (
                "all",
                json!({ "kid": kid, "jku": address, "x5u": address, "jwk": forge.foreign_jwk, "x5c": [certificate] }),
            ),
        ] {
            let token = signed(&forge.foreign, &forge.header_with(changes), &forge.claims);
            forge.is_refused(&format!("{label} under the kid {kid}"), &token).await;
        }
    }
    // As an issuer too.
    let elsewhere = forge.claims_with(json!({ "iss": address.trim_end_matches("/jwks.json") }));
    forge.is_refused("iss", &signed(&forge.foreign, &forge.header, &elsewhere)).await;
    assert_eq!(bait.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    server.stop().await;
}

#[tokio::test]
async fn only_access_tokens_are_accepted() {
    let (server, forge) = started().await;
    for typ in [
        json!(null),
        json!(""),
        json!("JWT"),
        json!("jwt"),
        json!("at"),
        json!("at+jwt "),
        json!("application/jwt"),
        json!("text/at+jwt"),
        json!("application/application/at+jwt"),
        json!("id+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("dpop+jwt"),
        json!(["at+jwt"]),
        json!(1),
    ] {
        let token = forge.ours(&forge.header_with(json!({ "typ": typ })), &forge.claims);
        forge.is_refused(&format!("typ {typ}"), &token).await;
    }
    server.stop().await;
}

/// Claims that are signed with our own key, and wrong.
fn wrong_claims(issuer: &str, now: i64) -> Vec<Value> {
    let end = now + 600;
    let mut rows = vec![
        json!({ "iss": "https://evil.example.com" }),
        json!({ "iss": format!("{issuer}/") }),
        json!({ "iss": "" }),
        json!({ "iss": [issuer] }),
        json!({ "iss": 1 }),
        json!({ "aud": "https://billing.example.com" }),
        json!({ "aud": format!("{issuer}/") }),
        json!({ "aud": "" }),
        json!({ "aud": [] }),
        json!({ "aud": ["https://billing.example.com"] }),
        json!({ "aud": 1 }),
        json!({ "aud": [1, issuer] }),
        json!({ "sub": 1 }),
        json!({ "sub": [] }),
        json!({ "exp": end.to_string() }),
        json!({ "exp": [end] }),
        json!({ "exp": f64::MAX }),
        json!({ "exp": now }),
        json!({ "exp": now - 1 }),
        json!({ "exp": 0 }),
        json!({ "exp": -1 }),
        json!({ "exp": i64::MIN }),
        json!({ "client_id": "0123456789ABCDEF0123456789ABCDEF" }),
        json!({ "client_id": "" }),
        json!({ "client_id": "\0" }),
        json!({ "scope": "" }),
        json!({ "scope": "users:write" }),
        json!({ "scope": ["keys:read"] }),
        json!({ "gen": 1 }),
        json!({ "gen": -1 }),
        json!({ "gen": "0" }),
    ];
    rows.extend(
        ["iss", "aud", "sub", "exp", "client_id", "scope", "gen"].map(|claim| json!({ claim: null })),
    );
    rows
}

#[tokio::test]
async fn each_claim_is_demanded_and_checked() {
    let (server, forge) = started().await;
    let now = forge.claims["iat"].as_i64().unwrap();
    for changes in wrong_claims(&server.url, now) {
        let token = forge.ours(&forge.header, &forge.claims_with(changes.clone()));
        forge.is_refused(&changes.to_string(), &token).await;
    }
    for text in ["", "null", "[]", "1", "\"x\"", "{}", "{"] {
        let token = with_signature(&forge.ours, &joined(&forge.header.to_string(), text));
        forge.is_refused(&format!("claims {text}"), &token).await;
    }
    // Of a member that stands there twice, no reader may choose.
    let claims = forge.claims.to_string();
    let twice = format!("{},\"scope\":\"users:write\"}}", &claims[..claims.len() - 1]);
    let token = with_signature(&forge.ours, &joined(&forge.header.to_string(), &twice));
    forge.is_refused("scope twice", &token).await;
    server.stop().await;
}

#[tokio::test]
async fn a_token_ends_with_the_second_that_it_names() {
    let (server, forge) = started().await;
    server.advance(Duration::from_millis(599_999));
    forge.is_accepted("a millisecond before", &forge.genuine).await;
    server.advance(Duration::from_millis(1));
    forge.is_refused("at its end", &forge.genuine).await;
    server.advance(Duration::from_secs(86_400));
    forge.is_refused("a day later", &forge.genuine).await;
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_was_cut_padded_or_pieced_together_is_refused() {
    let (server, forge) = started().await;
    let token = forge.genuine.as_str();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three parts") };
    let cut = |part: &str| part[..part.len() - 1].to_owned();
    let stronger = forge.claims_with(json!({ "scope": "keys:read users:write" })).to_string();
    let stronger = URL_SAFE_NO_PAD.encode(stronger);
    let other = forge.ours(&forge.header, &forge.claims_with(json!({ "jti": "other" })));
    let other_signature = other.rsplit_once('.').unwrap().1;
    let (claims_text, signature_bytes) =
        (URL_SAFE_NO_PAD.decode(claims).unwrap(), URL_SAFE_NO_PAD.decode(signature).unwrap());
    let mut flipped = signature_bytes.clone();
    flipped[0] ^= 1;
    for (label, token) in [
        ("header cut", format!("{}.{claims}.{signature}", cut(header))),
        ("claims cut", format!("{header}.{}.{signature}", cut(claims))),
        ("signature cut", cut(token)),
        ("without its signature", format!("{header}.{claims}")),
        ("without its claims", format!("{header}..{signature}")),
        ("without its header", format!(".{claims}.{signature}")),
        ("the header alone", header.to_owned()),
        ("dots alone", "..".to_owned()),
        ("header padded", format!("{header}=.{claims}.{signature}")),
        ("claims padded", format!("{header}.{claims}=.{signature}")),
        ("signature padded", format!("{token}==")),
        ("a part behind", format!("{token}.{signature}")),
        ("an empty part behind", format!("{token}.")),
        ("a part before", format!("{header}.{token}")),
        ("a space within", format!("{header}. {claims}.{signature}")),
        ("two tokens", format!("{token} {token}")),
        ("two tokens with a comma", format!("{token},{token}")),
        ("other claims", format!("{header}.{stronger}.{signature}")),
        ("the signature of another token", format!("{header}.{claims}.{other_signature}")),
        ("a bit flipped", format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(flipped))),
        ("base64 of another alphabet", format!("{header}.{claims}.{}", STANDARD.encode(&signature_bytes))),
        (
            "claims that are not encoded",
            format!("{header}.{}.{signature}", String::from_utf8(claims_text).unwrap()),
        ),
        ("in quotes", format!("\"{token}\"")),
        (
            "JSON serialization",
            json!({ "protected": header, "payload": claims, "signature": signature }).to_string(),
        ),
        ("nonsense", "abc".to_owned()),
    ] {
        forge.is_refused(label, &token).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn two_authorization_headers_are_no_request_at_all() {
    let (server, forge) = started().await;
    let genuine = format!("Bearer {}", forge.genuine);
    for second in [genuine.as_str(), "Bearer abc", "Basic abc", ""] {
        let request = server
            .http
            .post(format!("{}/graphql", server.url))
            .json(&json!({ "query": "{ viewer { scopes } }" }));
        let answer =
            Answer::of(request.header("authorization", &genuine).header("authorization", second)).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "BAD_USER_INPUT"), "{second}");
        assert_eq!(answer.json().get("data"), None);
        assert_eq!(answer.challenge(), "");
    }
    server.stop().await;
}
