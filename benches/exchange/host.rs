//! What the benchmark takes from the machine it runs on: the clock, arguments, environment and its own processor time.
//! The rest of the crate may not read these, so the exception stands in this one file.
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and is set up by its environment"
)]

use std::ffi::OsString;
use std::time::{Duration, Instant, SystemTime, SystemTimeError};

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn unix_seconds() -> Result<u64, SystemTimeError> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs())
}

pub(crate) fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// The server where the second subject's database is made, named as for the tests.
pub(crate) fn postgres_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

/// Names of the settings in this process's environment; the servers under test must not inherit them.
pub(crate) fn inherited_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("LATCHKEY_"))
}

/// Processor time of the calling thread, which is the only one that makes load. `None` where the kernel does not tell.
pub(crate) fn processor_time() -> Option<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = statistics.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}
