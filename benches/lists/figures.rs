//! What was measured, what it is held to, and how it is shown.

use std::io::Write;
use std::time::Duration;

/// What the time of a page or a search may be multiplied by, from the small store to the large one.
const MOST_GROWTH: f64 = 2.0;

/// What a time is held to.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    None,
    /// In the large store not much longer than in the small one.
    Growth,
    /// In no store longer than this.
    Time(Duration),
}

/// The median times of one request, or of one change in all its portions, in the small store and in the large one.
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) bound: Bound,
    pub(crate) times: [Duration; 2],
}

impl Figures {
    pub(crate) fn new(name: &'static str, bound: Bound, times: [Vec<Duration>; 2]) -> Self {
        Self { name, bound, times: times.map(median) }
    }

    fn growth(&self) -> f64 {
        let [small, large] = self.times.map(|time| time.as_secs_f64());
        if small > 0.0 { large / small } else { 0.0 }
    }

    pub(crate) fn is_beyond(&self) -> bool {
        match self.bound {
            Bound::None => false,
            Bound::Growth => self.growth() > MOST_GROWTH,
            Bound::Time(most) => self.times.iter().any(|time| *time > most),
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.bound, self.is_beyond()) {
            (Bound::None, _) => "",
            (_, false) => "ok",
            (Bound::Growth, true) => "TOO STEEP",
            (Bound::Time(_), true) => "TOO SLOW",
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A table in milliseconds, with verdicts if the figures mean something.
pub(crate) fn print(
    out: &mut impl Write,
    title: &str,
    columns: &[String; 2],
    (all, meaningful): (&[Figures], bool),
) -> anyhow::Result<()> {
    writeln!(out, "{title}, in milliseconds")?;
    if !meaningful {
        writeln!(out, "A trial or a build without optimization: these figures mean nothing.")?;
    }
    let [small, large] = columns;
    writeln!(out, "\n{:<34}  {small:>14}  {large:>14}  {:>6}", "", "growth")?;
    for figures in all {
        let [small, large] = figures.times.map(|time| time.as_secs_f64() * 1000.0);
        let verdict = if meaningful { figures.verdict() } else { "" };
        let line = format!(
            "{:<34}  {small:>14.2}  {large:>14.2}  {:>6.2}  {verdict}",
            figures.name,
            figures.growth()
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}
