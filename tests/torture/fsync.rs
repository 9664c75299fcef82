//! G-4: the disk does not take a commit. The process ends with its code, says nothing good afterwards, and what was answered
//! before is there at the next start.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use crate::ledger::{Ledger, Log};
use crate::load::{Client, exchange};
use crate::server::{Installation, Server, client_key};
use crate::{NotRun, Report, Scale};

const CLIENTS: usize = 8;
/// `docs/operations.md`.
const CODE: i32 = 74;
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Which fsync failed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    Commit(f64),
    Other,
}

/// What one failed fsync led to.
#[derive(Default)]
struct Round {
    violations: Vec<String>,
    /// It was not of a commit, but of a checkpoint, which SQLite repeats from the log that it has, or of the directory.
    other: bool,
}

pub async fn fails(scale: Scale) -> anyhow::Result<Report> {
    if !Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return Err(NotRun("strace is not installed".to_owned()).into());
    }
    let installation = Installation::new(None)?;
    let ledger = Ledger::default();
    let server = installation.start().await?;
    let token = installation.administrator(&server).await?;
    let key = client_key(&server, &token).await?;
    let request = exchange(&key);
    server.stop().await?;
    let rounds = scale.of(50, 3);
    let (mut violations, mut others) = (Vec::new(), 0);
    for number in 1..=rounds {
        let round = fail(&installation, number, &request, &ledger).await?;
        others += usize::from(round.other);
        violations.extend(round.violations.into_iter().map(|what| format!("fsync {number}: {what}")));
    }
    let server = installation.start().await?;
    server.stop().await?;
    let log = Log::open(&installation.database_url()).await?;
    let lost = ledger.lost(&log).await?;
    let whole = log.texts("PRAGMA integrity_check").await?;
    log.close().await?;
    let damaged = usize::from(!whole.contains("ok"));
    let (tokens, wrongs) = ledger.counts();
    let count = violations.len() + lost + wrongs + damaged;
    violations.truncate(3);
    let figure = format!(
        "{lost} lost of {tokens} tokens; {others} of the syncs were not of commits; integrity {}{}{}{}",
        if damaged == 0 { "ok" } else { "BROKEN" },
        if violations.is_empty() { "" } else { "; " },
        violations.join(", "),
        ledger.first_wrong()
    );
    Ok(Report { iterations: rounds, violations: count, figure })
}

/// Lets the n-th fsync of each thread fail, under load.
async fn fail(
    installation: &Installation,
    number: usize,
    request: &Arc<[u8]>,
    ledger: &Ledger,
) -> anyhow::Result<Round> {
    let mut server = installation.start().await?;
    let trace = installation.path().join("trace");
    let _ = std::fs::remove_file(&trace);
    let mut strace = inject(&server, number, &trace)?;
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(
            Client::new(server.address),
            Arc::clone(request),
            Arc::clone(&over),
            ledger.clone(),
        ));
    }
    let deadline = Instant::now() + ENDS_WITHIN + Duration::from_millis(50 * number as u64);
    let mut status = None;
    while status.is_none() && Instant::now() < deadline {
        status = server.ended()?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    over.store(true, Ordering::SeqCst);
    let _ = server.kill();
    let _ = strace.kill();
    let _ = strace.wait();
    let late = clients.join_all().await;
    let mut round = Round::default();
    match failure(&trace) {
        None => round.violations.push("nothing failed".to_owned()),
        Some(Failure::Other) => round.other = true,
        Some(Failure::Commit(at)) => {
            let after = late.iter().flatten().filter(|begun| **begun > at).count();
            round
                .violations
                .extend((after > 0).then(|| format!("{after} tokens for requests made after it")));
            let code = status.and_then(|status| status.code());
            round.violations.extend((code != Some(CODE)).then(|| format!("ended with {code:?}")));
        }
    }
    Ok(round)
}

fn inject(server: &Server, number: usize, trace: &std::path::Path) -> anyhow::Result<Child> {
    let inject = format!("inject=fdatasync,fsync:error=EIO:when={number}");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-ttt", "-e", "trace=fdatasync,fsync", "-e", &inject, "-o"]).arg(trace);
    let mut child =
        strace.args(["-p", &server.id().to_string()]).stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    // Its first line says that it is attached.
    let mut said = std::io::BufReader::new(child.stderr.take().ok_or_else(|| anyhow::anyhow!("no stderr"))?);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line)?;
    if !line.contains("attached") {
        return Err(NotRun(format!("strace cannot attach: {}", line.trim())).into());
    }
    // Whoever reads no more must not stop whoever writes.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Ok(child)
}

/// When the first injected failure of a commit was, in seconds since 1970. Else whether there was another one: of a
/// checkpoint, or of the directory, which SQLite tells nobody.
fn failure(trace: &std::path::Path) -> Option<Failure> {
    let text = std::fs::read_to_string(trace).ok()?;
    let mut injected = text.lines().filter(|line| line.contains("INJECTED")).peekable();
    injected.peek()?;
    let commit = injected.find(|line| line.contains("latchkey.db-wal>"));
    let at = |line: &str| line.split_whitespace().nth(1)?.parse().ok();
    Some(commit.and_then(at).map_or(Failure::Other, Failure::Commit))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Asks until the server is gone. Gives the times when the last requests were made that got a token.
async fn ask(mut client: Client, request: Arc<[u8]>, over: Arc<AtomicBool>, ledger: Ledger) -> Vec<f64> {
    let mut made = Vec::new();
    loop {
        let begun = now();
        let Ok(answer) = client.ask(&request).await else { break };
        match answer.token() {
            Some((_, jti)) => {
                ledger.told().tokens.insert(jti);
                made.push(begun);
            }
            None if answer.is_busy() || over.load(Ordering::SeqCst) => {}
            None => ledger.wrong(answer.shown()),
        }
    }
    made
}
