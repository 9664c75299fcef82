//! What clients and resource servers find out by themselves: metadata (RFC 8414, RFC 9728) and public keys (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use super::wire::{decoded, token};
use crate::harness::{Answer, Grants, Server};

async fn get(server: &Server, path: &str) -> Answer {
    let answer = server.guest().send(server.guest().get(path)).await;
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.header("content-type"), "application/json", "{path}");
    assert_eq!(answer.header("cache-control"), "public, max-age=300", "{path}");
    answer
}

#[tokio::test]
async fn the_metadata_are_at_both_addresses() {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    let metadata = get(&server, "/.well-known/oauth-authorization-server").await;
    insta::assert_snapshot!(format!("{:#}", metadata.json()), @r#"
    {
      "access_token_signing_alg_values_supported": [
        "ES256"
      ],
      "grant_types_supported": [
        "client_credentials"
      ],
      "introspection_endpoint": "https://keys.example.com/oauth/introspect",
      "introspection_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "Bearer"
      ],
      "issuer": "https://keys.example.com",
      "jwks_uri": "https://keys.example.com/.well-known/jwks.json",
      "response_types_supported": [],
      "revocation_endpoint": "https://keys.example.com/oauth/revoke",
      "revocation_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post"
      ],
      "token_endpoint": "https://keys.example.com/oauth/token",
      "token_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post"
      ]
    }
    "#);
    let same = get(&server, "/.well-known/openid-configuration").await;
    assert_eq!(same.text, metadata.text);
    server.stop().await;
}

#[tokio::test]
async fn the_server_describes_itself_as_a_resource() {
    let server = Server::start_with("public_url = 'https://keys.example.com'").await;
    let metadata = get(&server, "/.well-known/oauth-protected-resource").await;
    insta::assert_snapshot!(format!("{:#}", metadata.json()), @r#"
    {
      "authorization_servers": [
        "https://keys.example.com"
      ],
      "bearer_methods_supported": [
        "header"
      ],
      "resource": "https://keys.example.com",
      "resource_name": "Latchkey"
    }
    "#);
    server.stop().await;
}

#[tokio::test]
async fn the_addresses_in_the_metadata_lead_somewhere() {
    let server = Server::start().await;
    let metadata = get(&server, "/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["issuer"], *server.url);
    let jwks = Answer::of(server.http.get(metadata["jwks_uri"].as_str().unwrap())).await;
    assert_eq!(jwks.text, get(&server, "/.well-known/jwks.json").await.text);
    let exchange = Answer::of(server.http.post(metadata["token_endpoint"].as_str().unwrap())).await;
    assert_eq!(exchange.json()["error"], "invalid_request");
    for endpoint in ["revocation_endpoint", "introspection_endpoint"] {
        let answer = Answer::of(server.http.post(metadata[endpoint].as_str().unwrap())).await;
        assert_eq!(answer.json()["error"], "invalid_request", "{endpoint}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_public_keys_have_no_private_member_and_are_named_by_their_thumbprint() {
    let server = Server::start().await;
    let set = get(&server, "/.well-known/jwks.json").await.json();
    assert_eq!(set.as_object().unwrap().len(), 1);
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let key = &keys[0];
    let mut names: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    let fixed = ["alg", "crv", "kty", "use"].map(|name| &key[name]);
    assert_eq!(fixed, ["ES256", "P-256", "EC", "sig"]);
    for coordinate in ["x", "y"] {
        assert_eq!(URL_SAFE_NO_PAD.decode(key[coordinate].as_str().unwrap()).unwrap().len(), 32);
    }
    // RFC 7638: the required members in the order of their names, without white space.
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    assert_eq!(key["kid"], URL_SAFE_NO_PAD.encode(digest));
    server.stop().await;
}

#[tokio::test]
async fn a_resource_server_can_verify_tokens_with_what_is_published() {
    let server = Server::start().await;
    let robot = server.service_account("robot").await;
    let key = server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
    let token = token(&server.exchange(&key, &[]).await);
    let kid = decoded(&token).0["kid"].as_str().unwrap().to_owned();
    let set: JwkSet = serde_json::from_value(get(&server, "/.well-known/jwks.json").await.json()).unwrap();
    let published = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[&server.url]);
    validation.set_issuer(&[&server.url]);
    // The clock of the tests stands still, that of the library does not.
    validation.validate_exp = false;
    let claims = decode::<Value>(&token, &published, &validation).unwrap().claims;
    assert_eq!(claims["client_id"], *key.client_id);
    assert_eq!(claims["sub"], json!(robot.public_id));
    server.stop().await;
}

#[tokio::test]
async fn every_server_has_a_key_of_its_own() {
    let (one, two) = (Server::start().await, Server::start().await);
    let kid =
        async |server: &Server| get(server, "/.well-known/jwks.json").await.json()["keys"][0]["kid"].take();
    assert_ne!(kid(&one).await, kid(&two).await);
    one.stop().await;
    two.stop().await;
}
