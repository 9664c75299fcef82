//! Reading keys before they are asked for: all that are enabled, a portion at a time.

use entity::KeyId;

use super::Registry;
use crate::error::Result;
use crate::store::credentials;

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
    /// read since everything was forgotten last, when there is no room for more, or while nothing is believed.
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
        let mut found = credentials::enabled_keys(db, walk.after, most).await?;
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
        for facts in self.complete(db, &era, found).await? {
            let mut known = self.write();
            if !known.is_full() && !known.has(facts.client.key.id) {
                known.keep(&moment, &era, &facts);
            }
        }
        walk.after = Some(last);
        Ok(true)
    }

    /// How many keys are in memory.
    pub fn keys(&self) -> usize {
        self.read().len()
    }
}
