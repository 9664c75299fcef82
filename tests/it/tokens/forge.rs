//! Tokens that nobody issued: built by hand, part by part, and signed with the server's own key, with a stranger's, or
//! not at all. With the own key each row of an attack table has exactly one thing wrong with it.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::signing_key;
use latchkey::crypto::jwt::NewSigningKey;
use latchkey::crypto::master_key::MasterKey;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::wire::decoded;
use crate::harness::{Answer, Caller, Key, Server};

/// A workshop beside a running server.
pub struct Forge {
    /// A token that the server issued, its header and its claims.
    pub genuine: String,
    pub header: Value,
    pub claims: Value,
    /// The public key as it is published.
    pub public_jwk: Value,
    /// The server's own key pair.
    pub ours: EcdsaKeyPair,
    pub foreign: EcdsaKeyPair,
    pub foreign_jwk: Value,
    caller: Caller,
}

impl Forge {
    /// Takes the private key as whoever holds the master key could, and a token of `key` as the model.
    #[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
    pub async fn beside(server: &Server, key: &Key) -> Self {
        let caller = server.sign_in(key).await;
        let genuine = caller.token.clone().unwrap();
        let (header, claims) = decoded(&genuine);
        let row = signing_key::Entity::find().one(server.app.db.reader()).await.unwrap().unwrap();
        let master_key = MasterKey::parse(&server.place().master_key()).unwrap();
        let purpose = format!("signing-key {}", row.kid);
        let private_key = master_key.unwrap(&purpose, &row.wrapped_private_key).unwrap();
        let foreign = NewSigningKey::generate().unwrap();
        Self {
            genuine,
            header,
            claims,
            public_jwk: serde_json::from_str(&row.public_jwk).unwrap(),
            ours: pair(&private_key),
            foreign: pair(&foreign.private_key),
            foreign_jwk: serde_json::from_str(&foreign.public_jwk).unwrap(),
            caller,
        }
    }

    /// A token signed with the server's own key.
    pub fn ours(&self, header: &Value, claims: &Value) -> String {
        signed(&self.ours, header, claims)
    }

    /// The genuine header with some members replaced; null takes one out.
    pub fn header_with(&self, changes: Value) -> Value {
        changed(&self.header, changes)
    }

    pub fn claims_with(&self, changes: Value) -> Value {
        changed(&self.claims, changes)
    }

    /// What the server says to the bearer of this.
    pub async fn present(&self, token: &str) -> Answer {
        let request = self.caller.post("/graphql").header("authorization", format!("Bearer {token}"));
        Answer::of(request.json(&json!({ "query": "{ viewer { scopes } }" }))).await
    }

    pub async fn is_accepted(&self, label: &str, token: &str) {
        let answer = self.present(token).await;
        assert_eq!(answer.status, 200, "{label}: {}", answer.text);
        answer.data();
    }

    pub async fn is_refused(&self, label: &str, token: &str) {
        let answer = self.present(token).await;
        assert_eq!(answer.status, 401, "{label}: {}", answer.text);
        assert!(
            answer.challenge().starts_with("Bearer error=\"invalid_token\", "),
            "{label}: {}",
            answer.challenge()
        );
        assert_eq!(answer.code(), "UNAUTHENTICATED", "{label}");
        assert_eq!(answer.json().get("data"), None, "{label}");
    }
}

fn pair(private_key: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private_key).unwrap()
}

fn changed(object: &Value, changes: Value) -> Value {
    let mut object = object.clone();
    let members = object.as_object_mut().unwrap();
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        match value {
            Value::Null => members.remove(&name),
            value => members.insert(name, value),
        };
    }
    object
}

/// Header and claims as the part that is signed.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    joined(&header.to_string(), &claims.to_string())
}

pub fn joined(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

pub fn signed(pair: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    with_signature(pair, &unsigned(header, claims))
}

/// Adds the signature.
pub fn with_signature(pair: &EcdsaKeyPair, unsigned: &str) -> String {
    let signature = pair.sign(&SystemRandom::new(), unsigned.as_bytes()).unwrap();
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}
