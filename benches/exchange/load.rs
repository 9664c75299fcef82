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
    /// The levels.
    pub(crate) shapes: &'static [Shape],
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    pub(crate) warm_up: Duration,
    /// Only tries each step; the figures mean nothing.
    pub(crate) trial: bool,
}

/// Who asks at a level, and what is asked of it.
pub(crate) struct Shape {
    /// How many connections ask at the same time.
    pub(crate) clients: usize,
    /// How many keys they exchange, in turn.
    pub(crate) keys: usize,
    /// The least ratio to the floor that a run may find: on SQLite, on PostgreSQL.
    pub(crate) least: [Option<f64>; 2],
}

/// What was measured at a level: first the floor, then the subjects.
pub(crate) struct Level {
    pub(crate) shape: &'static Shape,
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

pub(crate) async fn level(plan: &Plan, targets: &[Target], shape: &'static Shape) -> anyhow::Result<Level> {
    let mut level = Level { shape, series: Vec::new() };
    for target in targets {
        let mut warm_up = Series::new(target.name);
        warm_up.measure(target, shape, plan.warm_up).await?;
        level.series.push(Series::new(target.name));
    }
    for _ in 0..plan.rounds {
        for (target, series) in targets.iter().zip(&mut level.series) {
            series.measure(target, shape, plan.round).await?;
        }
    }
    Ok(level)
}

impl Series {
    fn new(name: &'static str) -> Self {
        Self { name, rates: Vec::new(), latencies: Vec::new(), load_shares: Vec::new() }
    }

    /// One round.
    async fn measure(&mut self, target: &Target, shape: &Shape, length: Duration) -> anyhow::Result<()> {
        let requests: Vec<_> = target.requests.iter().take(shape.keys).cloned().collect();
        let connections = timeout(GRACE, connect(target.address, &requests, shape.clients));
        let connections = connections.await.context("no first answer").flatten().context(target.name)?;
        let processor_time = host::processor_time();
        let start = host::now();
        let all = timeout(length + GRACE, ask_all(connections, &requests, start + length));
        let answers = all.await.with_context(|| format!("{} stopped answering", target.name))??;
        let elapsed = start.elapsed();
        if let Some(first) = answers.first_wrong {
            let asked = answers.wrong + answers.latencies.len();
            let wrong = answers.wrong;
            return Err(first.context(format!(
                "{}, {} clients: {wrong} of {asked} went wrong; the first",
                self.name, shape.clients
            )));
        }
        let count = u32::try_from(answers.latencies.len())?;
        ensure!(count > 0, "{}, {} clients: not one answer", self.name, shape.clients);
        self.rates.push(f64::from(count) / elapsed.as_secs_f64());
        self.latencies.extend(answers.latencies);
        if let (Some(before), Some(after)) = (processor_time, host::processor_time()) {
            self.load_shares.push(after.saturating_sub(before).as_secs_f64() / elapsed.as_secs_f64());
        }
        Ok(())
    }
}

/// Opens the connections and asks once on each, so that a round holds nothing of their making.
async fn connect(
    address: SocketAddr,
    requests: &[Arc<[u8]>],
    clients: usize,
) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for request in requests.iter().cycle().take(clients) {
        let mut connection = Connection::open(address).await?;
        connection.exchange(request).await?;
        connections.push(connection);
    }
    Ok(connections)
}

async fn ask_all(
    connections: Vec<Connection>,
    requests: &[Arc<[u8]>],
    deadline: Instant,
) -> anyhow::Result<Answers> {
    let mut clients = JoinSet::new();
    let count = connections.len();
    for (place, connection) in connections.into_iter().enumerate() {
        // Each takes its own share of the keys, in turn; with fewer keys than clients, they share.
        let own = requests.iter().cycle().skip(place).step_by(count);
        let own = own.take(requests.len().div_ceil(count)).cloned().collect();
        clients.spawn(ask(connection, own, deadline));
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
async fn ask(mut connection: Connection, requests: Vec<Arc<[u8]>>, deadline: Instant) -> Answers {
    let mut answers = Answers::default();
    let mut asked = host::now();
    for request in requests.iter().cycle() {
        if asked >= deadline {
            break;
        }
        if let Err(error) = connection.exchange(request).await {
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
