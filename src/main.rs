//! The command `latchkey`: see `cli/`.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    latchkey::cli::run(latchkey::cli::Command::parse()).await
}
