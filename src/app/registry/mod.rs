//! The cache of what the exchange and the gate need to know about keys: read through, warmed up in the background,
//! invalidated when it changes.
//!
//! A change made by this process is invalidated as soon as it is committed; one made by another process when a poll of
//! the numbered changes ([`store::changes`]) sees it. When polls fail for too long the cache is stale, and every look-up
//! asks the database. No token rests on the cache alone: the statement that logs a token checks the rows.
//!
//! [`store::changes`]: crate::store::changes

mod facts;
mod shared;
mod warmup;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use entity::{AccountId, ClientId};

use fact_cache::{Discarded, FactCache, Lookup, Options, Poll, ReadStamp};

use self::shared::{Directory, Scope, Shared};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::changes::{self, Invalidation};
use crate::store::credentials::{self, Client, Key, Owner};
use crate::store::{Connection, Database, scopes, settings as stored_settings};

pub use self::facts::{Facts, Secret};
pub use self::shared::{Grant, Grantable};
pub use self::warmup::{PORTION, Warmup};

/// About 250 bytes for each key, by the sizes of the parts.
const OPTIONS: Options = Options { capacity: 1_050_000, fresh_for: Duration::from_secs(5) };
/// Reads of different keys that may go on at once; reads of one key wait for each other, so that it is read once.
const LANES: usize = 16;
/// Discarding more facts than this is moved to another thread.
const FEW: usize = 1_000;

type Cache = FactCache<Facts, Shared>;

/// The cache, and how it is filled.
#[derive(Debug)]
pub struct Registry {
    db: Arc<Database>,
    clock: Clock,
    issuer: String,
    cache: RwLock<Cache>,
    lanes: [tokio::sync::Mutex<()>; LANES],
    hasher: RandomState,
    read_timeout: Duration,
    /// Held while what all keys share is read, so that it is read once.
    reading_shared: tokio::sync::Mutex<()>,
}

impl Registry {
    /// `issuer` is what Latchkey itself is called in tokens. Nobody waits longer than `read_timeout` for a key to be read,
    /// the reads before it included.
    pub fn new(db: Arc<Database>, clock: Clock, issuer: String, read_timeout: Duration) -> Self {
        let lanes = std::array::from_fn(|_| tokio::sync::Mutex::default());
        Self {
            db,
            clock,
            issuer,
            cache: RwLock::new(Cache::new(OPTIONS)),
            lanes,
            hasher: RandomState::new(),
            read_timeout,
            reading_shared: tokio::sync::Mutex::default(),
        }
    }

    /// The client with this id; nothing if there is none.
    pub async fn client(&self, client_id: ClientId) -> Result<Option<Arc<Facts>>> {
        match self.lookup(client_id) {
            Lookup::Found(facts) => return Ok(Some(facts)),
            Lookup::Absent => return Ok(None),
            Lookup::Miss => {}
        }
        // Boxed, so that a look-up that is answered from the cache moves little.
        let read = tokio::time::timeout(self.read_timeout, Box::pin(self.read_client(client_id)));
        read.await.map_err(|_| Error::Unavailable)?
    }

    /// Reads a client, one read at a time for each.
    async fn read_client(&self, client_id: ClientId) -> Result<Option<Arc<Facts>>> {
        let _lane = self.lane(client_id).lock().await;
        match self.lookup(client_id) {
            Lookup::Found(facts) => return Ok(Some(facts)),
            Lookup::Absent => return Ok(None),
            Lookup::Miss => {}
        }
        let db = self.db.reader();
        let (began, shared) = self.begin_read(db).await?;
        let Some(found) = credentials::key(db, client_id).await? else {
            self.write().insert_absent(began, &shared, client_id);
            return Ok(None);
        };
        let facts = self.complete(db, &shared, found).await?;
        if let Some(facts) = &facts {
            self.write().insert(began, &shared, facts);
        }
        Ok(facts)
    }

    fn lookup(&self, client_id: ClientId) -> Lookup<Facts> {
        let cache = self.read();
        if cache.is_fresh(self.clock.elapsed()) { cache.lookup(client_id) } else { Lookup::Miss }
    }

    fn lane(&self, client_id: ClientId) -> &tokio::sync::Mutex<()> {
        let lane = self.hasher.hash_one(client_id) % LANES as u64;
        &self.lanes[usize::try_from(lane).unwrap_or(0)]
    }

    /// Begins a read of keys: its stamp, and what all keys share. The epoch is read before the rest, so that what is read
    /// after it is at least as new as the epoch says.
    async fn begin_read(&self, db: &impl Connection) -> Result<(ReadStamp, Arc<Shared>)> {
        if let Some(begun) = self.begin_read_from_cache() {
            return Ok(begun);
        }
        let _alone = self.reading_shared.lock().await;
        if let Some(begun) = self.begin_read_from_cache() {
            return Ok(begun);
        }
        let began = self.read().begin_read();
        let epoch = changes::position(db).await?.epoch;
        let settings = stored_settings::load(db).await?;
        let scopes = credentials::scopes(db).await?.into_iter();
        let directory = Directory {
            epoch,
            settings,
            apis: scopes::apis(db).await?,
            issuer: self.issuer.clone(),
            scopes: scopes
                .map(|row| (row.id, Arc::new(Scope { api_id: row.api_id, name: row.name })))
                .collect(),
        };
        let shared = Arc::new(Shared::new(directory));
        self.write().insert_shared(began, &shared);
        Ok((began, shared))
    }

    fn begin_read_from_cache(&self) -> Option<(ReadStamp, Arc<Shared>)> {
        let cache = self.read();
        let shared = cache.shared().filter(|_| cache.is_fresh(self.clock.elapsed()))?;
        Some((cache.begin_read(), shared))
    }

    /// The facts of a key that was just read.
    async fn complete(
        &self,
        db: &impl Connection,
        shared: &Shared,
        (key, owner): (Key, AccountId),
    ) -> Result<Option<Arc<Facts>>> {
        let Some(owner) = self.owners(db, shared, [owner].into_iter()).await?.remove(&owner) else {
            return Ok(None);
        };
        let mut effective = credentials::effective(db, &[key.id]).await?;
        let grantable = shared.grantable(effective.remove(&key.id).unwrap_or_default());
        let mut hanging = credentials::hanging(db, &[key.id], self.clock.now()).await?;
        let hanging = hanging.remove(&key.id).unwrap_or_default();
        Ok(Some(Arc::new(Facts::new(Client { key, owner }, grantable, hanging))))
    }

    /// These accounts: those that were read with other keys, and the rest from the database.
    async fn owners(
        &self,
        db: &impl Connection,
        shared: &Shared,
        ids: impl Iterator<Item = AccountId>,
    ) -> Result<HashMap<AccountId, Arc<Owner>>> {
        let (mut owners, mut missing) = (HashMap::new(), BTreeSet::new());
        for id in ids {
            if let Some(owner) = shared.owner(id) {
                owners.insert(id, owner);
            } else {
                missing.insert(id);
            }
        }
        let missing: Vec<AccountId> = missing.into_iter().collect();
        let read = credentials::owners(db, &missing, shared.directory.keys_use()).await?;
        owners.extend(read.into_iter().map(|owner| (owner.id, shared.insert_owner(owner))));
        Ok(owners)
    }

    /// Invalidates what a change concerns.
    pub fn invalidate(&self, what: &Invalidation) {
        let discarded = self.write().invalidate(what);
        drop_in_background(discarded);
    }

    /// Invalidates what a change concerns that this process has committed under this number: no news to the next poll.
    pub fn invalidate_own(&self, change: Option<i64>, what: &Invalidation) {
        let discarded = {
            let mut cache = self.write();
            if let Some(change) = change {
                cache.note_own_change(change);
            }
            cache.invalidate(what)
        };
        drop_in_background(discarded);
    }

    /// Invalidates what is out of date of these facts: the statement that logs tokens has found that something is.
    pub async fn invalidate_stale(&self, facts: &Facts) -> Result<()> {
        let client = &facts.client;
        self.invalidate(&Invalidation::Ids(vec![client.key.id]));
        if let Some(shared) = self.read().shared() {
            shared.remove_owner(client.owner.id);
        }
        if changes::position(self.db.reader()).await?.epoch != facts.directory().epoch {
            self.invalidate(&Invalidation::Everything);
        }
        Ok(())
    }

    /// The last change that a poll has seen: look-ups from now on take it into account.
    pub fn last_change(&self) -> Option<i64> {
        self.read().last_change()
    }

    /// Invalidates what other processes have changed since the last poll. The cache is fresh for a while after it.
    pub async fn poll_changes(&self) -> Result<()> {
        let began = self.clock.elapsed();
        let from = self.last_change();
        let db = self.db.background();
        let (changes, to) = match from {
            Some(seen) => changes::since(db, seen).await?,
            None => {
                let last = changes::position(db).await?.last_change;
                (vec![(0, Invalidation::Everything)], last)
            }
        };
        let discarded = self.write().apply_poll(&Poll { from, to, began, changes });
        discarded.into_iter().for_each(drop_in_background);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Cache> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Cache> {
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Freeing a million facts takes a while, which is no work for a thread that answers requests.
fn drop_in_background(discarded: Discarded<Facts, Shared>) {
    if discarded.len() > FEW
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        runtime.spawn_blocking(move || drop(discarded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::config::DatabaseUrl;
    use crate::timeouts::Timeouts;

    #[tokio::test]
    async fn nobody_waits_for_long_behind_other_reads() {
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
