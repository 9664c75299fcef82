//! Reading keys before they are asked for: all that are enabled, a portion at a time.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{AccountId, KeyId};

use super::Registry;
use super::facts::{Era, Facts, Shape};
use crate::error::Result;
use crate::store::credentials::{self, Client, Key};
use crate::store::{Connection, changes};

/// Keys that are read at once: half a dozen statements.
pub const PORTION: u64 = 250;

/// How far a walk through all keys has come.
#[derive(Debug, Default)]
pub struct Walk {
    /// Everything has been forgotten so often: when it is forgotten again, the walk begins anew.
    round: Option<u64>,
    after: Option<KeyId>,
    /// Nothing is left of this round.
    done: bool,
}

impl Registry {
    /// Reads one more portion of the enabled keys, the newest first. Says whether more may be left: none is when all were
    /// read since everything was forgotten last, when there is no room for more, or while what is known is out of date.
    pub async fn warm(&self, walk: &mut Walk, most: u64) -> Result<bool> {
        let (round, is_full, is_believed) = {
            let known = self.read();
            (known.rounds(), known.is_full(), known.believed(self.clock.elapsed()))
        };
        if walk.round != Some(round) {
            *walk = Walk { round: Some(round), ..Walk::default() };
        }
        if walk.done || is_full || !is_believed {
            return Ok(false);
        }
        let db = self.db.background();
        let (moment, era) = self.begin(db).await?;
        let look = credentials::snapshot(db).await?;
        // What keys share must be of the same epoch as what is read now. If it is not, that will be heard of soon.
        if changes::position(&look).await?.epoch != era.policy.epoch {
            return Ok(false);
        }
        let mut found = credentials::enabled_keys(&look, walk.after, most).await?;
        let Some((last, _)) = found.last() else {
            walk.done = true;
            tracing::info!(keys = self.keys(), "every enabled API key is in memory");
            return Ok(false);
        };
        let last = last.id;
        {
            let known = self.read();
            found.retain(|(key, _)| !known.has(key.id));
        }
        let facts = self.complete_all(&look, &era, found).await?;
        drop(look);
        for facts in facts {
            let mut known = self.write();
            if !known.is_full() && !known.has(facts.client.key.id) {
                known.keep(&moment, &era, &facts);
            }
        }
        walk.after = Some(last);
        Ok(true)
    }

    /// What is known of keys that were just read, all in the same look at the database. What keys of one shape can be
    /// granted is asked for one of them: most of the work would be that.
    async fn complete_all(
        &self,
        look: &impl Connection,
        era: &Era,
        found: Vec<(Key, AccountId)>,
    ) -> Result<Vec<Arc<Facts>>> {
        let owners = self.owners(look, era, found.iter().map(|(_, owner)| *owner)).await?;
        let ids: Vec<KeyId> = found.iter().map(|(key, _)| key.id).collect();
        let mut given = credentials::given(look, &ids).await?;
        let (mut clients, mut strange) = (Vec::new(), HashMap::new());
        for (key, owner) in found {
            let Some(owner) = owners.get(&owner).cloned() else { continue };
            let shape = Shape::of(&key, &owner, given.remove(&key.id).unwrap_or_default());
            if era.of_shape(&shape).is_none() {
                strange.entry(shape.clone()).or_insert(key.id);
            }
            clients.push((Client { key, owner }, shape));
        }
        let asked: Vec<KeyId> = strange.values().copied().collect();
        let mut effective = credentials::effective(look, &asked).await?;
        for (shape, key) in strange {
            era.keep_shape(shape, era.grantable(effective.remove(&key).unwrap_or_default()));
        }
        let mut hanging = credentials::hanging(look, &ids, self.clock.now()).await?;
        let complete = |(client, shape): (Client, Shape)| {
            let hanging = hanging.remove(&client.key.id).unwrap_or_default();
            Some(Arc::new(Facts::new(client, era.of_shape(&shape)?, hanging)))
        };
        Ok(clients.into_iter().filter_map(complete).collect())
    }

    /// How many keys are in memory.
    pub fn keys(&self) -> usize {
        self.read().len()
    }
}
