//! G-5: the disk is full. Whoever asks is told to try again, nothing is lost, and it works again when there is room.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::ledger::{Ledger, Log};
use crate::load::{Client, exchange, get, graphql};
use crate::server::{Installation, make_key};
use crate::{NotRun, Report, Scale};

const CLIENTS: usize = 16;
/// Between two requests of a client, so that the log does not fill the disk by itself.
const PAUSE: Duration = Duration::from_millis(15);
const ANSWER_WITHIN: Duration = Duration::from_millis(2_200);
const WORKS_WITHIN: Duration = Duration::from_secs(5);
const QUERY: &str = "{ viewer { scopes } }";

/// A small disk in memory, gone with this.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&path)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&path).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            return Err(NotRun("a tmpfs cannot be mounted here (that needs root)".to_owned()).into());
        }
        Ok(Self(path))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

struct Load {
    over: AtomicBool,
    busy: AtomicUsize,
    slow: AtomicUsize,
    ledger: Ledger,
}

pub async fn full(scale: Scale) -> anyhow::Result<Report> {
    let mut installation = Installation::new(None)?;
    let disk = Disk::mount(installation.path().join("disk"))?;
    installation.set("LATCHKEY_DATA_DIR", &disk.0.join("data").display().to_string());
    let rounds = scale.of(20, 2);
    let ledger = Ledger::default();
    let (mut violations, mut slowest, mut told_busy) = (0, Duration::ZERO, 0);
    let mut notes = Vec::new();
    for round in 0..rounds {
        // Every other round the server sees in time that there is little room; in the others it meets the full disk.
        installation.set("LATCHKEY_LOW_DISK_SPACE_BYTES", if round % 2 == 0 { "0" } else { "4194304" });
        let found = fill_and_free(&installation, &disk, round, &ledger).await?;
        slowest = slowest.max(found.works.unwrap_or(Duration::MAX));
        told_busy += found.busy;
        violations += found.wrong.len();
        notes.extend(found.wrong.into_iter().map(|what| format!("round {round}: {what}")));
    }
    let log = Log::open(&installation.database_url()).await?;
    let lost = ledger.lost(&log).await?;
    log.close().await?;
    let (tokens, wrongs) = ledger.counts();
    notes.truncate(4);
    let slowest = if slowest == Duration::MAX {
        "never".to_owned()
    } else {
        format!("after {} ms at most", slowest.as_millis())
    };
    let figure = format!(
        "{lost} lost of {tokens} tokens; {told_busy} told to try again; worked again {slowest}{}{}{}",
        if notes.is_empty() { "" } else { "; " },
        notes.join(", "),
        ledger.first_wrong()
    );
    Ok(Report { iterations: rounds, violations: violations + lost + wrongs, figure })
}

/// What one full disk led to.
struct Found {
    wrong: Vec<String>,
    works: Option<Duration>,
    busy: usize,
}

async fn fill_and_free(
    installation: &Installation,
    disk: &Disk,
    round: usize,
    ledger: &Ledger,
) -> anyhow::Result<Found> {
    let server = installation.start().await?;
    let (token, key) = arrange(installation, &server, round).await?;
    let load = Arc::new(Load {
        over: AtomicBool::new(false),
        busy: AtomicUsize::new(0),
        slow: AtomicUsize::new(0),
        ledger: ledger.clone(),
    });
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(Client::new(server.address), exchange(&key), Arc::clone(&load)));
    }
    let fill = disk.0.join("fill");
    let full = fill_up(&fill, &load).await?;
    let mut wrong = while_full(server.address, &token).await;
    std::fs::remove_file(&fill)?;
    let works = works_again(server.address, &exchange(&key)).await;
    load.over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    wrong.extend((!full).then(|| "no request was told to try again".to_owned()));
    wrong.extend(works.is_none().then(|| "it does not work 5 s after there is room".to_owned()));
    let slow = load.slow.load(Ordering::SeqCst);
    wrong.extend((slow > 0).then(|| format!("{slow} answers took longer than 2 s")));
    if works.is_some() {
        server.stop().await?;
    }
    Ok(Found { wrong, works, busy: load.busy.load(Ordering::SeqCst) })
}

/// An administrator's token and a key to exchange.
async fn arrange(
    installation: &Installation,
    server: &crate::server::Server,
    round: usize,
) -> anyhow::Result<(String, crate::server::Key)> {
    let boss = installation.create_key(&format!("boss {round}"), "admin")?;
    let mut client = Client::new(server.address);
    let answer = client.ask(&exchange(&boss)).await?;
    let (token, _) = answer.token().ok_or_else(|| anyhow::anyhow!("no token: {}", answer.shown()))?;
    let input = json!({ "name": format!("client {round}"), "scopes": ["keys:read"] });
    let key = make_key(&mut client, &token, input).await?;
    Ok((token, key))
}

async fn ask(mut client: Client, request: Arc<[u8]>, load: Arc<Load>) {
    while !load.over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        if load.ledger.note(client.ask(&request).await) {
            load.busy.fetch_add(1, Ordering::SeqCst);
        }
        if begun.elapsed() > ANSWER_WITHIN {
            load.slow.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes all the room there is, until somebody was told to try again and a moment longer. Says whether that happened.
async fn fill_up(path: &Path, load: &Load) -> anyhow::Result<bool> {
    let mut file = std::fs::File::create(path)?;
    let block = vec![b'x'; 64 << 10];
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        while file.write_all(&block).is_ok() {}
        while file.write_all(&block[..512]).is_ok() {}
        tokio::time::sleep(Duration::from_millis(20)).await;
        if load.busy.load(Ordering::SeqCst) > 20 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Ok(true);
        }
    }
    Ok(false)
}

/// What does not go on as it should while the disk is full.
async fn while_full(address: std::net::SocketAddr, token: &str) -> Vec<String> {
    let mut client = Client::new(address);
    let requests = [
        ("/healthz", get("/healthz", None)),
        ("/whoami", get("/whoami", Some(token))),
        ("a query", graphql(token, QUERY, &json!({}))),
    ];
    let mut wrong = Vec::new();
    for (name, request) in requests {
        let begun = Instant::now();
        match client.ask(&request).await {
            Ok(answer) if answer.status == 200 && begun.elapsed() < ANSWER_WITHIN => {}
            Ok(answer) => wrong.push(format!("{name}: {} after {:?}", answer.shown(), begun.elapsed())),
            Err(error) => wrong.push(format!("{name}: {error:#}")),
        }
    }
    wrong
}

/// How long it takes until a token is given out again.
async fn works_again(address: std::net::SocketAddr, request: &[u8]) -> Option<Duration> {
    let (begun, mut client) = (Instant::now(), Client::new(address));
    while begun.elapsed() < WORKS_WITHIN {
        if client.ask(request).await.is_ok_and(|answer| answer.status == 200) {
            return Some(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}
