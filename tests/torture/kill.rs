//! G-1, G-2: `kill -9` under load. Whatever was answered before is in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::ledger::{Ledger, Log};
use crate::load::{Client, exchange, graphql, percentile};
use crate::server::{CREATE, Installation, Key, Server, client_key};
use crate::{Report, Scale};

const EXCHANGING: usize = 60;
const CHANGING: usize = 4;
/// How long a server lives, in milliseconds.
const LIVES: std::ops::Range<u64> = 50..1500;

pub async fn sqlite(scale: Scale) -> anyhow::Result<Report> {
    kill(&Installation::new(None)?, scale.of(200, 3)).await
}

pub async fn postgres(scale: Scale) -> anyhow::Result<Report> {
    let cluster = Cluster::start()?;
    let database = cluster.database().await?;
    kill(&Installation::new(Some(&database))?, scale.of(100, 3)).await
}

async fn kill(installation: &Installation, rounds: usize) -> anyhow::Result<Report> {
    let ledger = Ledger::default();
    let server = installation.start().await?;
    let token = installation.administrator(&server).await?;
    let key = client_key(&server, &token).await?;
    server.stop().await?;

    let mut starts = Vec::new();
    for round in 0..rounds {
        let begun = Instant::now();
        let mut server = installation.start().await?;
        starts.push(begun.elapsed());
        // Spread over the range, without chance: each round at another moment.
        let life = LIVES.start + (round as u64 * 617) % (LIVES.end - LIVES.start);
        live(&mut server, (&token, &key), Duration::from_millis(life), &ledger).await?;
    }
    let server = installation.start().await?;
    server.stop().await?;
    let log = Log::open(&installation.database_url()).await?;
    let lost = ledger.lost(&log).await?;
    log.close().await?;
    let (tokens, changes, wrong) = {
        let told = ledger.told();
        (told.tokens.len(), told.changes.len(), told.wrongs)
    };
    let slow = percentile(&mut starts, 99);
    let figure = format!(
        "{lost} lost of {tokens} tokens and {changes} changes answered; ready again p99 {} ms{}",
        slow.as_millis(),
        ledger.first_wrong()
    );
    let violations = lost + wrong + usize::from(slow > Duration::from_secs(2));
    Ok(Report { iterations: rounds, violations, figure })
}

/// Lets a server live so long under load, and kills it.
async fn live(
    server: &mut Server,
    (token, key): (&str, &Key),
    life: Duration,
    ledger: &Ledger,
) -> anyhow::Result<()> {
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..EXCHANGING {
        let (over, ledger, request) = (Arc::clone(&over), ledger.clone(), exchange(key));
        clients.spawn(exchange_until(Client::new(server.address), request, over, ledger));
    }
    for task in 0..CHANGING {
        let (over, ledger, token) = (Arc::clone(&over), ledger.clone(), token.to_owned());
        let name = format!("{}.{task}", server.id());
        clients.spawn(change_until(Client::new(server.address), token, name, over, ledger));
    }
    tokio::time::sleep(life).await;
    over.store(true, Ordering::SeqCst);
    server.kill()?;
    clients.join_all().await;
    Ok(())
}

async fn exchange_until(mut client: Client, request: Arc<[u8]>, over: Arc<AtomicBool>, ledger: Ledger) {
    while let Ok(answer) = client.ask(&request).await {
        match answer.token() {
            Some((_, jti)) => drop(ledger.told().tokens.insert(jti)),
            None if answer.is_busy() || over.load(Ordering::SeqCst) => {}
            None => ledger.wrong(answer.shown()),
        }
    }
}

async fn change_until(
    mut client: Client,
    token: String,
    name: String,
    over: Arc<AtomicBool>,
    ledger: Ledger,
) {
    for turn in 0.. {
        let input = json!({ "name": format!("{name}.{turn}"), "scopes": ["keys:read"] });
        let Ok(answer) = client.ask(&graphql(&token, CREATE, &json!({ "input": input }))).await else {
            return;
        };
        let body = answer.json();
        let id = answer.header("x-request-id").unwrap_or_default().to_owned();
        if body["data"]["change"]["apiKey"].is_object() {
            ledger.told().changes.insert(id);
        } else if body["errors"][0]["extensions"]["code"] != "UNAVAILABLE" && !over.load(Ordering::SeqCst) {
            ledger.wrong(format!("{} {body}", answer.status));
        }
    }
}
