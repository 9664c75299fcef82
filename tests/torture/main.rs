//! The fault tests: the real server as a child process, under load, with its disk, its database or itself failing. Each
//! prints one line: name, iterations, violations, figure. `make torture` runs them all; `make torture TESTS=kill` some.
//!
//! `cargo test --release --test torture -- [--short] [NAME...]`. `TORTURE_SCALE` (in percent, 100 by default) shortens the
//! iterations, `--short` is 2 percent of them. What cannot be run on this machine is NOT RUN, which is not passed.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests measure real time, and are told by their environment how much to do"
)]

mod cluster;
mod disk;
mod flood;
mod fsync;
mod gone;
mod kill;
mod ledger;
mod load;
mod revoke;
mod server;
mod timing;

use std::io::Write as _;
use std::pin::Pin;
use std::process::ExitCode;

/// What a test found.
#[derive(Debug)]
pub struct Report {
    pub iterations: usize,
    pub violations: usize,
    pub figure: String,
}

/// A reason why a test could not be run, which is not a failure of the server.
#[derive(Debug)]
pub struct NotRun(pub String);

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotRun {}

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct Scale(f64);

impl Scale {
    /// So many of what the full form does, but at least so few.
    pub fn of(self, full: usize, least: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a number of iterations"
        )]
        let part = (full as f64 * self.0) as usize;
        part.max(least.min(full))
    }
}

type Running = Pin<Box<dyn Future<Output = anyhow::Result<Report>>>>;
type Test = (&'static str, fn(Scale) -> Running);

/// Every test, in the order of their names on the page.
const TESTS: [Test; 15] = [
    ("kill-sqlite", |scale| Box::pin(kill::sqlite(scale))),
    ("kill-postgres", |scale| Box::pin(kill::postgres(scale))),
    ("disk-full", |scale| Box::pin(disk::full(scale))),
    ("fsync-fails", |scale| Box::pin(fsync::fails(scale))),
    ("database-gone", |scale| Box::pin(gone::gone(scale))),
    ("revoke-key-sqlite", |scale| Box::pin(revoke::sqlite(revoke::What::Key, scale))),
    ("revoke-role-sqlite", |scale| Box::pin(revoke::sqlite(revoke::What::Role, scale))),
    ("revoke-owner-sqlite", |scale| Box::pin(revoke::sqlite(revoke::What::Owner, scale))),
    ("revoke-key-two-nodes", |scale| Box::pin(revoke::two_nodes(revoke::What::Key, scale))),
    ("revoke-role-two-nodes", |scale| Box::pin(revoke::two_nodes(revoke::What::Role, scale))),
    ("revoke-owner-two-nodes", |scale| Box::pin(revoke::two_nodes(revoke::What::Owner, scale))),
    ("flood", |scale| Box::pin(flood::flood(scale))),
    ("timing-unknown-wrong", |scale| Box::pin(timing::compare(timing::UNKNOWN, timing::WRONG, scale))),
    ("timing-unknown-disabled", |scale| Box::pin(timing::compare(timing::UNKNOWN, timing::DISABLED, scale))),
    ("timing-wrong-disabled", |scale| Box::pin(timing::compare(timing::WRONG, timing::DISABLED, scale))),
];

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == flood::ATTACK) {
        return flood::attack(&arguments);
    }
    let (options, names): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    let unknown = names.iter().find(|name| !TESTS.iter().any(|(test, _)| test.starts_with(name.as_str())));
    anyhow::ensure!(unknown.is_none(), "there is no test {unknown:?}");
    let percent = std::env::var("TORTURE_SCALE").ok().map_or(Ok(100.0), |text| text.parse())?;
    let short = options.iter().any(|option| *option == "--short");
    let scale = Scale(if short { 0.02 } else { percent / 100.0 });

    let mut passed = true;
    let mut out = std::io::stdout();
    writeln!(out, "{:<24} {:>10} {:>10}  figure", "name", "iterations", "violations")?;
    for (name, test) in TESTS {
        if !names.is_empty() && !names.iter().any(|wanted| name.starts_with(wanted.as_str())) {
            continue;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        match runtime.block_on(test(scale)) {
            Ok(Report { iterations, violations, figure }) => {
                passed &= violations == 0;
                writeln!(out, "{name:<24} {iterations:>10} {violations:>10}  {figure}")?;
            }
            Err(error) if error.is::<NotRun>() => {
                passed = false;
                writeln!(out, "{name:<24} {:>10} {:>10}  {error}", "NOT RUN", "-")?;
            }
            Err(error) => {
                passed = false;
                writeln!(out, "{name:<24} {:>10} {:>10}  {error:#}", "BROKEN", "-")?;
            }
        }
        runtime.shutdown_background();
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
