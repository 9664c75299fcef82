//! Attempts of those who have not proven who they are: one fixed quota for everybody, and a bounded number of states.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use lru::LruCache;

/// A limit of attempts by `K`, which names who tries: a network, or a network and an account.
#[derive(Debug)]
pub struct Attempts<K: Clone + Eq + Hash> {
    limiter: RateLimiter<K, States<K>, Latest, NoOpMiddleware<Nanos>>,
    now: Latest,
}

impl<K: Clone + Eq + Hash> Attempts<K> {
    /// Keeps the states of the `capacity` names that tried last. Whoever tries from more networks than that finds a fresh
    /// quota when it is their turn again, which is less than the quotas of all their networks would give.
    pub fn new(per_minute: NonZeroU32, capacity: usize) -> Self {
        let now = Latest::default();
        let limiter = RateLimiter::new(Quota::per_minute(per_minute), States::new(capacity), now.clone());
        Self { limiter, now }
    }

    /// Counts an attempt; false when there were too many.
    pub fn count(&self, name: &K, now: Duration) -> bool {
        self.now.advance(now);
        self.limiter.check_key(name).is_ok()
    }

    /// Drops the states whose whole quota is there again.
    pub fn trim(&self, now: Duration) {
        self.now.advance(now);
        self.limiter.retain_recent();
    }

    /// How many names are kept.
    pub fn len(&self) -> usize {
        self.limiter.len()
    }

    pub fn is_empty(&self) -> bool {
        self.limiter.is_empty()
    }
}

/// The latest time that was passed in, which is how governor, which asks a clock, is told the time.
#[derive(Clone, Debug, Default)]
struct Latest(Arc<AtomicU64>);

impl Latest {
    fn advance(&self, now: Duration) {
        self.0.fetch_max(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl governor::clock::Clock for Latest {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// The states of the names that tried last.
struct States<K: Eq + Hash> {
    capacity: usize,
    by_use: Mutex<LruCache<K, Nanos>>,
}

impl<K: Eq + Hash> std::fmt::Debug for States<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("States").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash> States<K> {
    fn new(capacity: usize) -> Self {
        Self { capacity, by_use: Mutex::new(LruCache::unbounded()) }
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
        if states.len() > self.capacity {
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
    use super::*;

    const CAPACITY: usize = 1_000;
    const SIXTY: NonZeroU32 = NonZeroU32::new(60).unwrap();

    #[test]
    fn the_quota_comes_back_one_attempt_an_interval() {
        let attempts = Attempts::new(SIXTY, CAPACITY);
        let at = Duration::from_secs;
        assert!((0..60).all(|_| attempts.count(&"a", at(0))));
        assert!(!attempts.count(&"a", at(0)));
        assert!(attempts.count(&"b", at(0)));
        assert!(attempts.count(&"a", at(1)));
        assert!(!attempts.count(&"a", at(1)));
    }

    #[test]
    fn of_more_names_than_are_kept_the_last_ones_are_and_after_a_while_none() {
        let attempts = Attempts::new(SIXTY, CAPACITY);
        let (start, last) = (Duration::ZERO, CAPACITY + 100);
        assert!((0..60).all(|_| attempts.count(&last, start)));
        assert!((0..last).all(|name| attempts.count(&name, start)));
        assert_eq!(attempts.len(), CAPACITY);
        assert!(attempts.count(&last, start), "its state was dropped");
        assert!((1..60).all(|_| attempts.count(&last, start)));
        assert!(!attempts.count(&last, start));
        attempts.trim(start);
        assert_eq!(attempts.len(), CAPACITY);
        attempts.trim(Duration::from_secs(120));
        assert!(attempts.is_empty());
    }
}
