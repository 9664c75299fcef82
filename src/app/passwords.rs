//! People's passwords at work: hashed and checked off the async threads, a few at a time. Whoever would wait for
//! long is told to come again.

use std::sync::Arc;
use std::time::Duration;

use entity::{SecretHash, user};
use tokio::sync::Semaphore;

use crate::crypto::password::{Password, PasswordHasher, StrongPassword, WantedPassword};
use crate::entropy::Entropy;
use crate::error::{Error, Result, UserError};

/// Each takes 19 MiB and tens of milliseconds of one core.
const AT_ONCE: usize = 2;

/// Judges what somebody wants as the password of a person of whom these texts are known; a mistake names the input field.
pub fn judge(
    field: &'static str,
    wanted: WantedPassword,
    known: &[&str],
) -> Result<StrongPassword, UserError> {
    wanted.judge(known).map_err(|problem| UserError::invalid(field, problem))
}

/// What whoever tries to guess a user's password knows of them.
pub fn known_of(user: &user::Model) -> [&str; 3] {
    [&user.email, user.handle.as_deref().unwrap_or_default(), &user.display_name]
}

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    hasher: Arc<PasswordHasher>,
    entropy: Entropy,
    permits: Arc<Semaphore>,
    timeout: Duration,
}

impl Passwords {
    /// Nobody waits longer than `timeout` for their turn.
    pub fn new(hasher: PasswordHasher, entropy: Entropy, timeout: Duration) -> Self {
        Self { hasher: Arc::new(hasher), entropy, permits: Arc::new(Semaphore::new(AT_ONCE)), timeout }
    }

    pub async fn hash(&self, password: StrongPassword) -> Result<SecretHash> {
        let (hasher, entropy) = (Arc::clone(&self.hasher), Arc::clone(&self.entropy));
        let hash = self.work(move || hasher.hash(&*entropy, &password)).await?;
        hash.map_err(|error| Error::internal(error.to_string()))
    }

    /// Whether the password is the stored one. Without a stored one it does the same work, for nothing.
    pub async fn verify(&self, password: Password, stored: Option<SecretHash>) -> Result<bool> {
        let hasher = Arc::clone(&self.hasher);
        self.work(move || match stored {
            Some(stored) => hasher.verify(&password, &stored),
            None => hasher.verify_nothing(&password),
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = tokio::time::timeout(self.timeout, Arc::clone(&self.permits).acquire_owned());
        let permit = permit.await.map_err(|_| Error::Unavailable)?.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let _held = permit;
            work()
        })
        .await
        .map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::master_key::DataKey;
    use crate::entropy::SeededEntropy;

    #[tokio::test]
    async fn whoever_waits_too_long_for_a_place_is_told_to_come_again() {
        let entropy = SeededEntropy::shared(1);
        let hasher = PasswordHasher::new(DataKey::generate(&*entropy));
        let passwords = Passwords::new(hasher, entropy, Duration::ZERO);
        let claimed = || Password::claimed(Zeroizing::new("correct horse battery".to_owned())).unwrap();
        let all = passwords.permits.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        assert!(matches!(passwords.verify(claimed(), None).await, Err(Error::Unavailable)));
        drop(all);
        assert!(!passwords.verify(claimed(), None).await.unwrap());
    }
}
