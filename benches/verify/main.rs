//! Measures what it costs to tell what a token is worth, as ratios to handlers beside it: an empty one, one that reads a
//! body and is empty apart from that, and a bare one that checks the signature each time. All are served by one process, on one core, in turn.
//! `cargo bench --bench verify` measures and fails if a ratio is lower than it should be; `cargo bench --bench verify --
//! empty verify` measures these handlers only; without `--bench` (as
//! `cargo test --all-targets` starts it) it only tries each step once.

#[path = "../shared/bearer.rs"]
mod bearer;
#[path = "../exchange/client.rs"]
#[expect(dead_code, reason = "the other benchmark looks for tokens in answers")]
mod client;
#[path = "../exchange/host.rs"]
#[expect(dead_code, reason = "the other benchmark asks the machine for more")]
mod host;
mod load;
#[path = "../exchange/process.rs"]
#[expect(dead_code, reason = "the other benchmark has one request for each server")]
mod process;
#[path = "../shared/load.rs"]
mod shared;
mod subject;

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::load::{Figures, Plan};
use crate::subject::{Case, SERVE};

/// As in the server's own program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MEASURE: Plan = Plan { clients: 16, rounds: 7, round: Duration::from_secs(2), trial: false };
const TRIAL: Plan = Plan { clients: 2, rounds: 1, round: Duration::from_millis(100), trial: true };

/// What is compared: a case, the handler beside it, and how fast it must be at least, as a part of that one.
const GATES: [(Case, Case, f64); 8] = [
    (Case::Verify, Case::Empty, 0.6),
    (Case::Verify, Case::Bare, 3.0),
    (Case::Introspect, Case::EmptyPost, 0.6),
    (Case::Introspect, Case::Empty, 0.0),
    (Case::Introspect, Case::Bare, 3.0),
    (Case::NeverSeen, Case::BareMany, 0.85),
    (Case::Viewer, Case::Bare, 1.0),
    (Case::Bare, Case::Empty, 0.0),
];

fn main() -> anyhow::Result<()> {
    let arguments = host::arguments();
    if arguments.iter().any(|argument| argument == SERVE) {
        return subject::run(if arguments.iter().any(|argument| argument == "--many") {
            subject::MANY
        } else {
            subject::FEW
        });
    }
    let plan = if arguments.iter().any(|argument| argument == "--bench") { MEASURE } else { TRIAL };
    let subject = subject::start(!plan.trial)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let names: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .filter(|name| !name.starts_with("--"))
        .collect();
    let is_wanted = |case: &Case| names.is_empty() || names.contains(&case.name());
    let cases: Vec<Case> = Case::ALL.into_iter().filter(is_wanted).collect();
    let all = runtime.block_on(load::measure(&plan, &subject, &cases))?;
    print(&mut stdout().lock(), &plan, &all)?;
    let missed = GATES.iter().filter(|gate| ratio(&all, gate).is_some_and(|ratio| ratio < gate.2)).count();
    ensure!(plan.is_meaningless() || missed == 0, "{missed} ratios are lower than they should be");
    Ok(())
}

impl Plan {
    /// True if this is no measurement: a trial, or a build without optimization.
    fn is_meaningless(&self) -> bool {
        self.trial || cfg!(debug_assertions)
    }
}

/// How fast the case is, as a part of the handler beside it: the median of the rounds.
fn ratio(all: &[Figures], (case, beside, _): &(Case, Case, f64)) -> Option<f64> {
    let of = |wanted: Case| all.iter().find(|figures| figures.case == wanted);
    let rounds = of(*case)?.costs.iter().zip(&of(*beside)?.costs);
    let mut ratios: Vec<f64> = rounds.map(|(cost, beside)| beside / cost).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

fn print(out: &mut impl Write, plan: &Plan, all: &[Figures]) -> anyhow::Result<()> {
    let Plan { rounds, round, clients, .. } = plan;
    let seconds = round.as_secs_f64();
    writeln!(out, "verify: {rounds} rounds of {seconds} s for each handler in turn, {clients} connections")?;
    if plan.is_meaningless() {
        writeln!(out, "A trial or a build without optimization: these figures mean nothing.")?;
    }
    writeln!(out, "\n{:<12}  {:>22}  {:>10}", "handler", "us of the server's core", "requests/s")?;
    for figures in all {
        let mut sorted = figures.costs.clone();
        sorted.sort_by(f64::total_cmp);
        let cost = sorted.get(sorted.len() / 2).copied().context("no rounds")?;
        writeln!(out, "{:<12}  {cost:>22.1}  {:>10.0}", figures.case.name(), figures.best_rate)?;
    }
    writeln!(out, "\n{:<12}  {:<10}  {:>6}  {:>8}", "handler", "beside", "ratio", "at least")?;
    for gate in &GATES {
        let (case, beside, least) = gate;
        let Some(ratio) = ratio(all, gate) else { continue };
        let verdict = if ratio >= *least || plan.is_meaningless() { "" } else { "TOO SLOW" };
        let line =
            format!("{:<12}  {:<10}  {ratio:>6.2}  {least:>8.2}  {verdict}", case.name(), beside.name());
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(out.flush()?)
}
