//! `latchkey apply`: APIs, scopes, roles and groups as a file says them.
//!
//! 1. The file is read and checked by itself ([`file`]).
//! 2. What is on the server is read ([`state`]), and the file is checked against it ([`check`]).
//! 3. The difference becomes a list of steps ([`plan`]).
//! 4. Each step goes through the action of the same name ([`carry_out`]); in a dry run it is only told.
//!
//! What the file does not name stays as it is. Nothing is changed before the whole file was found right.

mod carry_out;
mod check;
mod file;
mod plan;
mod state;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use self::carry_out::Ids;
use self::file::{Problem, Wanted};
use self::plan::{Plan, Step};
use self::state::State;
use super::{operator, print};
use crate::actions::groups;
use crate::app::context::Context;
use crate::config::Config;
use crate::error::Result;

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The TOML file; `-` reads standard input.
    file: PathBuf,
    /// Print the changes without applying them.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, options: &Apply) -> anyhow::Result<()> {
    let (name, text) = read(&options.file)?;
    let wanted = file::parse(&text).map_err(|problems| refusal(&name, &problems))?;
    let (cx, writer) = operator(config).await?;
    let result = apply(&cx, &name, wanted, options.dry_run).await;
    drop(cx);
    writer.finish().await;
    result
}

/// The name to call the file by, and what it says.
fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(("standard input".to_owned(), text));
    }
    let name = path.display().to_string();
    text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok((name, text))
}

async fn apply(cx: &Context, name: &str, wanted: Wanted, dry_run: bool) -> anyhow::Result<()> {
    let state = State::read(cx, &wanted).await?;
    let accepted =
        |problems: Vec<Problem>| if problems.is_empty() { Ok(()) } else { Err(refusal(name, &problems)) };
    accepted(check::problems(&wanted, &state))?;
    let plan = plan::plan(wanted, &state);
    accepted(without_administrator(cx, &plan).await?)?;
    if plan.steps.is_empty() {
        return print(&format!("Nothing to do: the server already matches {name}.\n"));
    }
    if dry_run { tell(&plan.steps) } else { carry_out(cx, state, plan.steps).await }
}

/// The groups that must not lose the role that grants everything.
async fn without_administrator(cx: &Context, plan: &Plan) -> Result<Vec<Problem>> {
    let stripped: Vec<_> = plan.stripped.iter().map(|(_, group)| *group).collect();
    if stripped.is_empty() || groups::leave_an_administrator(cx, &stripped, &plan.raised).await? {
        return Ok(Vec::new());
    }
    let text = "This would leave nobody to administer the server: this group is the last one with the role `admin`. \
                Assign the role to another group or user first.";
    Ok(plan.stripped.iter().map(|(line, _)| Problem::new(*line, text)).collect())
}

fn tell(steps: &[Step]) -> anyhow::Result<()> {
    let told: String = steps.iter().map(|step| format!("would {}\n", step.told)).collect();
    let count = counted(steps.len());
    print(&format!("{told}Dry run: {count} to apply. Nothing was changed.\n"))
}

async fn carry_out(cx: &Context, state: State, steps: Vec<Step>) -> anyhow::Result<()> {
    let all = steps.len();
    let mut ids = Ids::of(state);
    let mut printed = Ok(());
    for (made, step) in steps.into_iter().enumerate() {
        ids.carry_out(cx, step.change).await.with_context(|| {
            let all = counted(all);
            format!("cannot {} ({made} of {all} applied; apply the file again for the rest)", step.told)
        })?;
        // Whoever stops reading does not stop a file halfway.
        printed = printed.and(print(&format!("{}\n", step.told)));
    }
    printed.and(print(&format!("Applied {}.\n", counted(all))))
}

fn counted(changes: usize) -> String {
    if changes == 1 { "1 change".to_owned() } else { format!("{changes} changes") }
}

fn refusal(name: &str, problems: &[Problem]) -> anyhow::Error {
    let mut text = format!("cannot apply {name}, nothing was changed:");
    for Problem { line, text: what } in problems {
        // Writing into a text cannot fail.
        let _ = write!(text, "\n  line {line}: {what}");
    }
    anyhow::anyhow!(text)
}
