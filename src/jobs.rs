//! The few periodic chores.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::app::App;

const TRIM_EVERY: u32 = 60;
const USAGE_EVERY: Duration = Duration::from_secs(1);
/// In that time, how often the changes of other processes are asked for.
const HEAR_EVERY: u32 = 4;

/// Runs the chores until the server is gone.
pub fn start(app: &Arc<App>) -> JoinHandle<()> {
    let app: Weak<App> = Arc::downgrade(app);
    tokio::spawn(async move {
        for turn in 1_u32.. {
            for _ in 0..HEAR_EVERY {
                let Some(app) = app.upgrade() else { return };
                hear(&app).await;
                drop(app);
                tokio::time::sleep(USAGE_EVERY / HEAR_EVERY).await;
            }
            let Some(app) = app.upgrade() else { return };
            if let Err(error) = app.usage.write(&app.db).await {
                tracing::warn!(%error, "the last uses of keys could not be written; they are kept");
            }
            if turn % TRIM_EVERY == 0 {
                app.limits.trim();
            }
        }
    })
}

/// What cannot be heard is asked for again; after a while nothing that was kept is believed.
async fn hear(app: &App) {
    if let Err(error) = app.registry.hear().await {
        tracing::warn!(%error, "the changes of other processes could not be read");
    }
}
