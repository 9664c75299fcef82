//! The generic cell rate algorithm (GCRA): one number a key says when the whole quota will be there again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// How many requests (or points) may be used within a window, and at once: the burst is the whole quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub requests: u32,
    pub per_seconds: u32,
}

/// What is left of a quota after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    pub allowed: bool,
    /// Requests (or points) that would still pass now.
    pub remaining: u64,
    /// Seconds until the whole quota is there again.
    pub reset_seconds: u64,
    /// Seconds until this request would pass; 0 if it did.
    pub retry_after_seconds: u64,
}

/// The state of one key.
#[derive(Debug, Default)]
pub struct Bucket(Mutex<Level>);

/// When the whole quota is there again, in nanoseconds, and the window of the quota that this was computed for.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    full_at: u64,
    window: u64,
}

impl Level {
    /// The same share of the quota used under another window, so that a change grants no new burst and locks nobody out
    /// for longer than the new window.
    fn rescaled_to(self, window: u64, now: u64) -> u64 {
        let ahead = self.full_at.saturating_sub(now);
        let scaled = match self.window {
            0 => ahead,
            before => {
                let scaled = u128::from(ahead) * u128::from(window) / u128::from(before);
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
        };
        now + scaled.min(window)
    }
}

impl Bucket {
    /// Uses `cost` of the quota if that much is left.
    pub fn charge(&self, quota: Quota, cost: u64, now: Duration) -> Charge {
        let now = nanos(now);
        let window = u64::from(quota.per_seconds) * SECOND;
        let interval = (window / u64::from(quota.requests).max(1)).max(1);
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = level.rescaled_to(window, now);
        let after = before.saturating_add(interval.saturating_mul(cost));
        let allowed = after <= now + window;
        // A refusal costs nothing, but the level is written all the same: that is when a changed quota takes effect.
        let full_at = if allowed { after } else { before };
        *level = Level { full_at, window };
        let retry_after = (after.saturating_sub(now + window)).div_ceil(SECOND).max(1);
        Charge {
            allowed,
            remaining: (now + window - full_at) / interval,
            reset_seconds: (full_at - now).div_ceil(SECOND),
            retry_after_seconds: if allowed { 0 } else { retry_after },
        }
    }

    fn is_full(&self, now: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).full_at <= now
    }
}

/// The state of every key that has used some of its quota lately.
#[derive(Debug)]
pub struct Buckets<K>(RwLock<HashMap<K, Arc<Bucket>>>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Uses `cost` of the key's quota if that much is left.
    pub fn charge(&self, key: K, quota: Quota, cost: u64, now: Duration) -> Charge {
        self.bucket(key).charge(quota, cost, now)
    }

    /// Drops the keys whose whole quota is there again: nothing is lost by that.
    pub fn trim(&self, now: Duration) {
        let now = nanos(now);
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, bucket| !bucket.is_full(now));
    }

    /// How many keys are kept.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bucket(&self, key: K) -> Arc<Bucket> {
        if let Some(bucket) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(bucket);
        }
        Arc::clone(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
    }
}

fn nanos(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_A_MINUTE: Quota = Quota { requests: 10, per_seconds: 60 };
    const START: Duration = Duration::ZERO;

    #[test]
    fn exactly_the_quota_passes_at_once_and_then_one_an_interval() {
        let bucket = Bucket::default();
        for left in (0..10).rev() {
            let charge = bucket.charge(TEN_A_MINUTE, 1, START);
            assert!(charge.allowed);
            assert_eq!(charge.remaining, left);
        }
        let refused = bucket.charge(TEN_A_MINUTE, 1, START);
        assert_eq!((refused.allowed, refused.remaining, refused.retry_after_seconds), (false, 0, 6));
        assert_eq!(refused.reset_seconds, 60);
        assert!(!bucket.charge(TEN_A_MINUTE, 1, Duration::from_millis(5999)).allowed);
        assert!(bucket.charge(TEN_A_MINUTE, 1, Duration::from_secs(6)).allowed);
        assert!(!bucket.charge(TEN_A_MINUTE, 1, Duration::from_secs(6)).allowed);
    }

    #[test]
    fn keys_do_not_share() {
        let buckets = Buckets::default();
        assert!(buckets.charge("a", TEN_A_MINUTE, 10, START).allowed);
        assert!(buckets.charge("b", TEN_A_MINUTE, 10, START).allowed);
        assert!(!buckets.charge("a", TEN_A_MINUTE, 1, START).allowed);
    }

    #[test]
    fn a_refused_request_costs_nothing_and_one_above_the_burst_never_passes() {
        let bucket = Bucket::default();
        assert!(!bucket.charge(TEN_A_MINUTE, 11, START).allowed);
        assert!(bucket.charge(TEN_A_MINUTE, 10, START).allowed);
    }

    #[test]
    fn a_changed_quota_acts_at_once_and_grants_no_new_burst() {
        let bucket = Bucket::default();
        bucket.charge(TEN_A_MINUTE, 10, START);
        let doubled = Quota { requests: 20, per_seconds: 60 };
        assert!(!bucket.charge(doubled, 1, START).allowed);
        assert!(bucket.charge(doubled, 1, Duration::from_secs(3)).allowed);
        let short = Quota { requests: 1, per_seconds: 1 };
        assert!(!bucket.charge(short, 1, Duration::from_secs(3)).allowed);
        assert!(bucket.charge(short, 1, Duration::from_secs(4)).allowed);
    }

    #[test]
    fn trimming_drops_only_full_quotas() {
        let buckets = Buckets::default();
        buckets.charge("a", TEN_A_MINUTE, 10, START);
        buckets.trim(START);
        assert!(!buckets.charge("a", TEN_A_MINUTE, 1, START).allowed);
        buckets.trim(Duration::from_secs(60));
        assert!(buckets.is_empty());
    }
}
