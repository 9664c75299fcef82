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
/// What is shorter stands in many a good password by chance.
const LEAST_GUESS: usize = 3;
const EASY: &str = "This password is too easy to guess. Use several unrelated words, without your name or e-mail address, or a \
                    password manager.";

/// A hash that no password has, with the parameters of real ones.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// In the clear: not printed, not copied, wiped.
struct Plain(Zeroizing<String>);

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What somebody says is their password.
#[derive(Debug)]
pub struct Password(Plain);

/// What somebody wants as a password, before anybody has looked at it.
#[derive(Debug)]
pub struct WantedPassword(Plain);

/// A password that is hard to guess, also for whoever knows the person that it is for.
#[derive(Debug)]
pub struct StrongPassword(Plain);

impl Password {
    /// Refuses only what is too long to be meant.
    pub fn claimed(text: Zeroizing<String>) -> Option<Self> {
        (text.len() <= MAX_PASSWORD_BYTES).then_some(Self(Plain(text)))
    }
}

impl WantedPassword {
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(Plain(text))
    }

    /// Refuses what is too short, too long to be meant, or easy to guess for whoever knows these texts, such as the
    /// name and the address of the person that it is for. The error says what would do.
    pub fn judge(self, known: &[&str]) -> Result<StrongPassword, String> {
        let Self(Plain(text)) = &self;
        if text.chars().count() < MIN_PASSWORD {
            return Err(format!("Use at least {MIN_PASSWORD} characters."));
        }
        if text.len() > MAX_PASSWORD_BYTES {
            return Err(format!("Use at most {MAX_PASSWORD_BYTES} bytes."));
        }
        // The estimate grows with the square of the length; the beginning must do.
        let beginning: Zeroizing<String> = Zeroizing::new(text.chars().take(ESTIMATED).collect());
        if zxcvbn::zxcvbn(&beginning, &first_guesses(known)).score() < zxcvbn::Score::Three {
            return Err(EASY.to_owned());
        }
        Ok(StrongPassword(self.0))
    }
}

/// What is tried first by whoever knows these texts: each of them, what stands before its `@`, each of its words.
fn first_guesses<'a>(known: &[&'a str]) -> Vec<&'a str> {
    let locals = known.iter().filter_map(|text| text.split_once('@')).map(|(local, _)| local);
    let words = known.iter().flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()));
    let told = known.iter().copied().chain(locals).chain(words);
    std::iter::once("latchkey").chain(told.filter(|guess| guess.chars().count() >= LEAST_GUESS)).collect()
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
        password: &StrongPassword,
    ) -> Result<SecretHash, argon2::password_hash::Error> {
        let salt = bytes::<16>(entropy);
        let hash = self.argon2()?.hash_password_with_salt(password.0.0.as_bytes(), &salt)?;
        Ok(SecretHash(hash.to_string()))
    }

    /// Takes tens of milliseconds of CPU: call it off the async threads.
    pub fn verify(&self, password: &Password, stored: &SecretHash) -> bool {
        let (Ok(argon2), Ok(stored)) = (self.argon2(), PasswordHash::new(&stored.0)) else {
            return false;
        };
        argon2.verify_password(password.0.0.as_bytes(), &stored).is_ok()
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

    fn judged(text: &str, known: &[&str]) -> Result<StrongPassword, String> {
        WantedPassword::new(Zeroizing::new(text.to_owned())).judge(known)
    }

    fn strong(text: &str) -> StrongPassword {
        judged(text, &[]).unwrap()
    }

    fn claimed(text: &str) -> Option<Password> {
        Password::claimed(Zeroizing::new(text.to_owned()))
    }

    fn password(text: &str) -> Password {
        claimed(text).unwrap()
    }

    #[test]
    fn only_the_same_password_under_the_same_pepper_verifies() {
        let entropy = SeededEntropy::shared(1);
        let hasher = PasswordHasher::new(DataKey::generate(&*entropy));
        let stored = hasher.hash(&*entropy, &strong("correct horse battery")).unwrap();
        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", &stored.0[..40]);
        assert!(hasher.verify(&password("correct horse battery"), &stored));
        assert!(!hasher.verify(&password("correct horse batterz"), &stored));
        let other = PasswordHasher::new(DataKey::generate(&*entropy));
        assert!(!other.verify(&password("correct horse battery"), &stored));
        assert!(!hasher.verify(&password("correct horse battery"), &SecretHash("damaged".to_owned())));
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(judged("elevenchars", &[]).is_err());
        assert!(judged(&"x".repeat(1025), &[]).is_err());
        assert!(claimed(&"x".repeat(1025)).is_none());
        assert!(claimed("short").is_some());
    }

    #[test]
    fn passwords_that_are_easy_to_guess_are_refused() {
        for weak in ["passwordpassword", "aaaaaaaaaaaaaaaa", "123456789012345", "qwertyuiopasdf"] {
            assert!(judged(weak, &[]).is_err(), "{weak}");
        }
        for strong in ["correct horse battery staple", "Xk3-91vmPq-72Lz"] {
            assert!(judged(strong, &[]).is_ok(), "{strong}");
        }
    }

    #[test]
    fn what_is_known_of_a_person_makes_a_password_easy_to_guess() {
        let person = ["w.krzhanov@quuxborough.example", "vexolith", "Wendelgard Krzhanov"];
        for weak in [
            "w.krzhanov@quuxborough.example",
            "w.krzhanov12",
            "KrzhanovWendelgard",
            "vonahzrk-2019",
            "quuxborough1",
            "vex0lith!2019",
        ] {
            assert!(judged(weak, &person).is_err(), "{weak}");
            assert!(judged(weak, &["bob@example.com", "", "Bob"]).is_ok(), "{weak}");
        }
        for weak in ["latchkeylatchkey", "Latchkey2026!"] {
            assert!(judged(weak, &[]).is_err(), "{weak}");
        }
        assert!(judged("correct horse battery krzhanov", &person).is_ok());
    }

    #[test]
    fn a_password_is_not_printed() {
        let wanted = WantedPassword::new(Zeroizing::new("correct horse battery".to_owned()));
        let printed = format!("{wanted:?} {:?} {:?}", strong("correct horse battery"), password("correct"));
        assert_eq!(printed, "WantedPassword(…) StrongPassword(…) Password(…)");
    }

    #[test]
    fn nobodys_hash_costs_what_real_ones_do() {
        let entropy = SeededEntropy::shared(1);
        let hasher = PasswordHasher::new(DataKey::generate(&*entropy));
        let real = hasher.hash(&*entropy, &strong("correct horse battery")).unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(NOBODYS), parameters(&real.0));
        assert_eq!(NOBODYS.len(), real.0.len());
        assert!(PasswordHash::new(NOBODYS).is_ok());
        assert!(!hasher.verify_nothing(&password("correct horse battery")));
    }
}
