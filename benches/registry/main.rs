//! Measures the server with a million keys: how soon after its start it gives a token, how much memory it takes when all keys
//! are in it, and what an exchange costs beside that of a server with a thousand keys. `cargo bench --bench registry`
//! measures, and fails if a figure is beyond its bound; without `--bench` (as `cargo test --all-targets` starts it) it only
//! tries each step once.
//!
//! The stores are those of the benchmark of lists, in copies of its files, in which some keys are given secrets.

#[path = "../exchange/client.rs"]
mod client;
#[path = "../lists/generator.rs"]
#[expect(dead_code, reason = "the other benchmark changes keys, and has a PostgreSQL")]
mod generator;
#[path = "../exchange/host.rs"]
#[expect(dead_code, reason = "the other benchmarks ask the machine for more")]
mod host;
mod load;
#[path = "../exchange/process.rs"]
#[expect(dead_code, reason = "the other benchmark has another kind of servers")]
mod process;
#[path = "../lists/rows.rs"]
mod rows;
#[path = "../shared/load.rs"]
mod shared;
mod subject;

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::ensure;

use crate::generator::Store;
use crate::subject::{Subject, with_secrets};

pub(crate) struct Plan {
    /// The keys of the small store and of the large one.
    sizes: [u32; 2],
    /// The keys that are exchanged, in each store.
    used: u32,
    clients: u32,
    rounds: u32,
    round: Duration,
    trial: bool,
}

const MEASURE: Plan = Plan {
    sizes: [1_000, 1_000_000],
    used: 1_000,
    clients: 8,
    rounds: 5,
    round: Duration::from_secs(3),
    trial: false,
};
const TRIAL: Plan = Plan {
    sizes: [1_000, 2_000],
    used: 20,
    clients: 2,
    rounds: 1,
    round: Duration::from_millis(100),
    trial: true,
};
/// After this time a server at which nobody asks for anything has come to rest.
const REST: Duration = Duration::from_secs(3);

/// What was measured, and the most that it may be.
struct Figure {
    name: &'static str,
    unit: &'static str,
    value: f64,
    most: Option<f64>,
}

fn main() -> anyhow::Result<()> {
    let measures = host::arguments().iter().any(|argument| argument == "--bench");
    let plan = if measures { MEASURE } else { TRIAL };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(&plan))?;
    print(&mut stdout().lock(), &plan, &figures)?;
    let beyond = figures.iter().filter(|figure| figure.is_beyond()).count();
    ensure!(plan.is_meaningless() || beyond == 0, "{beyond} figures are beyond their bounds");
    Ok(())
}

async fn measure(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let figure = |name, unit, value, most| Figure { name, unit, value, most };
    let pinned = process::pin_load();
    let rest = if plan.trial { plan.round } else { REST };
    let idle = {
        let directory = tempfile::Builder::new().prefix("registry-").tempdir_in(subject::DIRECTORY)?;
        let empty = Subject::start(directory.path(), &[], pinned).await?;
        tokio::time::sleep(rest).await;
        empty.memory()?
    };
    let mut subjects = Vec::new();
    for keys in plan.sizes {
        let store = Store::prepare(keys, None).await?;
        let (data, clients) = with_secrets(&store, plan.used).await?;
        subjects.push(Subject::start(&data, &clients, pinned).await?);
    }
    let mut warm = Duration::ZERO;
    for subject in &subjects {
        warm = subject.warmed().await?;
    }
    let [small, large] = subjects.as_slice() else { anyhow::bail!("two stores") };
    let (warmed, alone) = (large.memory()?, small.memory()?);
    let costs = load::measure(plan, [small, large]).await?;
    Ok(vec![
        figure("idle, an empty store", "MB", idle, Some(40.0)),
        figure("from the start to the first token", "ms", millis(large.first_token), Some(1_000.0)),
        figure("  with the small store", "ms", millis(small.first_token), None),
        figure("from the start until all keys are in memory", "s", warm.as_secs_f64(), None),
        figure("with all keys in memory", "MB", warmed, Some(450.0)),
        figure("  after the exchanges", "MB", large.memory()?, Some(450.0)),
        figure("  with the small store", "MB", alone, None),
        figure("an exchange, small store", "us", costs.small, None),
        figure("an exchange, large store", "us", costs.large, None),
        figure("  as a part of the small one's", "", costs.ratio, Some(1.15)),
    ])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Figure {
    fn is_beyond(&self) -> bool {
        self.most.is_some_and(|most| self.value > most)
    }
}

impl Plan {
    /// True if this is no measurement: a trial, or a build without optimization.
    fn is_meaningless(&self) -> bool {
        self.trial || cfg!(debug_assertions)
    }
}

fn print(out: &mut impl Write, plan: &Plan, figures: &[Figure]) -> anyhow::Result<()> {
    let Plan { sizes: [small, large], used, rounds, .. } = plan;
    writeln!(
        out,
        "registry: {small} and {large} keys, of which {used} are exchanged, the median of {rounds} rounds"
    )?;
    if plan.is_meaningless() {
        writeln!(out, "A trial or a build without optimization: these figures mean nothing.")?;
    }
    writeln!(out, "\n{:<45}  {:>10}  {:<2}  {:>8}", "", "figure", "", "at most")?;
    for figure in figures {
        let Figure { name, unit, value, most } = figure;
        let most = most.map(|most| format!("{most:.2}")).unwrap_or_default();
        let verdict = if figure.is_beyond() && !plan.is_meaningless() { "TOO MUCH" } else { "" };
        let line = format!("{name:<45}  {value:>10.2}  {unit:<2}  {most:>8}  {verdict}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(out.flush()?)
}
