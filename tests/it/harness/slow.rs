//! A database that is slow to write, on demand: with `TEST_SLOW=1` every commit has to wait for another writer, again and
//! again. Whoever gets red by that depends on how fast the machine is.

use std::sync::Arc;
use std::time::Duration;

use latchkey::error::Result;
use latchkey::store::{Database, Tx};
use sea_orm::{ConnectionTrait as _, DbBackend};
use tokio::task::JoinHandle;

use super::setting;

const HOLD: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn start(db: &Arc<Database>) -> Option<JoinHandle<()>> {
    let is_slow = setting("TEST_SLOW").is_some_and(|slow| slow > 0);
    is_slow.then(|| tokio::spawn(hold_up(Arc::clone(db))))
}

/// Keeps everybody from writing to the log for as long as the transaction is there: on SQLite it has the turn to write.
pub async fn hold_log(db: &Database) -> Result<Tx> {
    let tx = db.begin().await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("LOCK TABLE activity IN EXCLUSIVE MODE").await?;
    }
    Ok(tx)
}

/// Holds everybody up who wants to write, until it is aborted.
async fn hold_up(db: Arc<Database>) {
    loop {
        // An error is one that a test has brought about.
        if let Ok(_held) = hold_log(&db).await {
            tokio::time::sleep(HOLD).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
