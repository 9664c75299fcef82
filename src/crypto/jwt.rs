//! Access tokens: JWT in the profile of RFC 9068, signed with a key pair that is parsed once.
//!
//! The JWT library parses a private key at every call, so signing is done here with the key pair itself; verification,
//! where mistakes are dangerous, is the library's. Its time checks read the machine's clock, so `exp` is checked here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::Timestamp;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The media type of RFC 9068, section 2.1, as `typ` writes it.
const TYPE: &str = "at+jwt";
/// The name of the one algorithm that is implemented.
pub const ES256: &str = "ES256";

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
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: Audience,
    pub client_id: String,
    pub scope: String,
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
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

/// The token is not one of ours, not for us, or has ended.
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

/// A private key that signs.
#[derive(Debug)]
pub struct Signer {
    /// The first part of every token, with the dot.
    header: String,
    pair: EcdsaKeyPair,
}

impl Signer {
    pub fn new(kid: &str, private_key: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private_key)
            .map_err(|_| KeyError::Rejected)?;
        let header = serde_json::to_vec(&serde_json::json!({ "typ": TYPE, "alg": ES256, "kid": kid }))?;
        Ok(Self { header: URL_SAFE_NO_PAD.encode(header) + ".", pair })
    }

    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let mut token = self.header.clone();
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
    algorithm: Algorithm,
    key: DecodingKey,
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
        Ok(Self {
            kid: kid.to_owned(),
            algorithm: Algorithm::ES256,
            key,
            jwk: serde_json::from_str(public_jwk)?,
        })
    }
}

/// All keys of this server: the one that signs, and those that tokens in use were signed with.
#[derive(Debug)]
pub struct KeyRing {
    pub signer: Signer,
    pub verifiers: Vec<Verifier>,
}

impl KeyRing {
    /// The JWK set (RFC 7517, section 5).
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": self.verifiers.iter().map(|verifier| &verifier.jwk).collect::<Vec<_>>() })
    }

    /// Checks an access token for `audience`. The algorithm is the one that the named key is for; nothing else in the
    /// header counts but the type.
    pub fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Claims, InvalidToken> {
        let header = decode_header(token).map_err(|_| InvalidToken)?;
        if !header.typ.is_some_and(|typ| is_access_token_type(&typ)) {
            return Err(InvalidToken);
        }
        let verifier = self
            .verifiers
            .iter()
            .find(|verifier| header.kid.as_deref() == Some(&verifier.kid))
            .ok_or(InvalidToken)?;
        let mut validation = Validation::new(verifier.algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &verifier.key, &validation).map_err(|_| InvalidToken)?.claims;
        if claims.exp <= now.seconds() {
            return Err(InvalidToken);
        }
        Ok(claims)
    }
}

/// RFC 9068, section 4: with or without `application/`, in any case.
fn is_access_token_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == TYPE
}
