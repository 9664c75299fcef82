//! The few periodic chores, reading keys before they are asked for, and carrying over SQLite's log.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::app::App;
use crate::app::registry::{PORTION, Warmup};
use crate::app::retention::{remove_old_events, remove_old_revocations};

const EVERY: Duration = Duration::from_secs(1);
/// In turns, as all below.
const TRIM_EVERY: u32 = 60;
/// Old events and revocations: once an hour, and for the first time ten minutes after the start: of servers that are restarted often too.
const REMOVE_EVERY: u32 = 3600;
const REMOVE_FIRST: u32 = 600;
/// In one turn, how often the changes of other processes are asked for.
const HEAR_EVERY: u32 = 4;

/// Between two portions of keys that are read in the background; as long as the portion took, if that is longer.
const BREATH: Duration = Duration::from_millis(10);

/// Runs the chores until the server is gone.
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    jobs.spawn(take_turns(Arc::downgrade(app)));
    jobs.spawn(warm(Arc::downgrade(app)));
    jobs.spawn(carry_over(Arc::downgrade(app)));
    jobs
}

async fn take_turns(app: Weak<App>) {
    let mut has_old_events = false;
    for turn in 1_u32.. {
        for _ in 0..HEAR_EVERY {
            let Some(app) = app.upgrade() else { return };
            hear(&app).await;
            drop(app);
            tokio::time::sleep(EVERY / HEAR_EVERY).await;
        }
        let Some(app) = app.upgrade() else { return };
        has_old_events = take_turn(&app, turn, has_old_events).await;
    }
}

/// At most half of the time goes into reading: whoever asks for something comes first.
async fn warm(app: Weak<App>) {
    let mut walk = Warmup::default();
    loop {
        let Some(app) = app.upgrade() else { return };
        let began = app.clock.elapsed();
        let pause = match app.registry.warm_up(&mut walk, PORTION).await {
            Ok(true) => app.clock.elapsed().saturating_sub(began).max(BREATH),
            Ok(false) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "cannot load API keys into the cache; retrying");
                EVERY
            }
        };
        drop(app);
        tokio::time::sleep(pause).await;
    }
}

/// Has SQLite's write-ahead log carried over into the file. Where that fails, as it does on a full disk, the log goes on.
async fn carry_over(app: Weak<App>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(app) = app.upgrade() else { return };
        let result = app.db.checkpoint().await;
        if let Err(error) = &result
            && !failing
        {
            tracing::warn!(%error, "the WAL checkpoint failed; retrying");
        }
        failing = result.is_err();
    }
}

/// What cannot be heard is asked for again; after a while nothing that was kept is believed.
async fn hear(app: &App) {
    if let Err(error) = app.registry.poll_changes().await {
        tracing::warn!(%error, "cannot read changes made by other processes");
    }
}

/// The chores of one turn, the turns being counted from 1. Says whether there are old events left for the next one.
pub async fn take_turn(app: &App, turn: u32, has_old_events: bool) -> bool {
    app.measure_space().await;
    if let Err(error) = app.usage.write(&app.db).await {
        tracing::warn!(%error, "cannot save the last use of API keys; keeping it in memory");
    }
    if let Err(error) = app.refusals.write(&app.db, &app.activity_ids, app.clock.now()).await {
        tracing::warn!(%error, "cannot save the counts of refused exchanges; keeping them in memory");
    }
    if turn.is_multiple_of(TRIM_EVERY) {
        app.limits.trim();
    }
    if turn % REMOVE_EVERY == REMOVE_FIRST
        && let Err(error) = remove_old_revocations(&app.db, app.clock.now()).await
    {
        tracing::warn!(%error, "cannot delete old revocations; retrying in an hour");
    }
    // Some each turn while there are many: whoever waits to write comes between.
    if !has_old_events && turn % REMOVE_EVERY != REMOVE_FIRST {
        return false;
    }
    remove_old_events(&app.db, app.clock.now()).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot delete old events; retrying in an hour");
        false
    })
}
