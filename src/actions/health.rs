//! Whether the server can serve.

use crate::app::App;
use crate::error::Result;
use crate::store::settings;

/// The database answers.
pub async fn ready(app: &App) -> Result<()> {
    settings::load(app.db.reader()).await.map(|_| ())
}
