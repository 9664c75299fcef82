//! Measures lists, searches and changes of many API keys in a store of a thousand keys and in one of a million: what they
//! cost must not grow with the store. `cargo bench --bench lists` measures, and fails if a page or a search takes more than
//! twice as long in the large store, or ten thousand new secrets more than three seconds; without `--bench` (as `cargo
//! test --all-targets` starts it) it only tries each step once. `cargo bench --bench lists -- sqlite search regenerate`
//! measures only that engine, and what has one of the other words in its name.
//!
//! With `TEST_POSTGRES_URL` the same is measured on PostgreSQL. Files are kept beside the build, databases on their server,
//! and measured in copies: to make a million keys takes minutes.

mod cases;
mod changes;
mod figures;
mod generator;
mod rows;
mod subject;

use std::io::stdout;
use std::time::Duration;

use anyhow::ensure;

use crate::cases::{CASES, Case};
use crate::changes::{CHANGES, Keys};
use crate::figures::{Bound, Figures, print};
use crate::generator::Store;
use crate::subject::Subject;

struct Plan {
    /// The keys of the small store and of the large one.
    sizes: [u32; 2],
    rounds: u32,
    /// The keys that a change is for, beside those of the store: more than one portion.
    changed: u32,
    trial: bool,
    /// Only these, in lower case; all, if there are none.
    engines: Vec<String>,
    /// Only what has one of these words in its name; everything, if there are none.
    words: Vec<String>,
}

/// Counts look at every key: few rounds will do.
const ROUNDS_OF_COUNTS: u32 = 3;
const ROUNDS_OF_CHANGES: u32 = 5;

fn main() -> anyhow::Result<()> {
    let plan = Plan::new(std::env::args().skip(1));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut beyond = 0;
    let servers = [Some(None), postgres_url().map(Some)].into_iter().flatten();
    for server in servers.filter(|server| plan.is_for(engine(server.as_deref()))) {
        beyond += runtime.block_on(measure(&plan, server.as_deref()))?;
    }
    ensure!(plan.is_meaningless() || beyond == 0, "{beyond} figures are beyond their bounds");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is set up by its environment")]
fn postgres_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

fn engine(server: Option<&str>) -> &'static str {
    if server.is_some() { "PostgreSQL" } else { "SQLite" }
}

/// Measures one database, and says how many figures are beyond their bounds.
async fn measure(plan: &Plan, server: Option<&str>) -> anyhow::Result<usize> {
    let engine = engine(server);
    let [small, large] = plan.sizes;
    let stores = [Store::prepare(small, server).await?, Store::prepare(large, server).await?];

    let lists = measure_lists(plan, &stores).await?;
    let title = format!("lists on {engine}: a request, the median of {} rounds", plan.rounds);
    let columns = plan.sizes.map(|size| format!("{size} keys"));
    print(&mut stdout().lock(), &title, &columns, (&lists, !plan.is_meaningless()))?;

    let changes = measure_changes(plan, &stores).await?;
    let changed = plan.changed;
    let title = format!("changes of {changed} keys on {engine}");
    let columns = plan.sizes.map(|size| format!("{size} others"));
    print(&mut stdout().lock(), &title, &columns, (&changes, !plan.is_meaningless()))?;

    Ok(lists.iter().chain(&changes).filter(|figures| figures.is_beyond()).count())
}

async fn measure_lists(plan: &Plan, stores: &[Store; 2]) -> anyhow::Result<Vec<Figures>> {
    let mut subjects = Vec::new();
    for store in stores {
        subjects.push(Subject::start(store).await?);
    }
    let mut all = Vec::new();
    for case in CASES.iter().filter(|case| plan.has(case.name)) {
        let rounds = plan.rounds_of(case);
        let times = in_turn(&subjects, rounds, async |subject| subject.time(case).await).await?;
        let bound = if case.is_count { Bound::None } else { Bound::Growth };
        all.push(Figures::new(case.name, bound, times));
    }
    for subject in subjects {
        subject.stop().await;
    }
    Ok(all)
}

async fn measure_changes(plan: &Plan, stores: &[Store; 2]) -> anyhow::Result<Vec<Figures>> {
    let (mut subjects, count) = (Vec::new(), plan.changed);
    for store in stores {
        let owner = store.add_changeable(count).await?;
        subjects.push((Subject::start(store).await?, Keys { owner, count }));
    }
    let (mut all, rounds) = (Vec::new(), (1, plan.rounds.min(ROUNDS_OF_CHANGES)));
    for change in CHANGES.iter().filter(|change| plan.has(change.name)) {
        let times =
            in_turn(&subjects, rounds, async |(subject, keys)| change.time(subject, *keys).await).await?;
        all.push(Figures::new(change.name, change.bound, times));
    }
    for (subject, _) in subjects {
        subject.stop().await;
    }
    Ok(all)
}

/// Takes the two stores in turn, so that a slow moment of the machine meets both alike. The first rounds warm up.
async fn in_turn<T>(
    stores: &[T],
    (warm_up, rounds): (u32, u32),
    time: impl AsyncFn(&T) -> anyhow::Result<Duration>,
) -> anyhow::Result<[Vec<Duration>; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..warm_up + rounds {
        for (store, times) in stores.iter().zip(&mut times) {
            let time = time(store).await?;
            if round >= warm_up {
                times.push(time);
            }
        }
    }
    Ok(times)
}

impl Plan {
    /// What was asked for on the command line.
    fn new(arguments: impl Iterator<Item = String>) -> Self {
        let (options, words): (Vec<_>, Vec<_>) = arguments.partition(|argument| argument.starts_with('-'));
        let (engines, words) = words.into_iter().partition(|word| word == "sqlite" || word == "postgresql");
        let plan =
            Self { sizes: [1_000, 1_000_000], rounds: 101, changed: 10_000, trial: false, engines, words };
        if options.iter().any(|option| option == "--bench") {
            return plan;
        }
        Self { sizes: [1_000, 2_000], rounds: 1, changed: 1_100, trial: true, ..plan }
    }

    fn is_for(&self, engine: &str) -> bool {
        self.engines.is_empty() || self.engines.contains(&engine.to_lowercase())
    }

    fn has(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word))
    }

    /// How many rounds warm up, and how many are measured.
    fn rounds_of(&self, case: &Case) -> (u32, u32) {
        if case.is_count {
            (1, self.rounds.min(ROUNDS_OF_COUNTS))
        } else {
            (self.rounds.min(10), self.rounds)
        }
    }

    /// True if this is no measurement: a trial, or a build without optimization.
    fn is_meaningless(&self) -> bool {
        self.trial || cfg!(debug_assertions)
    }
}
