//! Exchanges at two servers in turn, and the processor time that each takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::shared::Turns;
use crate::subject::Subject;
use crate::{Plan, host};

/// Microseconds of the server's core for an exchange: the medians of the rounds.
pub(crate) struct Costs {
    pub(crate) small: f64,
    pub(crate) large: f64,
    /// Of the rounds that were measured beside each other.
    pub(crate) ratio: f64,
}

pub(crate) async fn measure(plan: &Plan, subjects: [&Subject; 2]) -> anyhow::Result<Costs> {
    let subjects = subjects.map(|subject| (subject, Turns::new(subject.requests.clone())));
    let (mut small, mut large, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms up.
    for number in 0..=plan.rounds {
        let mut costs = [0.0; 2];
        for ((subject, turns), cost) in subjects.iter().zip(&mut costs) {
            *cost = round(plan, subject, turns).await?;
        }
        if number > 0 {
            small.push(costs[0]);
            large.push(costs[1]);
            ratios.push(costs[1] / costs[0]);
        }
    }
    Ok(Costs { small: median(small)?, large: median(large)?, ratio: median(ratios)? })
}

async fn round(plan: &Plan, subject: &Subject, turns: &Arc<Turns>) -> anyhow::Result<f64> {
    let before = subject.processor_time()?;
    let until = host::now() + plan.round;
    let mut clients = JoinSet::new();
    for _ in 0..plan.clients {
        clients.spawn(ask(subject.address, Arc::clone(turns), until));
    }
    let mut answers = 0;
    while let Some(answered) = clients.join_next().await {
        answers += answered??;
    }
    let spent = subject.processor_time()?.saturating_sub(before).as_secs_f64();
    ensure!(answers > 0, "not one answer");
    Ok(spent * 1e6 / f64::from(answers))
}

/// One client: asks until the deadline, or until an answer is no token.
async fn ask(address: SocketAddr, turns: Arc<Turns>, deadline: Instant) -> anyhow::Result<u32> {
    let mut connection = Connection::open(address).await?;
    let mut answers = 0;
    while host::now() < deadline {
        connection.exchange(&turns.take()?).await?;
        answers += 1;
    }
    Ok(answers)
}

fn median(mut figures: Vec<f64>) -> anyhow::Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().context("no rounds")
}
