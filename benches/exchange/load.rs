//! The load: connections that ask again as soon as they are answered, in rounds that take the servers in turn so that a
//! slow moment of the machine meets them alike. All of it runs on one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Connection;
use crate::host;
use crate::process::Target;

/// How long the last answers of a round may take before the run fails.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) struct Plan {
    /// The levels: how many connections ask at the same time.
    pub(crate) clients: &'static [usize],
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    pub(crate) warm_up: Duration,
    /// Only tries each step; the figures mean nothing.
    pub(crate) trial: bool,
}

/// What was measured with a number of clients: first the floor, then the subjects.
pub(crate) struct Level {
    pub(crate) clients: usize,
    pub(crate) series: Vec<Series>,
}

/// All rounds of one server.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// Requests a second, one figure a round.
    pub(crate) rates: Vec<f64>,
    /// Of every request of every round.
    pub(crate) latencies: Vec<Duration>,
    /// The share of its core that the load took, one figure a round. At 1 the load is what was measured.
    pub(crate) load_shares: Vec<f64>,
}

#[derive(Default)]
struct Answers {
    latencies: Vec<Duration>,
    wrong: usize,
    first_wrong: Option<anyhow::Error>,
}

pub(crate) async fn level(plan: &Plan, targets: &[Target], clients: usize) -> anyhow::Result<Level> {
    let mut level = Level { clients, series: Vec::new() };
    for target in targets {
        let mut warm_up = Series::new(target.name);
        warm_up.measure(target, clients, plan.warm_up).await?;
        level.series.push(Series::new(target.name));
    }
    for _ in 0..plan.rounds {
        for (target, series) in targets.iter().zip(&mut level.series) {
            series.measure(target, clients, plan.round).await?;
        }
    }
    Ok(level)
}

impl Series {
    fn new(name: &'static str) -> Self {
        Self { name, rates: Vec::new(), latencies: Vec::new(), load_shares: Vec::new() }
    }

    /// One round.
    async fn measure(&mut self, target: &Target, clients: usize, length: Duration) -> anyhow::Result<()> {
        let connections = timeout(GRACE, connect(target.address, &target.request, clients));
        let connections = connections.await.context("no first answer").flatten().context(target.name)?;
        let processor_time = host::processor_time();
        let start = host::now();
        let all = timeout(length + GRACE, ask_all(connections, &target.request, start + length));
        let answers = all.await.with_context(|| format!("{} stopped answering", target.name))??;
        let elapsed = start.elapsed();
        if let Some(first) = answers.first_wrong {
            let asked = answers.wrong + answers.latencies.len();
            let wrong = answers.wrong;
            return Err(first.context(format!(
                "{}, level {clients}: {wrong} of {asked} went wrong; the first",
                self.name
            )));
        }
        let count = u32::try_from(answers.latencies.len())?;
        ensure!(count > 0, "{}, level {clients}: not one answer", self.name);
        self.rates.push(f64::from(count) / elapsed.as_secs_f64());
        self.latencies.extend(answers.latencies);
        if let (Some(before), Some(after)) = (processor_time, host::processor_time()) {
            self.load_shares.push(after.saturating_sub(before).as_secs_f64() / elapsed.as_secs_f64());
        }
        Ok(())
    }
}

/// Opens the connections and asks once on each, so that a round holds nothing of their making.
async fn connect(address: SocketAddr, request: &[u8], clients: usize) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        let mut connection = Connection::open(address).await?;
        connection.exchange(request).await?;
        connections.push(connection);
    }
    Ok(connections)
}

async fn ask_all(
    connections: Vec<Connection>,
    request: &Arc<[u8]>,
    deadline: Instant,
) -> anyhow::Result<Answers> {
    let mut clients = JoinSet::new();
    for connection in connections {
        clients.spawn(ask(connection, Arc::clone(request), deadline));
    }
    let mut all = Answers::default();
    while let Some(answers) = clients.join_next().await {
        let answers = answers?;
        all.latencies.extend(answers.latencies);
        all.wrong += answers.wrong;
        all.first_wrong = all.first_wrong.or(answers.first_wrong);
    }
    Ok(all)
}

/// One client: asks until the deadline, or until an answer is wrong (its connection may be out of step then).
async fn ask(mut connection: Connection, request: Arc<[u8]>, deadline: Instant) -> Answers {
    let mut answers = Answers::default();
    let mut asked = host::now();
    while asked < deadline {
        if let Err(error) = connection.exchange(&request).await {
            answers.wrong += 1;
            answers.first_wrong = Some(error);
            break;
        }
        let answered = host::now();
        answers.latencies.push(answered - asked);
        asked = answered;
    }
    answers
}
