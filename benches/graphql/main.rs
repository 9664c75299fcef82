//! Measures what refused GraphQL requests cost, in processor time of the whole process; beside them what accepted ones
//! cost, with a document that is still there parsed and with one that is not. A refusal may take 5 ms.
//! `cargo bench --bench graphql` measures; without `--bench` (as `cargo test --all-targets` starts it) it only tries each step once.

#[path = "../../tests/it/graphql/abuses.rs"]
mod abuses;
#[path = "../shared/bearer.rs"]
mod bearer;
mod cases;
mod processor;
mod subject;

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::StatusCode;

use crate::cases::{Case, Expected, cases};
use crate::subject::Subject;

/// What a refusal may cost in a release build.
const LIMIT: Duration = Duration::from_millis(5);

struct Plan {
    rounds: u32,
    /// Of each case in a round, one after the other.
    requests: u32,
    /// Only tries each step; the figures mean nothing.
    trial: bool,
}

const MEASURE: Plan = Plan { rounds: 9, requests: 200, trial: false };
const TRIAL: Plan = Plan { rounds: 1, requests: 2, trial: true };

/// What was measured of a case.
struct Figures {
    case: Case,
    status: StatusCode,
    /// Processor time of one request, one figure a round.
    costs: Vec<Duration>,
}

fn main() -> anyhow::Result<()> {
    let measures = std::env::args_os().any(|argument| argument == "--bench");
    let plan = if measures { MEASURE } else { TRIAL };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(async {
        let subject = Subject::start().await?;
        let figures = measure(&plan, &subject).await;
        subject.stop().await;
        figures
    })?;
    print(&mut stdout().lock(), &plan, &figures)?;
    let too_dear = figures.iter().filter(|figures| figures.is_too_dear()).count();
    ensure!(plan.is_meaningless() || too_dear == 0, "{too_dear} refusals are too dear");
    Ok(())
}

/// Takes the cases in turn, so that a slow moment of the machine meets them alike.
async fn measure(plan: &Plan, subject: &Subject) -> anyhow::Result<Vec<Figures>> {
    let mut serials = 0..;
    let mut all = Vec::new();
    // The first round warms up.
    for case in cases() {
        let (status, _) = round(plan, subject, &case, &mut serials).await?;
        all.push(Figures { case, status, costs: Vec::new() });
    }
    for _ in 0..plan.rounds {
        for figures in &mut all {
            let (status, cost) = round(plan, subject, &figures.case, &mut serials).await?;
            ensure!(status == figures.status, "{}: {status} after {}", figures.case.name, figures.status);
            figures.costs.push(cost);
        }
    }
    Ok(all)
}

/// What one request costs, and the status of its answer. Requests are made before, and answers looked at afterwards.
async fn round(
    plan: &Plan,
    subject: &Subject,
    case: &Case,
    serials: &mut impl Iterator<Item = u64>,
) -> anyhow::Result<(StatusCode, Duration)> {
    let authorization = subject.authorization();
    let request = |serial| case.request(&authorization, serial);
    let requests =
        serials.take(usize::try_from(plan.requests)?).map(request).collect::<anyhow::Result<Vec<_>>>()?;
    let mut answers = Vec::with_capacity(requests.len());
    let before = processor::time()?;
    for request in requests {
        answers.push(subject.answer(request).await?);
    }
    let spent = processor::time()?.checked_sub(before).context("a thread ended in the middle of a round")?;
    let mut status = None;
    for answer in answers {
        let this = case.check(answer).await?;
        ensure!(*status.get_or_insert(this) == this, "{}: {this} after another status", case.name);
    }
    Ok((status.context("a round without requests")?, spent / plan.requests))
}

impl Plan {
    /// True if this is no measurement: a trial, or a build without optimization.
    fn is_meaningless(&self) -> bool {
        self.trial || cfg!(debug_assertions)
    }
}

impl Figures {
    /// The median.
    fn cost(&self) -> Duration {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut sorted = self.costs.clone();
        sorted.sort_unstable();
        sorted
    }

    fn is_too_dear(&self) -> bool {
        matches!(self.case.expected, Expected::Refusal) && self.cost() >= LIMIT
    }
}

fn print(out: &mut impl Write, plan: &Plan, all: &[Figures]) -> anyhow::Result<()> {
    let Plan { rounds, requests, .. } = plan;
    writeln!(out, "graphql: processor time of a request; the median of {rounds} rounds of {requests}")?;
    if plan.is_meaningless() {
        writeln!(out, "A trial or a build without optimization: these figures mean nothing.")?;
    }
    let columns = ("request", "status", "us", "lowest", "highest");
    let (request, status, cost, lowest, highest) = columns;
    writeln!(out, "\n{request:<30}  {status:>6}  {cost:>7}  {lowest:>7}  {highest:>7}")?;
    for figures in all {
        let verdict = match figures.case.expected {
            Expected::Refusal if plan.is_meaningless() => "",
            Expected::Refusal if figures.is_too_dear() => "TOO DEAR",
            Expected::Refusal => "ok",
            Expected::At(_) => "",
        };
        let (name, status) = (figures.case.name, figures.status.as_u16());
        let sorted = figures.sorted();
        let costs = [Some(&figures.cost()), sorted.first(), sorted.last()];
        let [cost, lowest, highest] = costs.map(|cost| cost.map_or(0.0, Duration::as_secs_f64) * 1e6);
        let line = format!("{name:<30}  {status:>6}  {cost:>7.0}  {lowest:>7.0}  {highest:>7.0}  {verdict}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(out.flush()?)
}
