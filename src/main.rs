//! The command `latchkey`: see `cli/`.

use std::process::ExitCode;

use clap::Parser as _;

/// An exchange makes and frees some two hundred small pieces of memory; this takes a tenth off its cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    latchkey::cli::run(latchkey::cli::Command::parse()).await
}
