//! G-7: the database is stopped for 30 seconds under load. Whoever asks is told to try again in time, and it works again by
//! itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::ledger::{Ledger, Log};
use crate::load::{Client, exchange, get, percentile};
use crate::server::{Installation, client_key};
use crate::{Report, Scale};

/// 50 clients that ask ten times a second.
const CLIENTS: usize = 50;
const EVERY: Duration = Duration::from_millis(100);
const GONE: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_millis(2_200);
const WORKS_WITHIN: Duration = Duration::from_secs(3);
/// In KiB.
const MORE_MEMORY: u64 = 50 << 10;

#[derive(Default)]
struct Load {
    over: AtomicBool,
    busy: AtomicUsize,
    slow: AtomicUsize,
    times: Mutex<Vec<Duration>>,
    ledger: Ledger,
}

pub async fn gone(scale: Scale) -> anyhow::Result<Report> {
    let cluster = Cluster::start()?;
    let installation = Installation::new(Some(&cluster.database().await?))?;
    let mut server = installation.start().await?;
    let token = installation.administrator(&server).await?;
    let key = client_key(&server, &token).await?;
    let request = exchange(&key);
    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(Client::new(server.address), Arc::clone(&request), Arc::clone(&load)));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = server.memory()?;
    let rounds = scale.of(10, 1);
    let (mut violations, mut slowest, mut most_memory) = (Vec::new(), Duration::ZERO, memory);
    for round in 0..rounds {
        cluster.end()?;
        let alive = while_gone(server.address, GONE).await;
        most_memory = most_memory.max(server.memory()?);
        cluster.begin()?;
        let works = works_again(server.address, &request).await;
        slowest = slowest.max(works);
        violations.extend((alive > 0).then(|| format!("round {round}: /healthz failed {alive} times")));
        violations
            .extend((works > WORKS_WITHIN).then(|| format!("round {round}: worked again after {works:?}")));
        if let Some(status) = server.ended()? {
            violations.push(format!("round {round}: the server ended with {status}"));
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    load.over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    let grown = most_memory.saturating_sub(memory);
    violations.extend((grown > MORE_MEMORY).then(|| format!("{} MiB more memory", grown >> 10)));
    server.stop().await?;
    let log = Log::open(&installation.database_url()).await?;
    let lost = load.ledger.lost(&log).await?;
    log.close().await?;
    Ok(report(&load, rounds, violations, (lost, slowest, grown)))
}

fn report(
    load: &Load,
    rounds: usize,
    mut violations: Vec<String>,
    (lost, slowest, grown): (usize, Duration, u64),
) -> Report {
    let (tokens, wrongs) = load.ledger.counts();
    let (busy, slow) = (load.busy.load(Ordering::SeqCst), load.slow.load(Ordering::SeqCst));
    let count = violations.len() + lost + wrongs + slow;
    violations.truncate(3);
    let mut times = load.times.lock().unwrap_or_else(PoisonError::into_inner);
    let figure = format!(
        "{lost} lost of {tokens} tokens; {busy} told to try again, p99 {} ms, {slow} later than 2 s; worked again after {} ms at most; \
         memory +{} MiB{}{}{}",
        percentile(&mut times, 99).as_millis(),
        slowest.as_millis(),
        grown >> 10,
        if violations.is_empty() { "" } else { "; " },
        violations.join(", "),
        load.ledger.first_wrong()
    );
    Report { iterations: rounds, violations: count, figure }
}

async fn ask(mut client: Client, request: Arc<[u8]>, load: Arc<Load>) {
    let mut next = tokio::time::interval(EVERY);
    next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !load.over.load(Ordering::SeqCst) {
        next.tick().await;
        let begun = Instant::now();
        if load.ledger.note(client.ask(&request).await) {
            load.busy.fetch_add(1, Ordering::SeqCst);
            load.times.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
        }
        if begun.elapsed() > ANSWER_WITHIN {
            load.slow.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Asks whether the process lives, ten times a second. Says how often it did not say so in time.
async fn while_gone(address: SocketAddr, long: Duration) -> usize {
    let (begun, mut client, mut failed) = (Instant::now(), Client::new(address), 0);
    while begun.elapsed() < long {
        let asked = Instant::now();
        let answer = client.ask(&get("/healthz", None)).await;
        failed +=
            usize::from(!answer.is_ok_and(|answer| answer.status == 200) || asked.elapsed() > ANSWER_WITHIN);
        tokio::time::sleep(EVERY).await;
    }
    failed
}

/// How long it takes until a token is given out again.
async fn works_again(address: SocketAddr, request: &[u8]) -> Duration {
    let (begun, mut client) = (Instant::now(), Client::new(address));
    while begun.elapsed() < Duration::from_secs(30) {
        if client.ask(request).await.is_ok_and(|answer| answer.status == 200) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}
