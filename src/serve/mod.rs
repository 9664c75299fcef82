//! The running server: binds, serves, and stops without losing what it has begun.

pub mod jobs;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::app::{App, Writer};
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::graphql::Schema;
use crate::http::{AppState, router};

/// The process ends because a commit did not reach the disk. What was answered before is there; a new start reads what is.
#[derive(Debug, thiserror::Error)]
#[error("the disk failed to commit data (fsync): check the disk, then start the server again")]
pub struct DiskFailed;

/// A server that has its socket and its database.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    pub address: SocketAddr,
    pub app: Arc<App>,
    writer: Writer,
    grace: Duration,
    with_jobs: bool,
}

impl Server {
    /// Takes the socket first: the issuer may be the address that it got.
    pub async fn bind(config: &Config, clock: Clock, entropy: Entropy) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!("cannot listen on {} (setting `listen`, LATCHKEY_LISTEN)", config.listen)
        })?;
        let address = listener.local_addr()?;
        let issuer = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let (app, writer) = App::open(config, issuer, clock, entropy).await?;
        Ok(Self { listener, address, app, writer, grace: config.timeouts.stop, with_jobs: true })
    }

    /// For tests: what the server would do of its own accord, and whenever the machine lets it, is done when they say so.
    #[must_use]
    pub fn without_jobs(self) -> Self {
        Self { with_jobs: false, ..self }
    }

    /// Serves until `stop`, then finishes what has begun.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let Self { listener, app, writer, grace, with_jobs, .. } = self;
        let mut jobs = if with_jobs { jobs::start(&app) } else { JoinSet::new() };
        let disk_failed = app.db.disk_failed();
        let state = AppState { app, schema: Schema::build() };
        let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let stop = async move {
            stop.await;
            let _ = stopping.send(());
        };
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
        let patience = async {
            if stopped.await.is_ok() {
                tokio::time::sleep(grace).await;
            }
        };
        tokio::select! {
            result = serving => result?,
            // Nobody is waited for: whoever is still answered is told to try again.
            () = disk_failed => return Err(DiskFailed.into()),
            () = patience => tracing::warn!("some requests did not finish before the timeout"),
        }
        jobs.abort_all();
        // Held by nobody but the connections that did not end in time.
        if tokio::time::timeout(grace, writer.finish()).await.is_err() {
            tracing::warn!("the database was not closed before the timeout");
        }
        Ok(())
    }
}

/// Ends when the process is told to stop: by SIGTERM, or by Ctrl-C. They are listened for from this call on.
pub fn told_to_stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down: waiting for running requests");
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::journal::Written;
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::error::Error;
    use crate::timeouts::Timeouts;

    #[tokio::test]
    async fn when_the_disk_has_failed_nothing_is_written_and_the_server_ends_without_being_told() {
        let directory = tempfile::tempdir().unwrap();
        let settings = format!("listen = '127.0.0.1:0'\ndata_dir = '{}'", directory.path().display());
        let config = Config { timeouts: Timeouts::never(), ..Config::from_toml(&settings).unwrap() };
        let server = Server::bind(&config, SystemClock::shared(), SystemEntropy::shared()).await.unwrap();
        let app = Arc::clone(&server.app);
        let event = || {
            let (kind, outcome) =
                (entity::activity::ActivityKind::TokenRefused, entity::activity::Outcome::Disabled);
            crate::app::context::Origin::default().event(app.clock.now(), kind, outcome)
        };
        assert_eq!(app.journal.record(event()).await.unwrap(), Written::Committed);
        app.db.fail_disk();
        assert!(matches!(app.journal.record(event()).await, Err(Error::Unavailable)));
        assert!(matches!(app.db.begin().await, Err(Error::Unavailable)));
        let ended = server.run(std::future::pending()).await.unwrap_err();
        assert!(ended.is::<DiskFailed>());
    }
}
