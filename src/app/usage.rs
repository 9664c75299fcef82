//! When keys were last used: remembered at each use, written in portions. A crash may lose what is not written yet; the
//! log of tokens is elsewhere and loses nothing.
//!
//! Of keys that lie anywhere among a million each row costs the database a page, so that a second has room for a portion
//! only: whoever has waited longest comes first, with the latest use.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::{KeyId, SecretId, Timestamp};

use crate::error::Result;
use crate::store::Database;
use crate::store::usage::{KeyUse, write_keys, write_secrets};

/// The names of operations are the clients' own: the beginning will do.
const MAX_OPERATION: usize = 100;
/// So many keys, and so many secrets, are written at a time.
const PORTION: usize = 250;
/// The same when the server stops, and nothing else waits for the database.
const LARGE_PORTION: usize = 10_000;

/// The uses that are not written yet: the last one of each key and secret.
#[derive(Debug, Default)]
pub struct Usage {
    pending: Mutex<Pending>,
    /// Held while some are being written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Pending {
    keys: Waiting<KeyId, KeyUse>,
    secrets: Waiting<SecretId, Timestamp>,
}

/// The latest use of each, in the order of the first one that is not written.
#[derive(Debug)]
struct Waiting<K, U> {
    latest: HashMap<K, U>,
    order: VecDeque<K>,
}

impl Usage {
    /// A key was used.
    pub fn key(&self, key: KeyId, mut last: KeyUse) {
        if let Some(operation) = &mut last.operation
            && let Some((end, _)) = operation.char_indices().nth(MAX_OPERATION)
        {
            operation.to_mut().truncate(end);
        }
        self.lock().keys.put(key, last);
    }

    /// A secret was used.
    pub fn secret(&self, secret: SecretId, at: Timestamp) {
        self.lock().secrets.put(secret, at);
    }

    /// Writes what has waited longest, or waits until it is written; keeps it for the next time if that fails.
    pub async fn write(&self, db: &Database) -> Result<()> {
        self.write_portion(db, PORTION).await.map(drop)
    }

    /// Writes everything, because there will be no next time.
    pub async fn finish(&self, db: &Database) -> Result<()> {
        while self.write_portion(db, LARGE_PORTION).await? {}
        Ok(())
    }

    /// False if there was nothing to write.
    async fn write_portion(&self, db: &Database, most: usize) -> Result<bool> {
        let _turn = self.writing.lock().await;
        let (keys, secrets) = {
            let mut pending = self.lock();
            (pending.keys.take(most), pending.secrets.take(most))
        };
        if keys.is_empty() && secrets.is_empty() {
            return Ok(false);
        }
        let written = [write_keys(db, &keys).await, write_secrets(db, &secrets).await];
        let mut pending = self.lock();
        if written[0].is_err() {
            pending.keys.restore(keys);
        }
        if written[1].is_err() {
            pending.secrets.restore(secrets);
        }
        written.into_iter().collect::<Result<()>>().map(|()| true)
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, U> Default for Waiting<K, U> {
    fn default() -> Self {
        Self { latest: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, U> Waiting<K, U> {
    fn put(&mut self, key: K, last: U) {
        if self.latest.insert(key, last).is_none() {
            self.order.push_back(key);
        }
    }

    fn take(&mut self, most: usize) -> Vec<(K, U)> {
        let keys = self.order.drain(..most.min(self.order.len()));
        keys.filter_map(|key| Some((key, self.latest.remove(&key)?))).collect()
    }

    /// What was taken and could not be written, unless there is a later one.
    fn restore(&mut self, taken: Vec<(K, U)>) {
        for (key, last) in taken {
            self.latest.entry(key).or_insert_with(|| {
                self.order.push_back(key);
                last
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_waited_longest_comes_first_with_the_latest_use() {
        let mut waiting = Waiting::default();
        for (key, at) in [(1, 10), (2, 11), (3, 12), (1, 13)] {
            waiting.put(key, at);
        }
        assert_eq!(waiting.take(2), [(1, 13), (2, 11)]);
        waiting.put(1, 14);
        waiting.restore(vec![(1, 13), (2, 11)]);
        assert_eq!(waiting.take(9), [(3, 12), (1, 14), (2, 11)]);
        assert!(waiting.take(9).is_empty() && waiting.latest.is_empty());
    }
}
