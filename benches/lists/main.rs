//! Measures lists and searches of API keys in a store of a thousand keys and in one of a million: what a page costs must
//! not grow with the store. `cargo bench --bench lists` measures, and fails if a page or a search takes more than twice as
//! long in the large store; without `--bench` (as `cargo test --all-targets` starts it) it only tries each step once.
//!
//! With `TEST_POSTGRES_URL` the same is measured on PostgreSQL, in databases that are dropped and made anew. Files are kept
//! beside the build: to make a million keys takes minutes.

mod cases;
mod generator;
mod rows;
mod subject;

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::ensure;

use crate::cases::{CASES, Case};
use crate::generator::Store;
use crate::subject::Subject;

/// What the time of a page or a search may be multiplied by, from the small store to the large one.
const MOST_GROWTH: f64 = 2.0;

struct Plan {
    /// The keys of the small store and of the large one.
    sizes: [u32; 2],
    rounds: u32,
    trial: bool,
}

const MEASURE: Plan = Plan { sizes: [1_000, 1_000_000], rounds: 101, trial: false };
const TRIAL: Plan = Plan { sizes: [1_000, 2_000], rounds: 1, trial: true };
/// Counts look at every key: few rounds will do.
const ROUNDS_OF_COUNTS: u32 = 3;

/// The median times of one case in the small store and in the large one.
struct Figures {
    case: &'static Case,
    times: [Duration; 2],
}

fn main() -> anyhow::Result<()> {
    let measures = std::env::args_os().any(|argument| argument == "--bench");
    let plan = if measures { MEASURE } else { TRIAL };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut too_steep = 0;
    for server in [Some(None), postgres_url().map(Some)].into_iter().flatten() {
        let figures = runtime.block_on(measure(&plan, server.as_deref()))?;
        print(&mut stdout().lock(), &plan, server.is_some(), &figures)?;
        too_steep += figures.iter().filter(|figures| figures.is_too_steep()).count();
    }
    ensure!(plan.is_meaningless() || too_steep == 0, "{too_steep} pages or searches grow too much");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is set up by its environment")]
fn postgres_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

/// Takes the two stores in turn, so that a slow moment of the machine meets both alike.
async fn measure(plan: &Plan, server: Option<&str>) -> anyhow::Result<Vec<Figures>> {
    let mut subjects = Vec::new();
    for size in plan.sizes {
        subjects.push(Subject::start(&Store::prepare(size, server).await?).await?);
    }
    let mut all = Vec::new();
    for case in CASES {
        let mut times = [Vec::new(), Vec::new()];
        // The first rounds warm up.
        let warm_up = if case.is_count { 1 } else { plan.rounds.min(10) };
        let rounds = if case.is_count { plan.rounds.min(ROUNDS_OF_COUNTS) } else { plan.rounds };
        for round in 0..warm_up + rounds {
            for (subject, times) in subjects.iter().zip(&mut times) {
                let time = subject.time(case).await?;
                if round >= warm_up {
                    times.push(time);
                }
            }
        }
        all.push(Figures { case, times: times.map(median) });
    }
    for subject in subjects {
        subject.stop().await;
    }
    Ok(all)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl Plan {
    /// True if this is no measurement: a trial, or a build without optimization.
    fn is_meaningless(&self) -> bool {
        self.trial || cfg!(debug_assertions)
    }
}

impl Figures {
    fn growth(&self) -> f64 {
        let [small, large] = self.times.map(|time| time.as_secs_f64());
        if small > 0.0 { large / small } else { 0.0 }
    }

    fn is_too_steep(&self) -> bool {
        !self.case.is_count && self.growth() > MOST_GROWTH
    }
}

fn print(out: &mut impl Write, plan: &Plan, postgres: bool, all: &[Figures]) -> anyhow::Result<()> {
    let engine = if postgres { "PostgreSQL" } else { "SQLite" };
    writeln!(out, "lists on {engine}: microseconds of a request, the median of {} rounds", plan.rounds)?;
    if plan.is_meaningless() {
        writeln!(out, "A trial or a build without optimization: these figures mean nothing.")?;
    }
    let [small, large] = plan.sizes.map(|size| format!("{size} keys"));
    writeln!(out, "\n{:<34}  {small:>12}  {large:>12}  {:>6}", "request", "growth")?;
    for figures in all {
        let [small, large] = figures.times.map(|time| time.as_micros());
        let verdict = match (figures.case.is_count, figures.is_too_steep()) {
            _ if plan.is_meaningless() => "",
            (true, _) => "",
            (false, true) => "TOO STEEP",
            (false, false) => "ok",
        };
        let line = format!(
            "{:<34}  {small:>12}  {large:>12}  {:>6.2}  {verdict}",
            figures.case.name,
            figures.growth()
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}
