//! The figures: a table for people and one line of JSON for programs. A run that finds less than a
//! level demands fails.

use std::io::Write;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use crate::load::{Level, Plan, Series};

/// Above this share of its core the load itself may have been the limit.
const LOAD_IS_FULL: f64 = 0.95;

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    /// True if this was no measurement: a trial, or a build without optimization.
    meaningless: bool,
    pinned: bool,
    rounds: usize,
    round_seconds: f64,
    levels: Vec<LevelReport>,
}

#[derive(Serialize)]
struct LevelReport {
    clients: usize,
    keys: usize,
    servers: Vec<ServerReport>,
}

#[derive(Serialize)]
struct ServerReport {
    name: &'static str,
    /// The median of the rounds.
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// The highest of the rounds.
    load_share: Option<f64>,
    /// Requests a second divided by the floor's in the same round; the floor itself has none.
    ratio: Option<Ratio>,
    /// What the median of the ratios must be at least.
    least: Option<f64>,
}

#[derive(Serialize)]
struct Ratio {
    median: f64,
    lowest: f64,
    highest: f64,
}

pub(crate) fn print(out: &mut impl Write, plan: &Plan, pinned: bool, levels: &[Level]) -> anyhow::Result<()> {
    let report = Report {
        bench: "exchange",
        meaningless: plan.trial || cfg!(debug_assertions),
        pinned,
        rounds: plan.rounds,
        round_seconds: plan.round.as_secs_f64(),
        levels: levels.iter().map(summarize).collect(),
    };
    table(out, &report)?;
    writeln!(out, "{}", serde_json::to_string(&report)?)?;
    out.flush()?;
    let servers = report.levels.iter().flat_map(|level| &level.servers);
    let slow = servers.filter(|server| server.is_slow()).count();
    ensure!(report.meaningless || slow == 0, "{slow} ratios are below what is demanded");
    Ok(())
}

fn summarize(level: &Level) -> LevelReport {
    let floor = level.series.first();
    let servers = level.series.iter().enumerate().map(|(position, series)| {
        let floor = floor.filter(|_| position > 0);
        let least = position.checked_sub(1).and_then(|subject| *level.shape.least.get(subject)?);
        ServerReport {
            name: series.name,
            requests_per_second: rounded(middle(&sorted(series.rates.clone())), 0),
            p50_us: percentile(series, 50),
            p99_us: percentile(series, 99),
            load_share: sorted(series.load_shares.clone()).last().map(|&share| rounded(share, 2)),
            ratio: floor.map(|floor| Ratio::of(series, floor)),
            least,
        }
    });
    LevelReport { clients: level.shape.clients, keys: level.shape.keys, servers: servers.collect() }
}

impl ServerReport {
    fn is_slow(&self) -> bool {
        matches!((&self.ratio, self.least), (Some(ratio), Some(least)) if ratio.median < least)
    }
}

impl Ratio {
    fn of(subject: &Series, floor: &Series) -> Self {
        let rounds = subject.rates.iter().zip(&floor.rates);
        let ratios = sorted(rounds.map(|(subject, floor)| rounded(subject / floor, 3)).collect());
        Self {
            median: middle(&ratios),
            lowest: ratios.first().copied().unwrap_or_default(),
            highest: ratios.last().copied().unwrap_or_default(),
        }
    }
}

fn table(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let places = if report.pinned { "servers on core 0, load on core 1" } else { "not pinned to cores" };
    writeln!(
        out,
        "exchange: {} rounds of {} s for each server in turn, {places}",
        report.rounds, report.round_seconds
    )?;
    if report.meaningless {
        writeln!(out, "A trial or a build without optimization: these figures mean nothing.")?;
    }
    writeln!(out)?;
    let columns = (
        "clients",
        "keys",
        "server",
        "requests/s",
        "ratio",
        "least",
        "lowest",
        "highest",
        "p50 us",
        "p99 us",
        "load",
    );
    let (clients, keys, server, rate, ratio, least, lowest, highest, p50, p99, load) = columns;
    writeln!(
        out,
        "{clients:>7}  {keys:>5}  {server:<8}  {rate:>10}  {ratio:>6}  {least:>5}  {lowest:>7}  {highest:>7}  {p50:>8}  {p99:>8}  {load:>5}"
    )?;
    for level in &report.levels {
        for server in &level.servers {
            row(out, level, server)?;
        }
    }
    let shares = report.levels.iter().flat_map(|level| &level.servers).filter_map(|server| server.load_share);
    if shares.fold(0.0, f64::max) > LOAD_IS_FULL {
        writeln!(
            out,
            "\nThe load filled its core (column load): rates above are its limit, not the server's."
        )?;
    }
    writeln!(out)
}

fn row(out: &mut impl Write, level: &LevelReport, server: &ServerReport) -> std::io::Result<()> {
    let LevelReport { clients, keys, .. } = level;
    let ServerReport { name, requests_per_second, p50_us, p99_us, .. } = server;
    let [ratio, lowest, highest] = match &server.ratio {
        Some(Ratio { median, lowest, highest }) => {
            [median, lowest, highest].map(|value| format!("{value:.3}"))
        }
        None => ["1", "", ""].map(str::to_owned),
    };
    let least = server.least.map_or_else(String::new, |least| format!("{least:.2}"));
    let load = server.load_share.map_or_else(|| "?".to_owned(), |share| format!("{share:.2}"));
    writeln!(
        out,
        "{clients:>7}  {keys:>5}  {name:<8}  {requests_per_second:>10.0}  {ratio:>6}  {least:>5}  {lowest:>7}  {highest:>7}  \
         {p50_us:>8.0}  {p99_us:>8.0}  {load:>5}"
    )
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The median; of an even number of values the higher of the two in the middle.
fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// In microseconds: the smallest latency that at least this part of all requests did not exceed.
fn percentile(series: &Series, percent: usize) -> f64 {
    let mut latencies = series.latencies.clone();
    latencies.sort_unstable();
    let rank = (latencies.len() * percent).div_ceil(100);
    let latency = latencies.get(rank.saturating_sub(1)).copied().unwrap_or(Duration::ZERO);
    rounded(latency.as_secs_f64() * 1e6, 0)
}

fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}
