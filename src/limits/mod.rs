//! Rate limits. Each key has a state of its own for each policy, under a quota that may differ from every other key's
//! and may change at any moment; networks that present wrong credentials share one fixed quota each.

mod networks;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use self::networks::{Attempt, Networks};
use crate::clock::Clock;
use crate::values::Quota;
use entity::KeyId;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Exchanges at the token endpoint.
    Token,
    /// Points spent by requests made with the token.
    Call,
}

impl Policy {
    /// The name in the `RateLimit` headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Call => "call",
        }
    }
}

/// What is left of a limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub policy: Policy,
    pub quota: Quota,
    /// What was asked for.
    pub cost: u64,
    pub allowed: bool,
    /// Requests (or points) that would still pass now.
    pub remaining: u64,
    /// Seconds until the whole quota is there again.
    pub reset_seconds: u64,
    /// Seconds until this request would pass; 0 if it did.
    pub retry_after_seconds: u64,
}

/// One GCRA state.
#[derive(Debug, Default)]
struct Bucket(Mutex<Level>);

/// The time (in nanoseconds of the clock) at which the whole quota is there again, and the window of that quota.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    full_at: u64,
    window: u64,
}

impl Level {
    /// The same part of the quota spent under another window: a change grants no new burst, and locks nobody out for
    /// longer than the new window.
    fn under(self, window: u64, now: u64) -> u64 {
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
    fn spend(&self, policy: Policy, quota: Quota, cost: u64, now: u64) -> Spent {
        let window = u64::from(quota.per_seconds.unsigned_abs()) * 1_000_000_000;
        let interval = window / u64::from(quota.requests.unsigned_abs()).max(1);
        let interval = interval.max(1);
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = level.under(window, now);
        let after = before.saturating_add(interval.saturating_mul(cost));
        let allowed = after <= now + window;
        // A refusal costs nothing, and is written down too: that is when a changed quota takes hold.
        let full_at = if allowed { after } else { before };
        *level = Level { full_at, window };
        Spent {
            policy,
            quota,
            cost,
            allowed,
            remaining: (now + window - full_at) / interval,
            reset_seconds: (full_at - now).div_ceil(1_000_000_000),
            retry_after_seconds: if allowed {
                0
            } else {
                (after - (now + window)).div_ceil(1_000_000_000).max(1)
            },
        }
    }

    fn is_full(&self, now: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).full_at <= now
    }
}

#[derive(Debug, Default)]
struct KeyBuckets {
    token: Bucket,
    call: Bucket,
}

/// The limits of this process.
#[derive(Debug)]
pub struct Limits {
    clock: Clock,
    keys: RwLock<HashMap<KeyId, Arc<KeyBuckets>>>,
    networks: Networks,
}

impl Limits {
    pub fn new(clock: Clock) -> Self {
        Self { networks: Networks::new(&clock), keys: RwLock::default(), clock }
    }

    /// Spends `cost` of the key's quota if that much is left.
    pub fn spend(&self, key: KeyId, policy: Policy, quota: Quota, cost: u64) -> Spent {
        let buckets = self.buckets(key);
        let bucket = match policy {
            Policy::Token => &buckets.token,
            Policy::Call => &buckets.call,
        };
        bucket.spend(policy, quota, cost, nanos(self.clock.elapsed()))
    }

    /// Counts a wrong client secret from this address; false when its network has presented too many.
    pub fn failure(&self, address: IpAddr) -> bool {
        self.networks.attempt(Attempt::ClientSecret, network(address))
    }

    /// Counts an attempt to sign in to an account; false when its network has made too many, to this account or in all.
    pub fn sign_in(&self, account: &str, address: IpAddr) -> bool {
        let network = network(address);
        self.networks.sign_in(account, network) && self.networks.attempt(Attempt::Password, network)
    }

    /// Counts a password where none is accepted; false when this address's network has sent too many.
    pub fn unwanted_password(&self, address: IpAddr) -> bool {
        self.networks.attempt(Attempt::UnwantedPassword, network(address))
    }

    /// Forgets what is back to its full quota anyway.
    pub fn trim(&self) {
        let now = nanos(self.clock.elapsed());
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, buckets| !(buckets.token.is_full(now) && buckets.call.is_full(now)));
        self.networks.trim();
    }

    fn buckets(&self, key: KeyId) -> Arc<KeyBuckets> {
        if let Some(buckets) = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(buckets);
        }
        Arc::clone(self.keys.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_default())
    }
}

fn nanos(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// What counts as one neighbour: an IPv4 address, or the /64 of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
    }
}

#[cfg(test)]
mod tests {
    use entity::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::clock::FrozenClock;

    const KEY: KeyId = KeyId(Uuid::nil());
    const TEN_A_MINUTE: Quota = Quota { requests: 10, per_seconds: 60 };

    fn limits() -> (Arc<FrozenClock>, Limits) {
        let clock = FrozenClock::at(Timestamp(0));
        (clock.clone(), Limits::new(clock))
    }

    #[test]
    fn exactly_the_quota_passes_at_once_and_then_one_an_interval() {
        let (clock, limits) = limits();
        for left in (0..10).rev() {
            let spent = limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1);
            assert!(spent.allowed);
            assert_eq!(spent.remaining, left);
        }
        let refused = limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1);
        assert_eq!((refused.allowed, refused.remaining, refused.retry_after_seconds), (false, 0, 6));
        assert_eq!(refused.reset_seconds, 60);
        clock.advance(Duration::from_millis(5999));
        assert!(!limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1).allowed);
        clock.advance(Duration::from_millis(1));
        assert!(limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1).allowed);
        assert!(!limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1).allowed);
    }

    #[test]
    fn policies_and_keys_do_not_share() {
        let (_, limits) = limits();
        assert!(limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 10).allowed);
        assert!(limits.spend(KEY, Policy::Call, TEN_A_MINUTE, 10).allowed);
        assert!(limits.spend(KeyId(Uuid::max()), Policy::Token, TEN_A_MINUTE, 10).allowed);
        assert!(!limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1).allowed);
    }

    #[test]
    fn a_refused_request_costs_nothing_and_one_above_the_burst_never_passes() {
        let (_, limits) = limits();
        assert!(!limits.spend(KEY, Policy::Call, TEN_A_MINUTE, 11).allowed);
        assert!(limits.spend(KEY, Policy::Call, TEN_A_MINUTE, 10).allowed);
    }

    #[test]
    fn a_changed_quota_acts_at_once_and_grants_no_new_burst() {
        let (clock, limits) = limits();
        limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 10);
        let doubled = Quota { requests: 20, per_seconds: 60 };
        assert!(!limits.spend(KEY, Policy::Token, doubled, 1).allowed);
        clock.advance(Duration::from_secs(3));
        assert!(limits.spend(KEY, Policy::Token, doubled, 1).allowed);
        let short = Quota { requests: 1, per_seconds: 1 };
        assert!(!limits.spend(KEY, Policy::Token, short, 1).allowed);
        clock.advance(Duration::from_secs(1));
        assert!(limits.spend(KEY, Policy::Token, short, 1).allowed);
    }

    #[test]
    fn trimming_forgets_only_full_quotas() {
        let (clock, limits) = limits();
        limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 10);
        limits.trim();
        assert!(!limits.spend(KEY, Policy::Token, TEN_A_MINUTE, 1).allowed);
        clock.advance(Duration::from_secs(60));
        limits.trim();
        assert!(limits.keys.read().unwrap().is_empty());
    }

    #[test]
    fn secrets_and_passwords_of_a_network_do_not_share() {
        let (_, limits) = limits();
        let office: IpAddr = "203.0.113.7".parse().unwrap();
        let each: [&dyn Fn(u32) -> bool; 3] =
            [&|_| limits.failure(office), &|n| limits.sign_in(&n.to_string(), office), &|_| {
                limits.unwanted_password(office)
            }];
        for (kind, attempt) in each.iter().enumerate() {
            assert!((0..60).all(attempt), "{kind}");
            assert!(!attempt(60), "{kind}");
        }
    }

    #[test]
    fn failures_are_counted_by_network() {
        let (clock, limits) = limits();
        let [a, b, c] =
            ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        for _ in 0..30 {
            assert!(limits.failure(a) && limits.failure(b));
        }
        assert!(!limits.failure(a));
        assert!(limits.failure(c));
        clock.advance(Duration::from_secs(1));
        assert!(limits.failure(b));
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
