//! Measures the token endpoint as a ratio to a floor: a bare handler that does the same cryptography, in the same run.
//! `cargo bench --bench exchange` measures; without `--bench` (as `cargo test --all-targets` starts it) it only tries each step once.

mod client;
mod floor;
mod host;
mod load;
mod postgres;
mod process;
mod report;
mod subject;

use std::io::stdout;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::load::{Level, Plan, Shape};
use crate::postgres::Database;

/// How the floor is told apart when this binary starts itself again.
const SERVE_FLOOR: &str = "--serve-floor";

const MEASURE: Plan = Plan {
    shapes: &[
        Shape { clients: 1, keys: 1, least: [None, None] },
        Shape { clients: 32, keys: 1, least: [Some(0.55), Some(0.35)] },
        Shape { clients: 128, keys: 1, least: [Some(0.65), Some(0.35)] },
        Shape { clients: 64, keys: 1_000, least: [Some(0.5), Some(0.35)] },
    ],
    rounds: 5,
    round: Duration::from_secs(2),
    warm_up: Duration::from_millis(500),
    trial: false,
};

const TRIAL: Plan = Plan {
    shapes: &[
        Shape { clients: 1, keys: 1, least: [None, None] },
        Shape { clients: 4, keys: 3, least: [None, None] },
    ],
    rounds: 1,
    round: Duration::from_millis(200),
    warm_up: Duration::from_millis(50),
    trial: true,
};

fn main() -> anyhow::Result<()> {
    let arguments = host::arguments();
    if arguments.iter().any(|argument| argument == SERVE_FLOOR) {
        return floor::run();
    }
    let plan = if arguments.iter().any(|argument| argument == "--bench") { MEASURE } else { TRIAL };
    // Before the runtime exists, so that each of its threads starts on the load's core.
    let pinned = process::pin_load();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(&plan, pinned))
}

/// Runs everything, and drops the second subject's database however the run ended.
async fn bench(plan: &Plan, pinned: bool) -> anyhow::Result<()> {
    let database = match host::postgres_url() {
        Some(server) => Some(Database::create(&server).await.context("a database on TEST_POSTGRES_URL")?),
        None => None,
    };
    let levels = tokio::select! {
        levels = measure(plan, pinned, database.as_ref()) => levels,
        interrupt = interrupted() => interrupt.and_then(|()| bail!("interrupted")),
    };
    if let Some(database) = database {
        database.remove().await?;
    }
    report::print(&mut stdout().lock(), plan, pinned, &levels?)
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Starts the servers, measures every level, and leaves no server behind.
async fn measure(plan: &Plan, pinned: bool, database: Option<&Database>) -> anyhow::Result<Vec<Level>> {
    let keys = plan.shapes.iter().map(|shape| shape.keys).max().unwrap_or(1);
    let sqlite = subject::start("sqlite", pinned, None, keys).await?;
    let mut targets = vec![floor::start(pinned)?, sqlite];
    if let Some(database) = database {
        targets.push(subject::start("postgres", pinned, Some(database.url()), keys).await?);
    }
    let mut levels = Vec::new();
    for shape in plan.shapes {
        levels.push(load::level(plan, &targets, shape).await?);
    }
    for target in &mut targets {
        if let Some(status) = target.server.ended()? {
            bail!("{} ended during the run: {status}", target.name);
        }
    }
    Ok(levels)
}
