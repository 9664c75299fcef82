//! How long the activity log lasts: events older than the settings say are removed, the oldest first, some at a time. So
//! are revocations of tokens that have ended since.

use entity::Timestamp;

use crate::error::Result;
use crate::store::{Database, activity, revocations, settings};

/// Others wait for their turn to write while so many events are removed: some hundredths of a second on SQLite.
pub const AT_ONCE: u64 = 2_000;

/// Removes the oldest of the events that have had their time, and says whether more of them may be left.
pub async fn remove_old_events(db: &Database, now: Timestamp) -> Result<bool> {
    let days = settings::load(db.reader()).await?.activity_retention_days;
    let tx = db.begin().await?;
    let removed = activity::remove_before(&*tx, now.plus_seconds(-i64::from(days) * 86_400), AT_ONCE).await?;
    tx.commit().await?;
    if removed > 0 {
        tracing::debug!(removed, days, "events of the activity log have had their time");
    }
    Ok(removed == AT_ONCE)
}

/// A token that has ended by this clock may live by that of another server: in seconds.
const CLOCKS_DIFFER: i64 = 3_600;

/// Removes revocations of tokens that have ended.
pub async fn remove_old_revocations(db: &Database, now: Timestamp) -> Result<()> {
    let tx = db.begin().await?;
    revocations::remove_before(&*tx, now.plus_seconds(-CLOCKS_DIFFER), AT_ONCE).await?;
    tx.commit().await
}
