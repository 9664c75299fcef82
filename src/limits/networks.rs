//! What networks may do that have not proven who they are: one fixed quota for each kind of attempt.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use lru::LruCache;

use crate::clock::Clock;

/// What one network may do of each [`Attempt`].
const ATTEMPTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Attempts to sign in to one account from one network.
const SIGN_INS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// So many states of each limiter are kept: some 5 MB. Whoever tries from more networks than this has a fresh quota when
/// it is their turn again, which is less than the quotas of all its networks would give.
const STATES: usize = 65_536;

/// What is counted by network. Each kind has a quota of its own: behind one address there may be a machine with an
/// outdated secret and an office full of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Attempt {
    /// A wrong client secret, or an unknown client.
    ClientSecret,
    /// A password, right or wrong.
    Password,
    /// A password where none is accepted, which nobody looks at.
    UnwantedPassword,
}

type Limiter<K> = RateLimiter<K, States<K>, GovernorClock, NoOpMiddleware<Nanos>>;

#[derive(Debug)]
pub(super) struct Networks {
    attempts: Limiter<(Attempt, IpAddr)>,
    /// By account, which is hashed: a name may be long.
    sign_ins: Limiter<(u64, IpAddr)>,
    hasher: RandomState,
}

impl Networks {
    pub(super) fn new(clock: &Clock) -> Self {
        let each = |quota| (Quota::per_minute(quota), GovernorClock(Clock::clone(clock)));
        let ((attempts, clock), (sign_ins, other)) = (each(ATTEMPTS_PER_MINUTE), each(SIGN_INS_PER_MINUTE));
        Self {
            attempts: RateLimiter::new(attempts, States::new(STATES), clock),
            sign_ins: RateLimiter::new(sign_ins, States::new(STATES), other),
            hasher: RandomState::new(),
        }
    }

    /// Counts an attempt; false when the network has made too many.
    pub(super) fn attempt(&self, kind: Attempt, network: IpAddr) -> bool {
        self.attempts.check_key(&(kind, network)).is_ok()
    }

    /// Counts an attempt to sign in to an account; false when the network has made too many to this one.
    pub(super) fn sign_in(&self, account: &str, network: IpAddr) -> bool {
        self.sign_ins.check_key(&(self.hasher.hash_one(account), network)).is_ok()
    }

    /// Forgets what is back to its full quota anyway.
    pub(super) fn trim(&self) {
        self.attempts.retain_recent();
        self.sign_ins.retain_recent();
    }
}

/// Our clock, as governor asks for it.
#[derive(Clone, Debug)]
struct GovernorClock(Clock);

impl governor::clock::Clock for GovernorClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

/// The states of those that tried last.
struct States<K: Eq + Hash> {
    most: usize,
    by_use: Mutex<LruCache<K, Nanos>>,
}

impl<K: Eq + Hash> std::fmt::Debug for States<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("States").field("most", &self.most).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash> States<K> {
    fn new(most: usize) -> Self {
        Self { most, by_use: Mutex::new(LruCache::unbounded()) }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<K, Nanos>> {
        self.by_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> StateStore for States<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut states = self.lock();
        let (answer, next) = measure(states.get(key).copied())?;
        states.put(key.clone(), next);
        if states.len() > self.most {
            states.pop_lru();
        }
        Ok(answer)
    }
}

impl<K: Clone + Eq + Hash> ShrinkableKeyedStateStore<K> for States<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut states = self.lock();
        while states.peek_lru().is_some_and(|(_, state)| *state < drop_below) {
            states.pop_lru();
        }
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity::Timestamp;

    use super::*;
    use crate::clock::FrozenClock;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn of_more_networks_than_are_kept_the_last_ones_are_and_after_a_while_none() {
        let clock = FrozenClock::at(Timestamp(0));
        let networks = Networks::new(&(clock.clone() as Clock));
        let last = u32::try_from(STATES).unwrap() + 100;
        for _ in 0..60 {
            assert!(networks.attempt(Attempt::ClientSecret, address(last)));
        }
        for number in 0..last {
            assert!(networks.attempt(Attempt::ClientSecret, address(number)));
        }
        assert_eq!(networks.attempts.len(), STATES);
        assert!(networks.attempt(Attempt::ClientSecret, address(last)), "it was too long ago");
        for _ in 1..60 {
            assert!(networks.attempt(Attempt::ClientSecret, address(last)));
        }
        assert!(!networks.attempt(Attempt::ClientSecret, address(last)));
        networks.trim();
        assert_eq!(networks.attempts.len(), STATES);
        clock.advance(Duration::from_secs(120));
        networks.trim();
        assert!(networks.attempts.is_empty());
    }
}
