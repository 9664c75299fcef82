//! The rate limits of this process: those of each key, and those of networks that have not proven who they are.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use entity::KeyId;
use rate_limits::{Attempts, Buckets, network};

use crate::clock::Clock;
use crate::values::Quota;

/// What one network may do of each [`Attempt`].
const ATTEMPTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Attempts to sign in to one account from one network.
const SIGN_INS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// How many states of each kind of attempt are kept: some 5 MB.
const STATES: usize = 65_536;

/// What a limit of a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Exchanges at the token endpoint.
    Token,
    /// Points used by requests made with the token.
    Call,
}

impl Limit {
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
    pub limit: Limit,
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

/// What is counted by network. Each kind has a quota of its own: behind one address there may be a machine with an
/// outdated secret and an office full of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Attempt {
    /// A wrong client secret, or an unknown client.
    ClientSecret,
    /// A password, right or wrong.
    Password,
    /// A password where none is accepted, which is not checked.
    UnwantedPassword,
}

/// The limits of this process.
#[derive(Debug)]
pub struct Limits {
    clock: Clock,
    exchanges: Buckets<KeyId>,
    calls: Buckets<KeyId>,
    attempts: Attempts<(Attempt, IpAddr)>,
    /// By account, which is hashed: a name may be long.
    sign_ins: Attempts<(u64, IpAddr)>,
    hasher: RandomState,
}

impl Limits {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            exchanges: Buckets::default(),
            calls: Buckets::default(),
            attempts: Attempts::new(ATTEMPTS_PER_MINUTE, STATES),
            sign_ins: Attempts::new(SIGN_INS_PER_MINUTE, STATES),
            hasher: RandomState::new(),
        }
    }

    /// Uses `cost` of the key's quota if that much is left.
    pub fn spend(&self, key: KeyId, limit: Limit, quota: Quota, cost: u64) -> Spent {
        let buckets = match limit {
            Limit::Token => &self.exchanges,
            Limit::Call => &self.calls,
        };
        let charge = buckets.charge(key, quota.into(), cost, self.clock.elapsed());
        Spent {
            limit,
            quota,
            cost,
            allowed: charge.allowed,
            remaining: charge.remaining,
            reset_seconds: charge.reset_seconds,
            retry_after_seconds: charge.retry_after_seconds,
        }
    }

    /// Counts a wrong client secret from this address; false when its network has presented too many.
    pub fn failure(&self, address: IpAddr) -> bool {
        self.attempt(Attempt::ClientSecret, address)
    }

    /// Counts an attempt to sign in to an account; false when its network has made too many, to this account or in all.
    pub fn sign_in(&self, account: &str, address: IpAddr) -> bool {
        let name = (self.hasher.hash_one(account), network(address));
        self.sign_ins.count(&name, self.clock.elapsed()) && self.attempt(Attempt::Password, address)
    }

    /// Counts a password where none is accepted; false when this address's network has sent too many.
    pub fn unwanted_password(&self, address: IpAddr) -> bool {
        self.attempt(Attempt::UnwantedPassword, address)
    }

    fn attempt(&self, kind: Attempt, address: IpAddr) -> bool {
        self.attempts.count(&(kind, network(address)), self.clock.elapsed())
    }

    /// Drops the states whose whole quota is there again.
    pub fn trim(&self) {
        let now = self.clock.elapsed();
        self.exchanges.trim(now);
        self.calls.trim(now);
        self.attempts.trim(now);
        self.sign_ins.trim(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::clock::FrozenClock;

    const KEY: KeyId = KeyId(Uuid::nil());
    const TEN_A_MINUTE: Quota = Quota { requests: 10, per_seconds: 60 };

    #[test]
    fn exchanges_and_calls_do_not_share() {
        let clock = FrozenClock::at(Timestamp(0));
        let limits = Limits::new(clock.clone());
        assert!(limits.spend(KEY, Limit::Token, TEN_A_MINUTE, 10).allowed);
        assert!(limits.spend(KEY, Limit::Call, TEN_A_MINUTE, 10).allowed);
        assert!(!limits.spend(KEY, Limit::Token, TEN_A_MINUTE, 1).allowed);
        clock.advance(Duration::from_secs(60));
        limits.trim();
        assert!(limits.exchanges.is_empty() && limits.calls.is_empty());
    }

    #[test]
    fn secrets_and_passwords_of_a_network_do_not_share() {
        let limits = Limits::new(FrozenClock::at(Timestamp(0)));
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
        let clock = FrozenClock::at(Timestamp(0));
        let limits = Limits::new(clock.clone());
        let [a, b, c] =
            ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        for _ in 0..30 {
            assert!(limits.failure(a) && limits.failure(b));
        }
        assert!(!limits.failure(a));
        assert!(limits.failure(c));
        clock.advance(Duration::from_secs(1));
        assert!(limits.failure(b));
    }
}
