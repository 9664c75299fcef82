//! The running server: binds, serves, and stops without losing what it has begun.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::app::{App, Writer};
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::graphql::Schema;
use crate::http::{AppState, router};
use crate::jobs;

/// How long requests that have begun may take when the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A server that has its socket and its database.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    pub address: SocketAddr,
    pub app: Arc<App>,
    writer: Writer,
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
        Ok(Self { listener, address, app, writer })
    }

    /// Serves until `stop`, then finishes what has begun.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let Self { listener, app, writer, .. } = self;
        let chores = jobs::start(&app);
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
                tokio::time::sleep(GRACE).await;
            }
        };
        tokio::select! {
            result = serving => result?,
            () = patience => tracing::warn!("some requests did not end in time"),
        }
        chores.abort();
        // Held by nobody but the connections that did not end in time.
        if tokio::time::timeout(GRACE, writer.finish()).await.is_err() {
            tracing::warn!("the database was not closed in time");
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
        tracing::info!("stopping: what has begun is finished");
    })
}
