//! The master key wraps the keys that do the work (AES-256-GCM) and does nothing else, so that it can be replaced.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::entropy::{Random, bytes};

const KEY_LENGTH: usize = 32;
/// The first byte of everything wrapped, so that the form can change.
const VERSION: u8 = 1;

/// 32 random bytes that never leave memory unwrapped.
pub struct DataKey(Zeroizing<[u8; KEY_LENGTH]>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    pub fn generate(entropy: &dyn Random) -> Self {
        Self(Zeroizing::new(bytes(entropy)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl TryFrom<Zeroizing<Vec<u8>>> for DataKey {
    type Error = WrongMasterKey;

    fn try_from(plain: Zeroizing<Vec<u8>>) -> Result<Self, Self::Error> {
        let bytes: [u8; KEY_LENGTH] = plain.as_slice().try_into().map_err(|_| WrongMasterKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

/// What was wrapped was wrapped by another master key, or for another purpose, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the master key does not match the database")]
pub struct WrongMasterKey;

/// The one key that everything at rest hangs on.
pub struct MasterKey(LessSafeKey);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// Reads base64 of exactly 32 bytes; white space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let key = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let key = UnboundKey::new(&AES_256_GCM, &key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// A new master key in the form that [`MasterKey::parse`] reads.
    pub fn generate(entropy: &dyn Random) -> Zeroizing<String> {
        let key = Zeroizing::new(bytes::<KEY_LENGTH>(entropy));
        Zeroizing::new(STANDARD.encode(*key))
    }

    /// Encrypts `plain` for `purpose`; it can be unwrapped for the same purpose only.
    pub fn wrap(&self, entropy: &dyn Random, purpose: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = bytes::<NONCE_LEN>(entropy);
        let mut sealed = plain.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some([&[VERSION], nonce.as_slice(), sealed.as_slice()].concat())
    }

    pub fn unwrap(&self, purpose: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, WrongMasterKey> {
        let Some((&VERSION, rest)) = wrapped.split_first() else {
            return Err(WrongMasterKey);
        };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(WrongMasterKey)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let aad = Aad::from(purpose.as_bytes());
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut buffer)
            .map_err(|_| WrongMasterKey)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    fn key(seed: u64) -> MasterKey {
        MasterKey::parse(&MasterKey::generate(&*SeededEntropy::shared(seed))).unwrap()
    }

    #[test]
    fn unwraps_what_it_wrapped() {
        let wrapped = key(1).wrap(&*SeededEntropy::shared(9), "data-key", b"plain").unwrap();
        assert_eq!(key(1).unwrap("data-key", &wrapped).unwrap().as_slice(), b"plain");
    }

    #[test]
    fn another_key_another_purpose_and_damage_are_told() {
        let wrapped = key(1).wrap(&*SeededEntropy::shared(9), "data-key", b"plain").unwrap();
        assert_eq!(key(2).unwrap("data-key", &wrapped), Err(WrongMasterKey));
        assert_eq!(key(1).unwrap("signing-key", &wrapped), Err(WrongMasterKey));
        for cut in 0..wrapped.len() {
            assert_eq!(key(1).unwrap("data-key", &wrapped[..cut]), Err(WrongMasterKey));
        }
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        for wrong in ["", "abc", &STANDARD.encode([0; 31]), &STANDARD.encode([0; 33]), "not base64!"] {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong}");
        }
        assert!(MasterKey::parse(&format!(" {}\n", STANDARD.encode([0; 32]))).is_some());
    }
}
