//! Access tokens: JWT in the profile of RFC 9068, signed with a key pair that is parsed once.
//!
//! The JWT library parses a private key at every call, so signing is done here with the key pair itself; verification,
//! where mistakes are dangerous, is the library's. Its time checks read the machine's clock, so `exp` is checked here.
//!
//! A token whose signature was checked once is remembered by its digest: what never changes is not checked again. Its end
//! and its audience are checked at each sight.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::{ClientId, Timestamp};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use weighted_lru::WeightedLru;
use zeroize::Zeroizing;

use super::digest::sha256;
use crate::access::Scopes;

/// The media type of RFC 9068, section 2.1, as `typ` writes it.
const TYPE: &str = "at+jwt";
/// The name of the one algorithm that is implemented.
pub const ES256: &str = "ES256";

/// In bytes; most tokens are shorter.
const ROOM: usize = 1_024;

/// So many tokens are remembered: about 20 MB.
const REMEMBERED: usize = 16_384;

/// So many different scopes of tokens, which mostly are a few.
const SHARED: usize = 1_024;

/// A key could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the signing key cannot be used")]
    Rejected,
    #[error("the signing key cannot be published: {0}")]
    Jwk(#[from] jsonwebtoken::errors::Error),
    #[error("the public key is not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What an access token says (RFC 9068, section 2.2), and the generation that revocation compares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims<'a> {
    pub iss: Cow<'a, str>,
    pub sub: Cow<'a, str>,
    pub aud: Cow<'a, Audience>,
    pub client_id: Cow<'a, str>,
    pub scope: Cow<'a, str>,
    pub iat: i64,
    pub exp: i64,
    pub jti: Cow<'a, str>,
    /// The generations of key and owner, added: both only go up, so an equal sum means that neither has moved.
    #[serde(rename = "gen")]
    pub generation: i64,
}

/// One audience as a string, several as an array (RFC 7519, section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether the token is for this API.
    pub fn has(&self, identifier: &str) -> bool {
        self.iter().any(|one| one == identifier)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

/// What a token says that was signed here.
#[derive(Debug)]
pub struct Verified {
    pub claims: Claims<'static>,
    /// The client of the claims.
    pub client_id: ClientId,
    /// The scope of the claims.
    pub scopes: Scopes,
}

/// The token is not one of ours, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

/// A new private key, and what is published of it.
pub struct NewSigningKey {
    pub kid: String,
    pub public_jwk: String,
    /// PKCS#8.
    pub private_key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for NewSigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSigningKey({})", self.kid)
    }
}

impl NewSigningKey {
    /// Randomness comes from the cryptography library itself: it takes no other.
    pub fn generate() -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyError::Rejected)?;
        let private_key = Zeroizing::new(document.as_ref().to_vec());
        let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&private_key), Algorithm::ES256)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { kid, public_jwk: serde_json::to_string(&jwk)?, private_key })
    }
}

/// The first part of every token that is signed with this key, with the dot.
fn header(kid: &str) -> String {
    let header = serde_json::json!({ "typ": TYPE, "alg": ES256, "kid": kid });
    URL_SAFE_NO_PAD.encode(header.to_string()) + "."
}

/// A private key that signs.
#[derive(Debug)]
pub struct Signer {
    header: String,
    pair: EcdsaKeyPair,
}

impl Signer {
    pub fn new(kid: &str, private_key: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private_key)
            .map_err(|_| KeyError::Rejected)?;
        Ok(Self { header: header(kid), pair })
    }

    pub fn sign(&self, claims: &Claims<'_>) -> Result<String, KeyError> {
        let mut token = String::with_capacity(ROOM);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
        let signature =
            self.pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| KeyError::Rejected)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// A public key, for one algorithm.
pub struct Verifier {
    kid: String,
    header: String,
    key: DecodingKey,
    validation: Validation,
    jwk: serde_json::Value,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.kid)
    }
}

impl Verifier {
    pub fn new(kid: &str, public_jwk: &str) -> Result<Self, KeyError> {
        let jwk: Jwk = serde_json::from_str(public_jwk)?;
        let key = DecodingKey::from_jwk(&jwk)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Whose they are, until when and for whom is looked at here and by the caller.
        validation.validate_aud = false;
        validation.validate_exp = false;
        Ok(Self {
            kid: kid.to_owned(),
            header: header(kid),
            key,
            validation,
            jwk: serde_json::from_str(public_jwk)?,
        })
    }
}

/// All keys of this server: the one that signs, and those that tokens in use were signed with.
#[derive(Debug)]
pub struct KeyRing {
    pub signer: Signer,
    verifiers: Vec<Verifier>,
    /// Tokens that one of these verifiers has accepted, by the digest of their text.
    verified: WeightedLru<[u8; 32], Arc<Verified>>,
    /// What their scopes were read as.
    scopes: WeightedLru<String, Scopes>,
}

impl KeyRing {
    pub fn new(signer: Signer, verifiers: Vec<Verifier>) -> Self {
        Self { signer, verifiers, verified: WeightedLru::new(REMEMBERED), scopes: WeightedLru::new(SHARED) }
    }

    /// The JWK set (RFC 7517, section 5).
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": self.verifiers.iter().map(|verifier| &verifier.jwk).collect::<Vec<_>>() })
    }

    /// Checks that an access token is ours and has not ended. For whom it is, the caller checks ([`Audience::has`]).
    pub fn verify(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Arc<Verified>, InvalidToken> {
        let digest = sha256(token.as_bytes());
        let verified = match self.verified.get(&digest) {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(self.decode(token, issuer)?);
                self.verified.put(digest, Arc::clone(&verified), 1);
                verified
            }
        };
        let Claims { iss, exp, .. } = &verified.claims;
        if *iss != issuer || *exp <= now.seconds() {
            return Err(InvalidToken);
        }
        Ok(verified)
    }

    /// What never changes. The algorithm is the one that the named key is for; nothing else in the header counts but the
    /// type.
    fn decode(&self, token: &str, issuer: &str) -> Result<Verified, InvalidToken> {
        let verifier = self.verifier(token).ok_or(InvalidToken)?;
        let decoded = decode::<Claims<'static>>(token, &verifier.key, &verifier.validation);
        let claims = decoded.map_err(|_| InvalidToken)?.claims;
        if claims.iss != issuer {
            return Err(InvalidToken);
        }
        let client_id = claims.client_id.parse().map_err(|_| InvalidToken)?;
        let scopes = self.scopes(&claims.scope);
        Ok(Verified { claims, client_id, scopes })
    }

    /// Those of a token that was signed here: tokens with the same ones share them.
    fn scopes(&self, text: &str) -> Scopes {
        self.scopes.get(text).unwrap_or_else(|| {
            let scopes = Scopes::parse(text);
            self.scopes.put(text.to_owned(), scopes.clone(), 1);
            scopes
        })
    }

    /// The verifier of the key that the header names. A header as it is written here need not be read.
    fn verifier(&self, token: &str) -> Option<&Verifier> {
        let by_text = self.verifiers.iter().find(|verifier| token.starts_with(&verifier.header));
        by_text.or_else(|| {
            let header = decode_header(token).ok()?;
            let kid = header.typ.filter(|typ| is_access_token_type(typ)).and(header.kid)?;
            self.verifiers.iter().find(|verifier| verifier.kid == kid)
        })
    }
}

/// RFC 9068, section 4: with or without `application/`, in any case.
fn is_access_token_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == TYPE
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://keys.example.com";

    fn new_ring() -> KeyRing {
        let key = NewSigningKey::generate().unwrap();
        let signer = Signer::new(&key.kid, &key.private_key).unwrap();
        KeyRing::new(signer, vec![Verifier::new(&key.kid, &key.public_jwk).unwrap()])
    }

    fn claims(jti: &str) -> Claims<'_> {
        Claims {
            iss: ISSUER.into(),
            sub: "user_1".into(),
            aud: Cow::Owned(Audience::Many(vec![
                "https://a.example".to_owned(),
                "https://b.example".to_owned(),
            ])),
            client_id: "0123456789ABCDEF0123456789ABCDEF".into(),
            scope: "b a".into(),
            iat: 1_000,
            exp: 1_600,
            jti: jti.into(),
            generation: 1,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    fn remembered(ring: &KeyRing, token: &str) -> bool {
        ring.verified.get(&sha256(token.as_bytes())).is_some()
    }

    #[test]
    fn a_token_is_remembered_and_ends_at_its_end_all_the_same() {
        let ring = new_ring();
        let token = ring.signer.sign(&claims("1")).unwrap();
        let first = ring.verify(&token, ISSUER, at(1_000)).unwrap();
        assert_eq!(first.scopes, Scopes::parse("a b"));
        let again = ring.verify(&token, ISSUER, at(1_599)).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = ring.signer.sign(&claims("2")).unwrap();
        let other = ring.verify(&other, ISSUER, at(1_000)).unwrap();
        assert!(std::ptr::eq(first.scopes.text(), other.scopes.text()), "the same scopes are shared");
        assert_eq!(ring.verify(&token, ISSUER, at(1_600)).unwrap_err(), InvalidToken);
        assert_eq!(ring.verify(&token, "https://other.example", at(1_000)).unwrap_err(), InvalidToken);
    }

    #[test]
    fn what_was_cut_changed_or_refused_is_not_found() {
        let ring = new_ring();
        let token = ring.signer.sign(&claims("1")).unwrap();
        ring.verify(&token, ISSUER, at(1_000)).unwrap();
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = head.split_once('.').unwrap();
        let other = ring.signer.sign(&claims("2")).unwrap();
        let other_payload = other.split('.').nth(1).unwrap();
        let wrong = [
            token[..token.len() - 1].to_owned(),
            format!("{token}A"),
            head.to_owned(),
            format!("{header}.{payload}."),
            format!("{header}.{other_payload}.{signature}"),
            new_ring().signer.sign(&claims("1")).unwrap(),
        ];
        for wrong in wrong {
            assert_eq!(ring.verify(&wrong, ISSUER, at(1_000)).unwrap_err(), InvalidToken, "{wrong}");
            assert!(!remembered(&ring, &wrong), "{wrong}");
        }
        let foreign = Claims { iss: "https://other.example".into(), ..claims("3") };
        let foreign = ring.signer.sign(&foreign).unwrap();
        assert!(ring.verify(&foreign, ISSUER, at(1_000)).is_err() && !remembered(&ring, &foreign));
    }

    #[test]
    fn the_most_recent_are_remembered_and_the_others_are_checked_again() {
        let ring = KeyRing { verified: WeightedLru::new(2), ..new_ring() };
        let tokens = ["1", "2", "3"].map(|jti| ring.signer.sign(&claims(jti)).unwrap());
        for token in &tokens {
            ring.verify(token, ISSUER, at(1_000)).unwrap();
        }
        assert_eq!(tokens.each_ref().map(|token| remembered(&ring, token)), [false, true, true]);
        ring.verify(&tokens[0], ISSUER, at(1_000)).unwrap();
    }

    #[test]
    fn an_audience_is_one_or_several() {
        let many = claims("1").aud;
        assert!(many.has("https://a.example") && many.has("https://b.example"));
        assert!(!many.has("https://c.example") && !many.has("") && !Audience::Many(Vec::new()).has(""));
        let one = Audience::One("https://a.example".to_owned());
        assert!(one.has("https://a.example") && !one.has("https://a.example/"));
    }
}
