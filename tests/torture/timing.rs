//! G-23: whether a client exists, and in which state, cannot be told from the time that a wrong secret takes. In process,
//! without HTTP: what the network hides is not counted on.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use entity::Timestamp;
use latchkey::actions::tokens::{ExchangeError, ExchangeRequest, exchange};
use latchkey::app::App;
use latchkey::app::context::Origin;
use latchkey::clock::FrozenClock;
use latchkey::config::Config;
use latchkey::entropy::{SeededEntropy, bytes};
use zeroize::Zeroizing;

use crate::server::Installation;
use crate::{Report, Scale};

pub const UNKNOWN: &str = "unknown client";
pub const WRONG: &str = "wrong secret";
pub const DISABLED: &str = "disabled client";

const SAMPLES: usize = 100_000;
/// Not counted: rows of the log, statements that are prepared, caches.
const WARM_UP: usize = 500;
const LIMIT: f64 = 4.5;

#[derive(Default)]
struct Samples {
    count: f64,
    mean: f64,
    /// The sum of squares of differences from the mean (Welford).
    squares: f64,
}

impl Samples {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    fn variance(&self) -> f64 {
        self.squares / (self.count - 1.0)
    }
}

/// Welch's t of two means.
fn welch(a: &Samples, b: &Samples) -> f64 {
    (a.mean - b.mean) / (a.variance() / a.count + b.variance() / b.count).sqrt()
}

pub async fn compare(first: &'static str, second: &'static str, scale: Scale) -> anyhow::Result<Report> {
    let installation = Installation::new(None)?;
    let (ids, foreign) = prepare(&installation).await?;
    let settings = format!("data_dir = '{}'", installation.path().join("data").display());
    let config = Config::from_toml(&settings)?;
    // It stands still: in no minute but the first are there rows.
    let clock = FrozenClock::at(Timestamp(1_795_000_000_000));
    let chance = SeededEntropy::shared(23);
    let (app, writer) =
        App::open(&config, "https://keys.example.com".to_owned(), clock, Arc::clone(&chance)).await?;
    let id = |name| ids.iter().find(|(of, _)| *of == name).map(|(_, id)| id.as_str()).context("a client id");
    let requests = [request(id(first)?, &foreign), request(id(second)?, &foreign)];
    let samples = scale.of(SAMPLES, 2_000);
    let mut times = [Samples::default(), Samples::default()];
    for turn in 0..samples + WARM_UP {
        let [coin] = bytes::<1>(&*chance);
        for which in if coin & 1 == 0 { [0, 1] } else { [1, 0] } {
            let nanoseconds = measure(&app, &requests[which]).await?;
            if turn >= WARM_UP {
                times[which].add(nanoseconds);
            }
        }
    }
    drop(app);
    writer.finish().await;
    let t = welch(&times[0], &times[1]);
    let [a, b] = times.map(|samples| samples.mean / 1_000.0);
    let figure = format!("t = {t:.1} (|t| < {LIMIT} asked); means {a:.2} and {b:.2} us");
    Ok(Report { iterations: 2 * samples, violations: usize::from(t.abs() >= LIMIT), figure })
}

/// Two keys, one of them disabled, and the secret of a third.
async fn prepare(installation: &Installation) -> anyhow::Result<(Vec<(&'static str, String)>, String)> {
    const DISABLE: &str = "mutation ($input: ApiKeySelectionInput!) { change: disableApiKeys(input: $input) {
        apiKeys { id } userErrors { code message } } }";
    let server = installation.start().await?;
    let token = installation.administrator(&server).await?;
    let [enabled, disabled, third] =
        ["enabled", "disabled", "third"].map(|name| installation.create_key(name, "member"));
    let (enabled, disabled) = (enabled?, disabled?);
    let input = serde_json::json!({ "selection": { "ids": [disabled.id] } });
    crate::load::Client::new(server.address).change(&token, DISABLE, &input).await?;
    server.stop().await?;
    let unknown = "0123456789ABCDEF0123456789ABCDEF".to_owned();
    let ids = vec![(UNKNOWN, unknown), (WRONG, enabled.client_id), (DISABLED, disabled.client_id)];
    Ok((ids, third?.client_secret))
}

fn request(client_id: &str, secret: &str) -> ExchangeRequest {
    ExchangeRequest {
        client_id: client_id.to_owned(),
        client_secret: Zeroizing::new(secret.to_owned()),
        scope: None,
        resources: Vec::new(),
    }
}

/// In nanoseconds. Without an address no limit by network is in the way.
async fn measure(app: &Arc<App>, request: &ExchangeRequest) -> anyhow::Result<f64> {
    let origin = Origin::default();
    let begun = Instant::now();
    let answer = exchange(app, &origin, request).await;
    let took = begun.elapsed();
    anyhow::ensure!(matches!(answer, Err(ExchangeError::Refused(_))), "not refused");
    Ok(took.as_secs_f64() * 1e9)
}
