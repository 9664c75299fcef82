//! The load: connections that ask again as soon as they are answered, in rounds that take the handlers in turn. What is
//! compared is the processor time of the server for a request: a load that cannot keep up, and others on the machine, change it
//! little.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::host;
use crate::shared::Turns;
use crate::subject::{Case, Subject};

pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) rounds: usize,
    pub(crate) round: Duration,
    /// Only tries each step; the figures mean nothing.
    pub(crate) trial: bool,
}

/// All rounds of one handler.
pub(crate) struct Figures {
    pub(crate) case: Case,
    /// Microseconds of the server's processor time for a request, one figure a round.
    pub(crate) costs: Vec<f64>,
    /// Of all rounds.
    pub(crate) best_rate: f64,
}

pub(crate) async fn measure(plan: &Plan, subject: &Subject, cases: &[Case]) -> anyhow::Result<Vec<Figures>> {
    let mut all = Vec::new();
    for case in cases.iter().copied() {
        let turns = Turns::new(subject.requests(case));
        let mut figures = (turns, Figures { case, costs: Vec::new(), best_rate: 0.0 });
        // Warms up, and is forgotten.
        round(plan, subject, &mut figures).await.with_context(|| case.name())?;
        figures.1 = Figures { case, costs: Vec::new(), best_rate: 0.0 };
        all.push(figures);
    }
    for _ in 0..plan.rounds {
        for figures in &mut all {
            round(plan, subject, figures).await.with_context(|| figures.1.case.name())?;
        }
    }
    Ok(all.into_iter().map(|(_, figures)| figures).collect())
}

async fn round(plan: &Plan, subject: &Subject, all: &mut (Arc<Turns>, Figures)) -> anyhow::Result<()> {
    let (turns, figures) = all;
    let address = subject.address(figures.case);
    let before = subject.processor_time()?;
    let begun = host::now();
    let mut clients = JoinSet::new();
    let awake = tokio::spawn(stay_awake());
    for _ in 0..plan.clients {
        clients.spawn(ask(address, Arc::clone(turns), begun + plan.round));
    }
    let mut answers = 0;
    while let Some(answered) = clients.join_next().await {
        answers += answered??;
    }
    awake.abort();
    let elapsed = begun.elapsed().as_secs_f64();
    let spent = subject.processor_time()?.saturating_sub(before).as_secs_f64();
    ensure!(answers > 0, "not one answer");
    let answers = f64::from(answers);
    figures.costs.push(spent * 1e6 / answers);
    figures.best_rate = figures.best_rate.max(answers / elapsed);
    Ok(())
}

/// Keeps the load's core from sleeping. Otherwise each answer has to wake it, at the cost of the server's core (dozens of
/// microseconds on a virtual machine), the more often the slower the handler is.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// One client: asks until the deadline, or until an answer is wrong.
async fn ask(address: SocketAddr, turns: Arc<Turns>, deadline: Instant) -> anyhow::Result<u32> {
    let mut connection = Connection::open(address).await?;
    let mut answers = 0;
    while host::now() < deadline {
        let request = turns.take()?;
        let (status, body) = connection.answer(&request).await?;
        ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(body));
        answers += 1;
    }
    Ok(answers)
}
