//! The few periodic chores.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::app::App;

const EVERY: Duration = Duration::from_secs(60);

/// Runs the chores until the server is gone.
pub fn start(app: &Arc<App>) -> JoinHandle<()> {
    let app: Weak<App> = Arc::downgrade(app);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(app) = app.upgrade() else { return };
            app.limits.trim();
        }
    })
}
