//! A server for each test: a fresh database, a clock that stands still, seeded chance; and actors that send requests.
//!
//! Nothing here depends on how fast the machine is: the server does nothing of its own accord (its jobs do not run, a test
//! calls them), what it keeps in memory ages with the test's clock, and no timeout ends.
//!
//! ```ignore
//! let server = Server::start().await;
//! let ada = server.user("ada@example.com", &["member"]).await;       // a person with roles
//! let key = server.key(&ada, "ci", Grants::Inherit).await;            // a key of hers, with its secret
//! let caller = server.sign_in(&key).await;                            // the key's token, ready to use
//! let answer = caller.graphql("{ viewer { scopes } }").await;
//! ```

mod actors;
pub mod changes;
mod database;
mod directory;
pub mod keys;
mod many;
mod slow;

use std::sync::Arc;
use std::time::Duration;

use latchkey::app::App;
use latchkey::clock::{Clock, FrozenClock};
use latchkey::config::Config;
use latchkey::entropy::SeededEntropy;
use latchkey::timeouts::Timeouts;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use actors::{Answer, BEHIND_A_PROXY, Caller, Key, encoded};
pub use database::{Place, postgres_only, sqlite_only};
pub use directory::{Account, Grants};
pub use slow::hold_log;

/// When every test begins.
pub const START: &str = "2026-11-21T09:00:00.000Z";
/// Longer than anything takes on any machine; what does not end by then hangs.
pub const HANGS: Duration = Duration::from_secs(600);

/// A running server.
pub struct Server {
    pub url: String,
    pub app: Arc<App>,
    pub clock: Arc<FrozenClock>,
    pub http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    slow: Option<JoinHandle<()>>,
    place: Place,
    seed: u64,
}

impl Server {
    /// Starts a server on a database of its own.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server with further settings, as `latchkey.toml` writes them.
    pub async fn start_with(settings: &str) -> Self {
        Self::start_at(Place::new().await, settings).await
    }

    /// Starts a server where another one was.
    pub async fn start_at(place: Place, settings: &str) -> Self {
        let clock = FrozenClock::at(START.parse().unwrap());
        Self::begin(place.config(settings), place, clock, 42).await
    }

    /// Stops the server, and starts another one in its place: time goes on, and chance does not repeat itself.
    pub async fn restart(self, settings: &str) -> Self {
        self.restart_with(settings, Timeouts::never()).await
    }

    /// The same, for one that gives up on something.
    pub async fn restart_with(self, settings: &str, timeouts: Timeouts) -> Self {
        let (clock, seed) = (Arc::clone(&self.clock), self.seed + 1);
        let place = self.stop().await;
        Self::begin(Config { timeouts, ..place.config(settings) }, place, clock, seed).await
    }

    async fn begin(config: Config, place: Place, clock: Arc<FrozenClock>, seed: u64) -> Self {
        let shared: Clock = clock.clone();
        let server =
            latchkey::serve::Server::bind(&config, shared, SeededEntropy::shared(seed)).await.unwrap();
        let server = server.without_jobs();
        let url = format!("http://{}", server.address);
        let app = Arc::clone(&server.app);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            server.run(until).await.unwrap();
        });
        let http = reqwest::Client::builder().timeout(HANGS).build().unwrap();
        // Whoever tests a timeout says who waits for what.
        let slow = (config.timeouts == Timeouts::never()).then(|| slow::start(&app.db)).flatten();
        Self { url, app, clock, http, stop: Some(stop), running: Some(running), slow, place, seed }
    }

    /// Where it keeps its data.
    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops the server gracefully, and waits until it has.
    pub async fn stop(mut self) -> Place {
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(slow) = self.slow.take() {
            slow.abort();
        }
        let Self { running, app, place, .. } = self;
        drop(app);
        running.unwrap().await.unwrap();
        place
    }
}

/// How much to try, if the environment says so.
#[expect(clippy::disallowed_methods, reason = "how much to try is told by the environment of the tests")]
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}
