//! The server, in this process and without a socket: what clients would send is given to its router.

use std::io::sink;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use latchkey::access::builtin::ADMIN_ROLE;
use latchkey::app::{App, Writer};
use latchkey::clock::SystemClock;
use latchkey::config::Config;
use latchkey::entropy::SystemEntropy;
use latchkey::graphql::Schema;
use latchkey::http::{AppState, router};
use tempfile::TempDir;
use tower::ServiceExt as _;
use tracing::Level;

use crate::bearer;

/// On the disk of the build, as for the other benchmark.
const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");
const ISSUER: &str = "http://127.0.0.1";
/// More than the page that is asked for.
const LISTED_KEYS: usize = 25;

pub(crate) struct Subject {
    router: Router,
    /// The caller's, who may do everything.
    token: String,
    writer: Writer,
    /// Removed with the subject; only held.
    _directory: TempDir,
}

impl Subject {
    /// A fresh installation with some keys in it.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        // The lines of the log are made as they are by default, and go nowhere.
        tracing_subscriber::fmt().with_max_level(Level::INFO).with_writer(sink).init();
        let directory = tempfile::Builder::new().prefix("graphql-").tempdir_in(DIRECTORY)?;
        let data = directory.path().to_str().context("a target directory in UTF-8")?;
        let config = Config::from_toml(&format!("data_dir = '{data}'"))?;
        let (clock, entropy) = (SystemClock::shared(), SystemEntropy::shared());
        let (app, writer) = App::open(&config, ISSUER.to_owned(), clock, entropy).await?;
        let token = prepare(&app).await?;
        let router = router(AppState { app, schema: Schema::build() });
        Ok(Self { router, token, writer, _directory: directory })
    }

    /// What the `Authorization` of a request says.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Answers as on a connection from this machine.
    pub(crate) async fn answer(&self, mut request: Request) -> anyhow::Result<Response> {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        request.extensions_mut().insert(ConnectInfo(peer));
        Ok(self.router.clone().oneshot(request).await?)
    }

    pub(crate) async fn stop(self) {
        drop(self.router);
        self.writer.finish().await;
    }
}

/// Makes the keys, and exchanges the caller's for its token.
async fn prepare(app: &Arc<App>) -> anyhow::Result<String> {
    let cx = bearer::operator(app);
    for number in 0..LISTED_KEYS {
        bearer::create(&cx, &format!("listed {number}"), &["member", "analyst"]).await?;
    }
    let caller = bearer::create(&cx, "the caller", &[ADMIN_ROLE]).await?;
    bearer::token(app, caller, None).await
}
