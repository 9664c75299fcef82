//! Client ids and client secrets: how they are made, and how a mistyped one is told without a look-up.
//!
//! A client secret is `lk_sk_`, 43 base62 characters (256 random bits), and 6 base62 characters of the CRC-32 of all
//! before. The checksum is public: it tells typos, and lets scanners recognise a leaked secret. It protects nothing.

use std::fmt;
use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::entropy::{Random, bytes};

// NEVER CHANGE what follows: secrets in use would stop being recognised.
const PREFIX: &str = "lk_sk_";
const BODY_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = PREFIX.len() + BODY_LENGTH + CHECKSUM_LENGTH;

/// A client secret in the clear: it cannot be copied, printed or serialised, and wipes its memory.
pub struct ClientSecret(Zeroizing<String>);

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl ClientSecret {
    pub fn generate(entropy: &dyn Random) -> Self {
        let random = Zeroizing::new(bytes::<32>(entropy));
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        push_base62(&mut text, *random);
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Takes what a client sent, if it has the form of a secret. This neither looks anything up nor hashes.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.get(PREFIX.len()..)?;
        let well_formed = text.len() == LENGTH
            && text.starts_with(PREFIX)
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && checksum(&text[..LENGTH - CHECKSUM_LENGTH]) == text[LENGTH - CHECKSUM_LENGTH..];
        well_formed.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The last four characters, which may be stored and shown.
    pub fn hint(&self) -> String {
        self.0[LENGTH - 4..].to_owned()
    }

    /// Shows the secret, once: the value is gone afterwards.
    pub fn reveal(mut self) -> String {
        std::mem::take(&mut *self.0)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A new client id: 128 random bits as 32 upper-case hex characters.
pub fn client_id(entropy: &dyn Random) -> String {
    bytes::<16>(entropy).iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// What a sign-in is recognised by: 256 random bits, shown once, in a cookie.
pub type SessionToken = Zeroizing<String>;

/// 43 base62 characters.
pub fn session_token(entropy: &dyn Random) -> SessionToken {
    let random = Zeroizing::new(bytes::<32>(entropy));
    let mut text = Zeroizing::new(String::with_capacity(BODY_LENGTH));
    push_base62(&mut text, *random);
    text
}

/// Writes 256 bits as 43 digits, by long division of the bytes by 62.
fn push_base62(text: &mut String, mut number: [u8; 32]) {
    let mut digits = Zeroizing::new([0_u8; BODY_LENGTH]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder << 8 | u32::from(*byte);
            // Below 256, because the remainder before was below 62.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    text.extend(digits.iter().map(|digit| char::from(*digit)));
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn has_the_published_form() {
        let entropy = SeededEntropy::shared(1);
        let secret = ClientSecret::generate(&*entropy);
        let hint = secret.hint();
        let text = secret.reveal();
        assert_eq!(text.len(), 55);
        assert!(text.starts_with("lk_sk_") && text.ends_with(&hint));
        assert!(ClientSecret::parse(&text).is_some());
        assert!(client_id(&*entropy).parse::<entity::ClientId>().is_ok());
    }

    #[test]
    fn the_extremes_fit_into_43_digits() {
        for (bytes, expected) in [([0; 32], "0".repeat(43)), ([0xff; 32], String::new())] {
            let mut text = String::new();
            push_base62(&mut text, bytes);
            assert_eq!(text.len(), 43);
            assert!(expected.is_empty() || text == expected);
        }
    }

    #[test]
    fn every_single_typo_is_told() {
        let text = ClientSecret::generate(&*SeededEntropy::shared(2)).reveal();
        for place in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'a' { b'b' } else { b'a' };
            assert!(ClientSecret::parse(&String::from_utf8(wrong).unwrap()).is_none(), "at {place}");
        }
        for wrong in ["", "lk_sk_", &text[1..], &text[..54], &format!("{text}0"), &format!("é{}", &text[2..])]
        {
            assert!(ClientSecret::parse(wrong).is_none());
        }
    }

    #[test]
    fn does_not_print() {
        let secret = ClientSecret::generate(&*SeededEntropy::shared(3));
        assert_eq!(format!("{secret:?}"), "ClientSecret(…)");
    }
}
