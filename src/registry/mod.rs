//! What the exchange and the gate need to know of keys, in memory: read when it is first asked for or in the background
//! before that, forgotten when it changes.
//!
//! A change made here is forgotten as soon as it is committed; one made by another process is learned of from the
//! numbered changes ([`store::changes`]), which are read again and again. Whoever has not heard from the database for
//! too long asks it each time. A token does not depend on any of this: the statement that logs it checks the row.
//!
//! [`store::changes`]: crate::store::changes

mod facts;
mod known;
mod memory;
mod warming;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use entity::{AccountId, ClientId};

use self::facts::{Era, Scope};
use self::known::{Heard, Known, Look, Moment};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::changes::{self, Changed};
use crate::store::credentials::{self, Client, Key, Owner};
use crate::store::{Connection, Database, scopes, settings as stored_settings};

pub use self::facts::{Facts, Grant, Grantable, Policy, Secret};
pub use self::warming::{PORTION, Walk};

/// How many keys are kept: about 250 bytes each, by the sizes of the parts.
const KEPT: usize = 1_050_000;
/// Beyond this, what is kept is not believed any more.
const BELIEVED: Duration = Duration::from_secs(5);
/// Look-ups of different keys that may go on at once; those of one key wait for each other.
const LANES: usize = 16;

/// The memory.
#[derive(Debug)]
pub struct Registry {
    db: Arc<Database>,
    clock: Clock,
    issuer: String,
    known: RwLock<Known>,
    lanes: [tokio::sync::Mutex<()>; LANES],
    hasher: RandomState,
    timeout: Duration,
    /// Held by whoever reads what holds for all keys.
    policy: tokio::sync::Mutex<()>,
}

impl Registry {
    /// `issuer` is what Latchkey itself is called in tokens. Nobody waits longer than `timeout` for a key to be read, those
    /// before them included.
    pub fn new(db: Arc<Database>, clock: Clock, issuer: String, timeout: Duration) -> Self {
        let lanes = std::array::from_fn(|_| tokio::sync::Mutex::default());
        let (known, hasher) = (RwLock::new(Known::new(KEPT)), RandomState::new());
        let policy = tokio::sync::Mutex::default();
        Self { db, clock, issuer, known, lanes, hasher, timeout, policy }
    }

    /// What is known of the client of this id; nothing if there is none.
    pub async fn client(&self, client_id: ClientId) -> Result<Option<Arc<Facts>>> {
        if let Look::Known(facts) = self.look(client_id) {
            return Ok(facts);
        }
        let read = tokio::time::timeout(self.timeout, Box::pin(self.read_client(client_id)));
        read.await.map_err(|_| Error::Unavailable)?
    }

    /// One at a time for each client.
    async fn read_client(&self, client_id: ClientId) -> Result<Option<Arc<Facts>>> {
        let _lane = self.lane(client_id).lock().await;
        if let Look::Known(facts) = self.look(client_id) {
            return Ok(facts);
        }
        let db = self.db.reader();
        let (moment, era) = self.begin(db).await?;
        let Some(found) = credentials::key(db, client_id).await? else {
            self.write().keep_unknown(&moment, &era, client_id);
            return Ok(None);
        };
        let facts = self.complete(db, &era, found).await?;
        if let Some(facts) = &facts {
            self.write().keep(&moment, &era, facts);
        }
        Ok(facts)
    }

    fn look(&self, client_id: ClientId) -> Look {
        let known = self.read();
        if known.believed(self.clock.elapsed()) { known.look(client_id) } else { Look::Unheard }
    }

    fn lane(&self, client_id: ClientId) -> &tokio::sync::Mutex<()> {
        let lane = self.hasher.hash_one(client_id) % LANES as u64;
        &self.lanes[usize::try_from(lane).unwrap_or(0)]
    }

    /// What holds for all keys, and when it was looked at. Its epoch is read first: what is read after it is at least as
    /// new.
    async fn begin(&self, db: &impl Connection) -> Result<(Moment, Arc<Era>)> {
        if let Some(begun) = self.begun() {
            return Ok(begun);
        }
        let _alone = self.policy.lock().await;
        if let Some(begun) = self.begun() {
            return Ok(begun);
        }
        let moment = self.read().moment();
        let epoch = changes::position(db).await?.epoch;
        let settings = stored_settings::load(db).await?;
        let scopes = credentials::scopes(db).await?.into_iter();
        let policy = Policy {
            epoch,
            settings,
            apis: scopes::apis(db).await?,
            issuer: self.issuer.clone(),
            scopes: scopes
                .map(|row| (row.id, Arc::new(Scope { api_id: row.api_id, name: row.name })))
                .collect(),
        };
        let era = Arc::new(Era::new(policy));
        self.write().keep_era(&moment, &era);
        Ok((moment, era))
    }

    fn begun(&self) -> Option<(Moment, Arc<Era>)> {
        let known = self.read();
        let era = known.era().filter(|_| known.believed(self.clock.elapsed()))?;
        Some((known.moment(), era))
    }

    /// What is known of a key that was just read.
    async fn complete(
        &self,
        db: &impl Connection,
        era: &Era,
        (key, owner): (Key, AccountId),
    ) -> Result<Option<Arc<Facts>>> {
        let Some(owner) = self.owners(db, era, [owner].into_iter()).await?.remove(&owner) else {
            return Ok(None);
        };
        let mut effective = credentials::effective(db, &[key.id]).await?;
        let grantable = era.grantable(effective.remove(&key.id).unwrap_or_default());
        let mut hanging = credentials::hanging(db, &[key.id], self.clock.now()).await?;
        let hanging = hanging.remove(&key.id).unwrap_or_default();
        Ok(Some(Arc::new(Facts::new(Client { key, owner }, grantable, hanging))))
    }

    /// These accounts: those that other keys brought along, and the rest from the database.
    async fn owners(
        &self,
        db: &impl Connection,
        era: &Era,
        ids: impl Iterator<Item = AccountId>,
    ) -> Result<HashMap<AccountId, Arc<Owner>>> {
        let (mut known, mut unknown) = (HashMap::new(), BTreeSet::new());
        for id in ids {
            if let Some(owner) = era.owner(id) {
                known.insert(id, owner);
            } else {
                unknown.insert(id);
            }
        }
        let unknown: Vec<AccountId> = unknown.into_iter().collect();
        let read = credentials::owners(db, &unknown, era.policy.keys_use()).await?;
        known.extend(read.into_iter().map(|owner| (owner.id, era.keep_owner(owner))));
        Ok(known)
    }

    /// Forgets what a change concerns.
    pub fn forget(&self, changed: &Changed) {
        let gone = self.write().forget(changed);
        known::let_go(gone);
    }

    /// Forgets what a change concerns that was made here, under this number.
    pub fn changed_here(&self, seq: Option<i64>, changed: &Changed) {
        let gone = {
            let mut known = self.write();
            known.own.extend(seq);
            known.forget(changed)
        };
        known::let_go(gone);
    }

    /// The log has refused a token, because something has changed that these facts say: forgets what has.
    pub async fn overtaken(&self, facts: &Facts) -> Result<()> {
        let client = &facts.client;
        self.forget(&Changed::Keys(vec![client.key.id]));
        if let Some(era) = self.read().era() {
            era.forget_owner(client.owner.id);
        }
        if changes::position(self.db.reader()).await?.epoch != facts.policy().epoch {
            self.forget(&Changed::Everything);
        }
        Ok(())
    }

    /// The number of the last change that was heard of: what is looked up from now on takes it into account.
    pub fn heard(&self) -> Option<i64> {
        self.read().heard()
    }

    /// Learns of the changes that other processes made, and that there were none.
    pub async fn hear(&self) -> Result<()> {
        let heard = self.heard();
        let asked = self.clock.elapsed();
        let db = self.db.background();
        let (changed, seq) = match heard {
            Some(seq) => changes::since(db, seq).await?,
            None => {
                let seq = changes::position(db).await?.last_change;
                (vec![(0, Changed::Everything)], seq)
            }
        };
        let news = Heard { from: heard, to: seq, asked, changed };
        let gone = self.write().hear(&news);
        gone.into_iter().for_each(known::let_go);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::config::DatabaseUrl;
    use crate::timeouts::Timeouts;

    #[tokio::test]
    async fn nobody_waits_for_long_behind_others_who_wait_for_the_database() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
        let db = Arc::new(Database::connect(&url, &Timeouts::never()).await.unwrap());
        let registry = Registry::new(Arc::clone(&db), SystemClock::shared(), String::new(), Duration::ZERO);
        let id = "0123456789ABCDEF0123456789ABCDEF".parse().unwrap();
        let _before = registry.lane(id).lock().await;
        assert!(matches!(registry.client(id).await, Err(Error::Unavailable)));
        db.close().await;
    }
}
