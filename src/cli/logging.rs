//! Log lines: for people on a terminal, for machines elsewhere. They go to the error output; the answer of a command
//! goes to the standard output.

use std::io::IsTerminal as _;
use std::str::FromStr as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Config, LogFormat};

/// Starts logging as the settings say.
pub(super) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = filter(&config.log).with_context(|| {
        let expected = "not a level such as info, and not a filter such as latchkey=debug,warn";
        format!("invalid setting `log` (LATCHKEY_LOG): `{}` is {expected}", config.log)
    })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        lines.json().flatten_event(true).init();
    } else {
        lines.with_ansi(terminal).with_target(false).init();
    }
    Ok(())
}

/// A word alone is a level here. The library would take any other word for the name of a module, and log nothing else.
fn filter(text: &str) -> Option<EnvFilter> {
    let is_level = |part: &str| LevelFilter::from_str(part.trim()).is_ok();
    let understood =
        text.split(',').all(|part| part.contains('=') || !part.trim().is_empty() && is_level(part));
    EnvFilter::builder().parse(text).ok().filter(|_| understood)
}
