//! Warming the cache up: all enabled keys are read before they are asked for, a portion at a time.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{AccountId, KeyId};

use super::Registry;
use super::facts::Facts;
use super::shared::{GrantInputs, Shared};
use crate::error::Result;
use crate::store::credentials::{self, Client, Key};
use crate::store::{Connection, changes};

/// Keys that are read at once, by half a dozen statements.
pub const PORTION: u64 = 250;

/// How far a warm-up has come.
#[derive(Debug, Default)]
pub struct Warmup {
    /// How often everything had been invalidated when it began; after another time it begins anew.
    reset: Option<u64>,
    after: Option<KeyId>,
    /// Every key was read.
    done: bool,
}

impl Registry {
    /// Reads one more portion of the enabled keys, the newest first. Says whether more may be left: there is none when all
    /// were read since the last time that everything was invalidated, when the cache is full, or while it is stale.
    pub async fn warm_up(&self, progress: &mut Warmup, most: u64) -> Result<bool> {
        let (reset, is_full, is_fresh) = {
            let cache = self.read();
            (cache.resets(), cache.is_full(), cache.is_fresh(self.clock.elapsed()))
        };
        if progress.reset != Some(reset) {
            *progress = Warmup { reset: Some(reset), ..Warmup::default() };
        }
        if progress.done || is_full || !is_fresh {
            return Ok(false);
        }
        let db = self.db.background();
        let (began, shared) = self.begin_read(db).await?;
        let snapshot = credentials::snapshot(db).await?;
        // What keys share must be of the same epoch as what is read now. If it is not, the next poll invalidates it.
        if changes::position(&snapshot).await?.epoch != shared.directory.epoch {
            return Ok(false);
        }
        let mut found = credentials::enabled_keys(&snapshot, progress.after, most).await?;
        let Some((last, _)) = found.last() else {
            progress.done = true;
            tracing::info!(keys = self.keys(), "every enabled API key is cached");
            return Ok(false);
        };
        let last = last.id;
        {
            let cache = self.read();
            found.retain(|(key, _)| !cache.contains(key.id));
        }
        let facts = self.complete_all(&snapshot, &shared, found).await?;
        drop(snapshot);
        for facts in facts {
            let mut cache = self.write();
            if !cache.is_full() && !cache.contains(facts.client.key.id) {
                cache.insert(began, &shared, &facts);
            }
        }
        progress.after = Some(last);
        Ok(true)
    }

    /// The facts of keys that were just read, all in one snapshot of the database. What keys with the same grant inputs can
    /// be granted is asked for one of them, because most of the work would be that.
    async fn complete_all(
        &self,
        snapshot: &impl Connection,
        shared: &Shared,
        found: Vec<(Key, AccountId)>,
    ) -> Result<Vec<Arc<Facts>>> {
        let owners = self.owners(snapshot, shared, found.iter().map(|(_, owner)| *owner)).await?;
        let ids: Vec<KeyId> = found.iter().map(|(key, _)| key.id).collect();
        let mut given = credentials::given(snapshot, &ids).await?;
        let (mut clients, mut unseen) = (Vec::new(), HashMap::new());
        for (key, owner) in found {
            let Some(owner) = owners.get(&owner).cloned() else { continue };
            let inputs = GrantInputs::of(&key, &owner, given.remove(&key.id).unwrap_or_default());
            if shared.grantable_for(&inputs).is_none() {
                unseen.entry(inputs.clone()).or_insert(key.id);
            }
            clients.push((Client { key, owner }, inputs));
        }
        let asked: Vec<KeyId> = unseen.values().copied().collect();
        let mut effective = credentials::effective(snapshot, &asked).await?;
        for (inputs, key) in unseen {
            shared.insert_grantable_for(inputs, shared.grantable(effective.remove(&key).unwrap_or_default()));
        }
        let mut hanging = credentials::hanging(snapshot, &ids, self.clock.now()).await?;
        let complete = |(client, inputs): (Client, GrantInputs)| {
            let hanging = hanging.remove(&client.key.id).unwrap_or_default();
            Some(Arc::new(Facts::new(client, shared.grantable_for(&inputs)?, hanging)))
        };
        Ok(clients.into_iter().filter_map(complete).collect())
    }

    /// How many keys are cached.
    pub fn keys(&self) -> usize {
        self.read().len()
    }
}
