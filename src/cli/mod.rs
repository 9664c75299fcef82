//! The command: what it can be told, and what it says. Whoever may run it on the data directory may do anything.

mod admin;
mod apply;
mod banner;
mod health;
mod keys;
mod logging;
mod setup;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::access::Caller;
use crate::app::context::{Context, Origin};
use crate::app::{App, Writer};
use crate::clock::SystemClock;
use crate::config::{self, Config, Overrides};
use crate::entropy::SystemEntropy;
use crate::graphql::Schema;
use crate::http::outcomes;
use crate::serve::{DiskFailed, Server, told_to_stop};
use crate::timeouts::Timeouts;

/// A self-hosted server for API keys and machine identity.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Command {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Settings as options; the others are in `latchkey.toml` and the environment.
#[derive(Clone, Debug, Args)]
struct Settings {
    /// The address and port to listen on (LATCHKEY_LISTEN).
    #[arg(long, global = true)]
    listen: Option<String>,
    /// The directory for the database and the master key (LATCHKEY_DATA_DIR).
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the server (the default).
    Serve,
    /// Migrate the database, and create the server's own keys on the first run.
    Migrate,
    /// Print the GraphQL schema.
    Schema,
    /// Manage administrators.
    #[command(subcommand)]
    Admin(admin::Verb),
    /// Manage API keys.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Create and update APIs, scopes, roles and groups from a file.
    Apply(apply::Apply),
    /// Check whether the server on this machine is ready.
    Healthcheck,
    /// Print a generated page of the documentation.
    Docs {
        /// The page to print.
        page: Page,
    },
}

/// How the process ends when the disk has failed: EX_IOERR of sysexits.h.
const DISK_FAILED: u8 = 74;

/// The generated pages of the documentation.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    Errors,
    Configuration,
}

/// Runs the command; says what went wrong and ends with 1 if something did, with 74 if it was the disk.
pub async fn run(command: Command) -> ExitCode {
    let result = match command.verb {
        Some(Verb::Schema) => print(Schema::build().sdl()),
        Some(Verb::Docs { page: Page::Errors }) => print(&outcomes::reference()),
        Some(Verb::Docs { page: Page::Configuration }) => print(&config::reference()),
        verb => with_settings(&command.settings, verb).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "latchkey: {error:#}");
            if error.is::<DiskFailed>() { ExitCode::from(DISK_FAILED) } else { ExitCode::FAILURE }
        }
    }
}

async fn with_settings(settings: &Settings, verb: Option<Verb>) -> anyhow::Result<()> {
    let overrides = Overrides { listen: settings.listen.clone(), data_dir: settings.data_dir.clone() };
    let config = Config::load(&overrides)?;
    match verb {
        None | Some(Verb::Serve) => serve(&config).await,
        Some(Verb::Migrate) => {
            let (operator, writer) = operator(&config).await?;
            drop(operator);
            writer.finish().await;
            print("The database is up to date.\n")
        }
        Some(Verb::Admin(verb)) => admin::run(&config, verb).await,
        Some(Verb::Keys(verb)) => keys::run(&config, verb).await,
        Some(Verb::Apply(options)) => apply::run(&config, &options).await,
        Some(Verb::Healthcheck) => health::check(&config),
        Some(Verb::Schema | Verb::Docs { .. }) => Ok(()),
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    logging::start(config)?;
    for name in config::unknown_variables() {
        tracing::warn!("the environment variable {name} is not a setting and has no effect");
    }
    let server = Server::bind(config, SystemClock::shared(), SystemEntropy::shared()).await?;
    // Before anybody can know that the server is there, and tell it to stop.
    let stop = told_to_stop()?;
    let setup_token = setup::prepare(config, &server.app).await?;
    print(&banner::text(config, &server, setup_token.as_deref()))?;
    server.run(stop).await
}

/// The operator's way to the actions: no request, no token, everything allowed.
async fn operator(config: &Config) -> anyhow::Result<(Context, Writer)> {
    let clock = SystemClock::shared();
    let now = clock.now();
    let issuer = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    let config = Config { timeouts: Timeouts::of_commands(), ..config.clone() };
    let (app, writer): (Arc<App>, Writer) =
        App::open(&config, issuer, clock, SystemEntropy::shared()).await?;
    Ok((Context::new(app, Caller::Operator, Origin::default(), now), writer))
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
