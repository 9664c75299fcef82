//! People's passwords: Argon2id with a pepper, as a PHC string.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use entity::SecretHash;
use zeroize::Zeroizing;

use super::master_key::DataKey;
use crate::entropy::{Random, bytes};

/// The shortest password, in characters.
pub const MIN_PASSWORD: usize = 12;
const MAX_PASSWORD_BYTES: usize = 1024;
const ESTIMATED: usize = 100;

/// A hash that no password has, with the parameters of real ones.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password in the clear: not printed, not copied, wiped.
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// Takes what somebody says is their password: only what is too long to be meant is refused.
    pub fn claimed(text: Zeroizing<String>) -> Option<Self> {
        (text.len() <= MAX_PASSWORD_BYTES).then_some(Self(text))
    }

    /// Refuses what is too short or too easy to guess, or too long to be meant; the text says what would do.
    pub fn parse(text: Zeroizing<String>) -> Result<Self, String> {
        if text.chars().count() < MIN_PASSWORD {
            return Err(format!("Use at least {MIN_PASSWORD} characters."));
        }
        if text.len() > MAX_PASSWORD_BYTES {
            return Err(format!("Use at most {MAX_PASSWORD_BYTES} bytes."));
        }
        // The estimate grows with the square of the length; the beginning must do.
        let beginning: Zeroizing<String> = Zeroizing::new(text.chars().take(ESTIMATED).collect());
        if zxcvbn::zxcvbn(&beginning, &[]).score() < zxcvbn::Score::Three {
            return Err(
                "This password is easy to guess: use several unrelated words, or a password manager."
                    .to_owned(),
            );
        }
        Ok(Self(text))
    }
}

/// Makes and checks password hashes: 19 MiB, two passes, one lane.
pub struct PasswordHasher {
    pepper: DataKey,
}

impl std::fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHasher")
    }
}

impl PasswordHasher {
    pub fn new(pepper: DataKey) -> Self {
        Self { pepper }
    }

    /// Takes tens of milliseconds of CPU: call it off the async threads.
    pub fn hash(
        &self,
        entropy: &dyn Random,
        password: &Password,
    ) -> Result<SecretHash, argon2::password_hash::Error> {
        let salt = bytes::<16>(entropy);
        let hash = self.argon2()?.hash_password_with_salt(password.0.as_bytes(), &salt)?;
        Ok(SecretHash(hash.to_string()))
    }

    /// Takes tens of milliseconds of CPU: call it off the async threads.
    pub fn verify(&self, password: &Password, stored: &SecretHash) -> bool {
        let (Ok(argon2), Ok(stored)) = (self.argon2(), PasswordHash::new(&stored.0)) else {
            return false;
        };
        argon2.verify_password(password.0.as_bytes(), &stored).is_ok()
    }

    /// The work of [`PasswordHasher::verify`] for a user who does not exist.
    pub fn verify_nothing(&self, password: &Password) -> bool {
        self.verify(password, &SecretHash(NOBODYS.to_owned()))
    }

    fn argon2(&self) -> Result<Argon2<'_>, argon2::Error> {
        Argon2::new_with_secret(
            self.pepper.as_bytes(),
            Algorithm::Argon2id,
            Version::V0x13,
            Params::default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    fn password(text: &str) -> Password {
        Password::parse(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn only_the_same_password_under_the_same_pepper_verifies() {
        let entropy = SeededEntropy::shared(1);
        let hasher = PasswordHasher::new(DataKey::generate(&*entropy));
        let stored = hasher.hash(&*entropy, &password("correct horse battery")).unwrap();
        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", &stored.0[..40]);
        assert!(hasher.verify(&password("correct horse battery"), &stored));
        assert!(!hasher.verify(&password("correct horse batterz"), &stored));
        let other = PasswordHasher::new(DataKey::generate(&*entropy));
        assert!(!other.verify(&password("correct horse battery"), &stored));
        assert!(!hasher.verify(&password("correct horse battery"), &SecretHash("damaged".to_owned())));
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(Password::parse(Zeroizing::new("elevenchars".to_owned())).is_err());
        assert!(Password::parse(Zeroizing::new("x".repeat(1025))).is_err());
        assert!(Password::claimed(Zeroizing::new("x".repeat(1025))).is_none());
        assert!(Password::claimed(Zeroizing::new("short".to_owned())).is_some());
    }

    #[test]
    fn passwords_that_are_easy_to_guess_are_refused() {
        for weak in ["passwordpassword", "aaaaaaaaaaaaaaaa", "123456789012345", "qwertyuiopasdf"] {
            assert!(Password::parse(Zeroizing::new(weak.to_owned())).is_err(), "{weak}");
        }
        for strong in ["correct horse battery staple", "Xk3-91vmPq-72Lz"] {
            assert!(Password::parse(Zeroizing::new(strong.to_owned())).is_ok(), "{strong}");
        }
    }

    #[test]
    fn nobodys_hash_costs_what_real_ones_do() {
        let entropy = SeededEntropy::shared(1);
        let hasher = PasswordHasher::new(DataKey::generate(&*entropy));
        let real = hasher.hash(&*entropy, &password("correct horse battery")).unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODYS), parameters(&real.0));
        assert_eq!(NOBODYS.len(), real.0.len());
        assert!(PasswordHash::new(NOBODYS).is_ok());
        assert!(!hasher.verify_nothing(&password("correct horse battery")));
    }
}
