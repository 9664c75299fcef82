//! Processor time, of all threads: a query runs on threads of the database too.

use std::fs::{read_dir, read_to_string};
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// What the threads of this process have taken so far. One that ends takes its share out of the sum.
pub(crate) fn time() -> anyhow::Result<Duration> {
    let mut all = Duration::ZERO;
    for thread in read_dir("/proc/self/task").context("processor time is told by Linux only")? {
        match read_to_string(thread?.path().join("schedstat")) {
            Ok(statistics) => all += running(&statistics)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(all > Duration::ZERO, "the kernel does not tell processor time");
    Ok(all)
}

/// The first field: nanoseconds on a processor.
fn running(statistics: &str) -> anyhow::Result<Duration> {
    let nanoseconds = statistics.split_ascii_whitespace().next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse().context("schedstat")?))
}
