//! When keys were last used: remembered at each use, written in batches. A crash may lose the last second of it; the log
//! of tokens is elsewhere and loses nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::{KeyId, SecretId, Timestamp};

use crate::error::Result;
use crate::store::Database;
use crate::store::usage::{KeyUse, write_keys, write_secrets};

/// The names of operations are the clients' own: the beginning will do.
const MAX_OPERATION: usize = 100;

/// The uses that are not written yet: the last one of each key and secret.
#[derive(Debug, Default)]
pub struct Usage {
    pending: Mutex<Pending>,
    /// Held while some are being written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Pending {
    keys: HashMap<KeyId, KeyUse>,
    secrets: HashMap<SecretId, Timestamp>,
}

impl Usage {
    /// A key was used.
    pub fn key(&self, key: KeyId, mut last: KeyUse) {
        if let Some(operation) = &mut last.operation {
            if let Some((end, _)) = operation.char_indices().nth(MAX_OPERATION) {
                operation.to_mut().truncate(end);
            }
        }
        self.lock().keys.insert(key, last);
    }

    /// A secret was used.
    pub fn secret(&self, secret: SecretId, at: Timestamp) {
        self.lock().secrets.insert(secret, at);
    }

    /// Writes what has gathered, or waits until it is written; keeps it for the next time if that fails.
    pub async fn write(&self, db: &Database) -> Result<()> {
        let _turn = self.writing.lock().await;
        let pending = std::mem::take(&mut *self.lock());
        if pending.keys.is_empty() && pending.secrets.is_empty() {
            return Ok(());
        }
        let written = write(db, &pending).await;
        if written.is_err() {
            let mut newer = self.lock();
            for (key, last) in pending.keys {
                newer.keys.entry(key).or_insert(last);
            }
            for (secret, at) in pending.secrets {
                newer.secrets.entry(secret).or_insert(at);
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(db: &Database, pending: &Pending) -> Result<()> {
    let tx = db.begin().await?;
    write_keys(&*tx, pending.keys.iter()).await?;
    write_secrets(&*tx, pending.secrets.iter()).await?;
    tx.commit().await
}
