//! What benchmarks share that send many requests to a server and ask what each cost it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;

/// Requests that are sent in turn, by whichever connection is free.
pub(crate) struct Turns {
    requests: Vec<Arc<[u8]>>,
    next: AtomicUsize,
}

impl Turns {
    pub(crate) fn new(requests: Vec<Arc<[u8]>>) -> Arc<Self> {
        Arc::new(Self { requests, next: AtomicUsize::new(0) })
    }

    pub(crate) fn take(&self) -> anyhow::Result<Arc<[u8]>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.requests.len().max(1);
        self.requests.get(turn).cloned().context("nothing to ask")
    }
}

/// Processor time of a process so far. Linux counts it in hundredths of a second, which is enough for a round.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let statistics = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = statistics.rsplit_once(')').context("/proc/*/stat")?;
    let times = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = times.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
