//! The file with the token of the first administrator: for this user of this machine alone, and only while it is needed.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::actions::setup::renew_token;
use crate::app::App;
use crate::config::Config;

const FILE: &str = "setup-token";

/// Writes a new token, and says where; removes an old file when there is an administrator.
pub(super) async fn prepare(config: &Config, app: &App) -> anyhow::Result<Option<PathBuf>> {
    let path = config.data_dir.join(FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", path.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let Some(token) = renew_token(app).await? else { return Ok(None) };
    let write = || {
        DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "{}", *token)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Some(path))
}
