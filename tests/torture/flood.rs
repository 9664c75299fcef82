//! G-21: wrong secrets from many networks beside good clients. The good ones hardly notice, and the log stays short.

use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::ledger::Log;
use crate::load::{Client, exchange, exchange_from, percentile};
use crate::server::{Installation, Key, client_key};
use crate::{Report, Scale};

/// How this program is told that it is the attacker: then address, client id, secret, and for how many seconds.
pub const ATTACK: &str = "--attack";

const NETWORKS: usize = 1_000;
const ATTACKERS: usize = 50;
const WRONG_A_SECOND: usize = 5_000;
const GOOD: usize = 50;
const GOOD_A_SECOND: usize = 500;
const SECONDS: usize = 60;
/// In KiB.
const MORE_MEMORY: u64 = 50 << 10;
const SLOWER: f64 = 1.5;
const ROWS_A_MINUTE: i64 = 1_000;
/// Rows of their own, and the one with the count.
const ROWS_EACH: i64 = 6;

pub async fn flood(scale: Scale) -> anyhow::Result<Report> {
    let mut installation = Installation::new(None)?;
    installation.set("LATCHKEY_TRUSTED_PROXIES", "127.0.0.0/8");
    let server = installation.start().await?;
    let token = installation.administrator(&server).await?;
    let key = client_key(&server, &token).await?;
    let other = installation.create_key("other", "member")?;
    let seconds = scale.of(SECONDS, 5);
    let request = exchange(&key);
    good(server.address, &request, 3).await;
    let (mut calm, mut wrong) = good(server.address, &request, seconds).await;
    let memory = server.memory()?;
    let attack = start_attack(
        server.address,
        &Key { client_secret: other.client_secret, ..key.clone() },
        seconds + 2,
    )?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let watching = watch(server.id(), seconds);
    let ((mut flooded, more_wrong), most_memory) =
        tokio::join!(good(server.address, &request, seconds), watching);
    wrong += more_wrong;
    let output = attack.wait_with_output()?;
    let told = String::from_utf8(output.stdout)?;
    let refused: i64 = told.trim().parse().with_context(|| format!("the attacker said {told:?}"))?;
    // What was counted is written when it stops.
    server.stop().await?;
    let (counted, minute, each) = read_log(&installation).await?;

    let [before, after] = [&mut calm, &mut flooded].map(|times| percentile(times, 99));
    let ratio = after.as_secs_f64() / before.as_secs_f64();
    let grown = most_memory.saturating_sub(memory);
    let rate = refused / i64::try_from(seconds + 2)?;
    let violations = [
        ratio > SLOWER,
        grown > MORE_MEMORY,
        minute > ROWS_A_MINUTE,
        each > ROWS_EACH,
        counted != refused,
        wrong > 0,
        rate < i64::try_from(WRONG_A_SECOND)? * 8 / 10,
    ];
    let figure = format!(
        "p99 of the good {:.1} ms, without the flood {:.1} ms: {ratio:.2}x; memory +{} MiB; {rate} wrong a second; log: {minute} rows \
         a minute at most, {each} of a network and outcome, {counted} counted of {refused} refused; {wrong} good ones failed",
        after.as_secs_f64() * 1e3,
        before.as_secs_f64() * 1e3,
        grown >> 10,
    );
    let violations = violations.into_iter().filter(|violated| *violated).count();
    Ok(Report { iterations: usize::try_from(refused)?, violations, figure })
}

/// How many refusals the log knows, its most rows of a minute, and of a network and outcome in a minute.
async fn read_log(installation: &Installation) -> anyhow::Result<(i64, i64, i64)> {
    let log = Log::open(&installation.database_url()).await?;
    let read = (most(&log, ROWS).await?, most(&log, MINUTE).await?, most(&log, EACH).await?);
    log.close().await?;
    Ok(read)
}

const ROWS: &str = "SELECT COALESCE(SUM(count), 0) FROM activity WHERE kind = 202";
const MINUTE: &str =
    "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM activity WHERE kind = 202 GROUP BY at / 60000)";
const EACH: &str =
    "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM activity WHERE kind = 202 AND ip IS NOT NULL
    GROUP BY at / 60000, ip, outcome)";

async fn most(log: &Log, sql: &str) -> anyhow::Result<i64> {
    let rows = log.rows(sql).await?;
    Ok(rows.first().context("a row")?.try_get_by_index::<Option<i64>>(0)?.unwrap_or(0))
}

/// The most memory (KiB) of the server in so many seconds.
async fn watch(id: u32, seconds: usize) -> u64 {
    let mut most = 0;
    for _ in 0..seconds * 4 {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let now = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let now = now.and_then(|text| text.trim().trim_end_matches(" kB").trim().parse().ok());
        most = most.max(now.unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    most
}

/// Good clients at their rate, whatever the answers take: how long each answer took since it was due, and how many were wrong.
async fn good(address: SocketAddr, request: &Arc<[u8]>, seconds: usize) -> (Vec<Duration>, usize) {
    let mut clients = JoinSet::new();
    let every = Duration::from_secs_f64(GOOD as f64 / GOOD_A_SECOND as f64);
    let begin = Instant::now();
    for n in 0..GOOD {
        let request = Arc::clone(request);
        clients.spawn(async move {
            let (mut client, mut times, mut wrong) = (Client::new(address), Vec::new(), 0);
            let first = every.mul_f64(n as f64 / GOOD as f64);
            for turn in 0..seconds * GOOD_A_SECOND / GOOD {
                let due = begin + first + every.mul_f64(turn as f64);
                tokio::time::sleep_until(due.into()).await;
                let begun = Instant::now();
                let answer = client.ask(&request).await;
                times.push(begun.elapsed());
                wrong += usize::from(!answer.is_ok_and(|answer| answer.status == 200));
            }
            (times, wrong)
        });
    }
    let all = clients.join_all().await;
    let wrong = all.iter().map(|(_, wrong)| wrong).sum();
    (all.into_iter().flat_map(|(times, _)| times).collect(), wrong)
}

/// The attacker is a process of its own, so that it does not take the good clients' time.
fn start_attack(address: SocketAddr, key: &Key, seconds: usize) -> anyhow::Result<std::process::Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ATTACK, &address.to_string(), &key.client_id, &key.client_secret, &seconds.to_string()]);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?)
}

/// The attacker: presents a wrong secret from each network in turn, and says how often it was refused.
pub fn attack(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let [_, address, client_id, secret, seconds] = arguments else {
        anyhow::bail!("address, id, secret, seconds")
    };
    let (address, seconds): (SocketAddr, usize) = (address.parse()?, seconds.parse()?);
    let key = Key { id: String::new(), client_id: client_id.clone(), client_secret: secret.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let refused = runtime.block_on(async {
        let mut clients = JoinSet::new();
        let begin = Instant::now();
        let every = Duration::from_secs_f64(ATTACKERS as f64 / WRONG_A_SECOND as f64);
        for n in 0..ATTACKERS {
            let of = |network: usize| {
                format!("X-Forwarded-For: 198.{}.{}.7\r\n", 18 + network / 256, network % 256)
            };
            let networks = (0..NETWORKS / ATTACKERS).map(|turn| of(n * NETWORKS / ATTACKERS + turn));
            let requests: Vec<_> = networks.map(|header| exchange_from(&key, &header)).collect();
            clients.spawn(async move {
                let (mut client, mut refused) = (Client::new(address), 0_u64);
                for turn in 0..seconds * WRONG_A_SECOND / ATTACKERS {
                    // Not all at once: each network has its own clock.
                    let due = turn as f64 + n as f64 / ATTACKERS as f64;
                    tokio::time::sleep_until((begin + every.mul_f64(due)).into()).await;
                    if begin.elapsed().as_secs() > seconds as u64 + 5 {
                        break;
                    }
                    let answer = client.ask(&requests[turn % requests.len()]).await;
                    refused += u64::from(answer.is_ok_and(|answer| matches!(answer.status, 401 | 429)));
                }
                refused
            });
        }
        clients.join_all().await.into_iter().sum::<u64>()
    });
    std::io::Write::write_all(&mut std::io::stdout(), format!("{refused}\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
