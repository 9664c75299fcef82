//! Time as an argument: the system's clock, and one that stands still until it is told to move.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use entity::Timestamp;

/// The two readings that the server takes of time.
pub trait Time: Send + Sync + fmt::Debug {
    /// The civil time, which can be set back.
    fn now(&self) -> Timestamp;
    /// Time passed since some moment in the past; it never goes back.
    fn elapsed(&self) -> Duration;
}

/// A shared clock.
pub type Clock = Arc<dyn Time>;

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn shared() -> Clock {
        Arc::new(Self { start: Instant::now() })
    }
}

impl Time for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock for tests: it moves only by [`FrozenClock::advance`].
#[derive(Debug)]
pub struct FrozenClock {
    start: i64,
    passed_millis: AtomicI64,
}

impl FrozenClock {
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { start: start.0, passed_millis: AtomicI64::new(0) })
    }

    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.passed_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Time for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.start + self.passed_millis.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.passed_millis.load(Ordering::SeqCst).unsigned_abs())
    }
}
