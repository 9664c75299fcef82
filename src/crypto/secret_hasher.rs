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

/// What is kept of a client secret, read once from its stored form.
#[derive(Clone, Copy)]
pub struct SecretMac {
    /// The number of the data key.
    key: i32,
    mac: [u8; 32],
}

impl std::fmt::Debug for SecretMac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretMac(…)")
    }
}

impl SecretMac {
    /// Nothing, if the stored form is damaged or of another scheme: no secret fits it.
    pub fn read(stored: &SecretHash) -> Option<Self> {
        let (key, mac) = stored.0.strip_prefix(SCHEME)?.split_once('$')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?.try_into().ok()?;
        Some(Self { key: key.parse().ok()?, mac })
    }
}

/// Makes and checks stored hashes of client secrets.
pub struct SecretHasher {
    keys: Vec<(i32, hmac::Key)>,
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
        Self { keys }
    }

    pub fn hash(&self, client_id: &str, secret: &ClientSecret) -> Option<SecretHash> {
        let (id, key) = self.keys.last()?;
        let mac = hmac::sign(key, &message(client_id, secret));
        Some(SecretHash(format!("{SCHEME}{id}${}", URL_SAFE_NO_PAD.encode(mac.as_ref()))))
    }

    /// Whether the secret is the one that was hashed; compared in constant time. Where nothing is kept that it could be
    /// compared with (the client does not exist, or the hash cannot be read), the same work is done for nothing.
    pub fn verify(&self, client_id: &str, secret: &ClientSecret, stored: Option<&SecretMac>) -> bool {
        let kept = stored.and_then(|stored| {
            let (_, key) = self.keys.iter().find(|(id, _)| *id == stored.key)?;
            Some((key, &stored.mac))
        });
        let nothing = || self.keys.last().map(|(_, key)| (key, &[0; 32]));
        let Some((key, mac)) = kept.or_else(nothing) else { return false };
        hmac::verify(key, &message(client_id, secret), mac).is_ok() && kept.is_some()
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
        let stored = SecretMac::read(&stored);
        assert!(hasher.verify("A", &secret(1), stored.as_ref()));
        assert!(!hasher.verify("A", &secret(2), stored.as_ref()));
        assert!(!hasher.verify("B", &secret(1), stored.as_ref()));
        assert!(!hasher.verify("A", &secret(1), None));
    }

    #[test]
    fn an_older_data_key_still_verifies_and_an_unknown_one_does_not() {
        let stored = hasher(&[(1, 10)]).hash("A", &secret(1)).unwrap();
        let stored = SecretMac::read(&stored);
        assert!(hasher(&[(1, 10), (2, 11)]).verify("A", &secret(1), stored.as_ref()));
        assert!(!hasher(&[(2, 10)]).verify("A", &secret(1), stored.as_ref()));
        assert!(!hasher(&[(1, 11)]).verify("A", &secret(1), stored.as_ref()));
    }

    #[test]
    fn a_damaged_hash_is_none() {
        for damaged in [
            "",
            "$hmac-sha256$v=1$k=1$",
            "$hmac-sha256$v=1$k=x$AAAA",
            "$argon2id$v=19$",
            "$hmac-sha256$v=1$k=1$!",
            "$hmac-sha256$v=1$k=1$AAAA",
        ] {
            assert!(SecretMac::read(&SecretHash(damaged.to_owned())).is_none(), "{damaged}");
        }
    }
}
