//! Log lines: for people on a terminal, for machines elsewhere. They go to the error output; the answer of a command
//! goes to the standard output.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging as the settings say.
pub(super) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&config.log).with_context(|| {
        format!("the setting `log` (LATCHKEY_LOG) is wrong: `{}` is no filter such as info", config.log)
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
