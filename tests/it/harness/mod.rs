//! A server for each test: a fresh database, a clock that stands still, seeded chance; and actors that send requests.
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

use std::sync::Arc;
use std::time::Duration;

use latchkey::app::App;
use latchkey::clock::{Clock, FrozenClock};
use latchkey::config::Config;
use latchkey::entropy::SeededEntropy;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use actors::{Answer, Caller, Key, encoded};
pub use database::Place;
pub use directory::{Account, Grants};

/// When every test begins.
pub const START: &str = "2026-11-21T09:00:00.000Z";

/// A running server.
pub struct Server {
    pub url: String,
    pub app: Arc<App>,
    pub clock: Arc<FrozenClock>,
    pub http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
    place: Place,
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
        let config = Config::from_toml(&format!("{}\n{settings}", place.settings())).unwrap();
        let clock = FrozenClock::at(START.parse().unwrap());
        let shared: Clock = clock.clone();
        let server = latchkey::serve::Server::bind(&config, shared, SeededEntropy::shared(42)).await.unwrap();
        let url = format!("http://{}", server.address);
        let app = Arc::clone(&server.app);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            server.run(until).await.unwrap();
        });
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { url, app, clock, http, stop: Some(stop), running: Some(running), place }
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
        let Self { running, app, place, .. } = self;
        drop(app);
        running.unwrap().await.unwrap();
        place
    }
}
