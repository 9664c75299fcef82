//! What is kept of a client secret: `$hmac-sha256$v=1$k=<data key>$<mac>`, a keyed hash bound to the client id.
//!
//! A secret of 256 random bits gains nothing from a slow hash (ADR 1); a keyed one makes a stolen database worthless
//! without the master key.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::SecretHash;

use super::master_key::DataKey;
use super::secret::ClientSecret;

const SCHEME: &str = "$hmac-sha256$v=1$k=";

/// Makes and checks stored hashes of client secrets.
pub struct SecretHasher {
    keys: Vec<(i32, hmac::Key)>,
    dummy: SecretHash,
}

impl std::fmt::Debug for SecretHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretHasher({} data keys)", self.keys.len())
    }
}

impl SecretHasher {
    /// `data_keys` with the number that stored hashes name them by; the last one hashes new secrets.
    pub fn new(data_keys: Vec<(i32, DataKey)>) -> Self {
        let keys: Vec<_> = data_keys
            .into_iter()
            .map(|(id, key)| (id, hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
            .collect();
        let newest = keys.last().map_or(0, |(id, _)| *id);
        let dummy = SecretHash(format!("{SCHEME}{newest}${}", URL_SAFE_NO_PAD.encode([0; 32])));
        Self { keys, dummy }
    }

    pub fn hash(&self, client_id: &str, secret: &ClientSecret) -> Option<SecretHash> {
        let (id, key) = self.keys.last()?;
        let mac = hmac::sign(key, &message(client_id, secret));
        Some(SecretHash(format!("{SCHEME}{id}${}", URL_SAFE_NO_PAD.encode(mac.as_ref()))))
    }

    /// Whether the secret is the one that was hashed; compared in constant time.
    pub fn verify(&self, client_id: &str, secret: &ClientSecret, stored: &SecretHash) -> bool {
        let Some((key, mac)) = self.read(stored) else {
            return false;
        };
        hmac::verify(key, &message(client_id, secret), &mac).is_ok()
    }

    /// The work of [`SecretHasher::verify`] for a client that does not exist.
    pub fn verify_nothing(&self, client_id: &str, secret: &ClientSecret) -> bool {
        self.verify(client_id, secret, &self.dummy)
    }

    fn read(&self, stored: &SecretHash) -> Option<(&hmac::Key, Vec<u8>)> {
        let (key_id, mac) = stored.0.strip_prefix(SCHEME)?.split_once('$')?;
        let key_id: i32 = key_id.parse().ok()?;
        let (_, key) = self.keys.iter().find(|(id, _)| *id == key_id)?;
        Some((key, URL_SAFE_NO_PAD.decode(mac).ok()?))
    }
}

/// The client id has a fixed length, so the two parts cannot be read in another way.
fn message(client_id: &str, secret: &ClientSecret) -> Vec<u8> {
    [b"latchkey client secret\0", client_id.as_bytes(), b"\0", secret.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    fn hasher(seeds: &[(i32, u64)]) -> SecretHasher {
        let key = |seed| DataKey::generate(&*SeededEntropy::shared(seed));
        SecretHasher::new(seeds.iter().map(|(id, seed)| (*id, key(*seed))).collect())
    }

    fn secret(seed: u64) -> ClientSecret {
        ClientSecret::generate(&*SeededEntropy::shared(seed))
    }

    #[test]
    fn only_the_same_secret_of_the_same_client_verifies() {
        let hasher = hasher(&[(1, 10)]);
        let stored = hasher.hash("A", &secret(1)).unwrap();
        assert!(stored.0.starts_with("$hmac-sha256$v=1$k=1$"));
        assert!(hasher.verify("A", &secret(1), &stored));
        assert!(!hasher.verify("A", &secret(2), &stored));
        assert!(!hasher.verify("B", &secret(1), &stored));
        assert!(!hasher.verify_nothing("A", &secret(1)));
    }

    #[test]
    fn an_older_data_key_still_verifies_and_an_unknown_one_does_not() {
        let stored = hasher(&[(1, 10)]).hash("A", &secret(1)).unwrap();
        assert!(hasher(&[(1, 10), (2, 11)]).verify("A", &secret(1), &stored));
        assert!(!hasher(&[(2, 10)]).verify("A", &secret(1), &stored));
        assert!(!hasher(&[(1, 11)]).verify("A", &secret(1), &stored));
    }

    #[test]
    fn a_damaged_hash_verifies_nothing() {
        let hasher = hasher(&[(1, 10)]);
        for damaged in [
            "",
            "$hmac-sha256$v=1$k=1$",
            "$hmac-sha256$v=1$k=x$AAAA",
            "$argon2id$v=19$",
            "$hmac-sha256$v=1$k=1$!",
        ] {
            assert!(!hasher.verify("A", &secret(1), &SecretHash(damaged.to_owned())), "{damaged}");
        }
    }
}
