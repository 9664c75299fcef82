//! What the exchange and the gate need to know of keys, in memory: read when it is first asked for, forgotten when it
//! changes.
//!
//! A change made here is forgotten as soon as it is committed; one made by another process is learned of from the
//! numbered changes ([`store::changes`]), which are read again and again. Whoever has not heard from the database for
//! too long asks it each time. A token does not depend on any of this: the statement that logs it checks the row.
//!
//! [`store::changes`]: crate::store::changes

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::{KeyId, api, key_secret, settings};
use lru::LruCache;

use crate::access::Scopes;
use crate::clock::Clock;
use crate::error::Result;
use crate::store::activity::Basis;
use crate::store::changes::{self, Changed};
use crate::store::credentials::{self, Client, Grantable};
use crate::store::{Database, revocations, scopes, settings as stored_settings};

/// How many keys are kept.
const KEPT: usize = 100_000;
/// Beyond this, what is kept is not believed any more.
const BELIEVED: Duration = Duration::from_secs(5);
/// Look-ups of different keys that may go on at once; those of one key wait for each other.
const LANES: usize = 16;

/// What holds for all keys.
#[derive(Debug)]
pub struct Policy {
    pub epoch: i64,
    pub settings: settings::Model,
    pub apis: Vec<api::Model>,
}

/// What is known of a key, all of one moment or later than its [`Basis`] says.
#[derive(Debug)]
pub struct Facts {
    pub client: Client,
    /// All that are kept, ended ones too.
    pub secrets: Vec<key_secret::Model>,
    pub grantable: Grantable,
    /// The names of what it can be granted.
    pub held: Scopes,
    /// The `jti` of each token that was revoked by itself and would not have ended yet.
    pub revoked: HashSet<String>,
    pub policy: Arc<Policy>,
}

impl Facts {
    /// What must still be so when a token is logged.
    pub fn basis(&self) -> Basis {
        Basis {
            version: self.client.key.version,
            owner_generation: self.client.owner.generation,
            epoch: self.policy.epoch,
        }
    }
}

/// The memory.
#[derive(Debug)]
pub struct Registry {
    db: Arc<Database>,
    clock: Clock,
    known: Mutex<Known>,
    lanes: [tokio::sync::Mutex<()>; LANES],
}

#[derive(Debug)]
struct Known {
    by_client_id: LruCache<String, Arc<Facts>>,
    client_ids: HashMap<KeyId, String>,
    policy: Option<Arc<Policy>>,
    /// Raised by each change: what was read before it is not kept after it.
    turn: u64,
    /// The number of the last change that was heard of, and when (on the clock that never goes back).
    heard: Option<(i64, Duration)>,
    /// The numbers of changes that were made here, which are no news when they are heard of.
    own: BTreeSet<i64>,
}

impl Registry {
    pub fn new(db: Arc<Database>, clock: Clock) -> Self {
        let known = Known {
            by_client_id: LruCache::unbounded(),
            client_ids: HashMap::new(),
            policy: None,
            turn: 0,
            heard: None,
            own: BTreeSet::new(),
        };
        let lanes = std::array::from_fn(|_| tokio::sync::Mutex::default());
        Self { db, clock, known: Mutex::new(known), lanes }
    }

    /// What is known of the client of this id; nothing if there is none.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Facts>>> {
        if let Some(facts) = self.fresh(client_id) {
            return Ok(Some(facts));
        }
        let _lane = self.lanes[lane(client_id)].lock().await;
        if let Some(facts) = self.fresh(client_id) {
            return Ok(Some(facts));
        }
        self.read(client_id).await
    }

    fn fresh(&self, client_id: &str) -> Option<Arc<Facts>> {
        let mut known = self.lock();
        if known.believed(self.clock.elapsed()) { known.fresh(client_id) } else { None }
    }

    async fn read(&self, client_id: &str) -> Result<Option<Arc<Facts>>> {
        let turn = self.lock().turn;
        let policy = self.policy(turn).await?;
        let db = self.db.reader();
        let Some(client) = credentials::client(db, client_id).await? else { return Ok(None) };
        let secrets = credentials::secrets(db, &client).await?;
        let grantable = credentials::grantable(db, &client).await?;
        let held = grantable.scopes.iter().map(|scope| scope.name.clone()).collect();
        let revoked = revocations::of_key(db, client.key.id, self.clock.now()).await?;
        let revoked = revoked.into_iter().collect();
        let facts = Arc::new(Facts { client, secrets, grantable, held, revoked, policy });
        self.lock().keep(turn, &facts);
        Ok(Some(facts))
    }

    /// The epoch is read first: what is read after it is at least as new.
    async fn policy(&self, turn: u64) -> Result<Arc<Policy>> {
        let kept = {
            let known = self.lock();
            known.policy.clone().filter(|_| known.believed(self.clock.elapsed()))
        };
        if let Some(policy) = kept {
            return Ok(policy);
        }
        let db = self.db.reader();
        let epoch = changes::position(db).await?.epoch;
        let settings = stored_settings::load(db).await?;
        let policy = Arc::new(Policy { epoch, settings, apis: scopes::apis(db).await? });
        let mut known = self.lock();
        if known.turn == turn {
            known.policy = Some(Arc::clone(&policy));
        }
        Ok(policy)
    }

    /// Forgets what a change concerns.
    pub fn forget(&self, changed: &Changed) {
        self.lock().forget(changed);
    }

    /// Forgets what a change concerns that was made here, under this number.
    pub fn changed_here(&self, seq: Option<i64>, changed: &Changed) {
        let mut known = self.lock();
        known.forget(changed);
        known.own.extend(seq);
    }

    /// Learns of the changes that other processes made, and that there were none.
    pub async fn hear(&self) -> Result<()> {
        let heard = self.lock().heard.map(|(seq, _)| seq);
        let asked = self.clock.elapsed();
        let db = self.db.background();
        let (changed, seq) = match heard {
            Some(seq) => changes::since(db, seq).await?,
            None => {
                let seq = changes::position(db).await?.last_change;
                (vec![(0, Changed::Everything)], seq)
            }
        };
        let mut known = self.lock();
        let of_others = changed.iter().filter(|(number, _)| !known.own.contains(number));
        for (_, changed) in of_others.collect::<Vec<_>>() {
            known.forget(changed);
        }
        known.own = known.own.split_off(&(seq + 1));
        known.heard = Some((seq, asked));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn believed(&self, now: Duration) -> bool {
        self.heard.is_some_and(|(_, at)| now.saturating_sub(at) < BELIEVED)
    }

    fn fresh(&mut self, client_id: &str) -> Option<Arc<Facts>> {
        let epoch = self.policy.as_ref()?.epoch;
        self.by_client_id.get(client_id).filter(|facts| facts.policy.epoch == epoch).cloned()
    }

    fn keep(&mut self, turn: u64, facts: &Arc<Facts>) {
        if self.turn != turn {
            return;
        }
        let key = &facts.client.key;
        self.client_ids.insert(key.id, key.client_id.clone());
        self.by_client_id.put(key.client_id.clone(), Arc::clone(facts));
        if self.by_client_id.len() > KEPT
            && let Some((_, oldest)) = self.by_client_id.pop_lru()
        {
            self.client_ids.remove(&oldest.client.key.id);
        }
    }

    fn forget(&mut self, changed: &Changed) {
        match changed {
            Changed::Nothing => return,
            Changed::Keys(keys) => {
                for key in keys {
                    if let Some(client_id) = self.client_ids.remove(key) {
                        self.by_client_id.pop(&client_id);
                    }
                }
            }
            Changed::Everything => {
                self.policy = None;
                self.by_client_id.clear();
                self.client_ids.clear();
            }
        }
        self.turn += 1;
    }
}

fn lane(client_id: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    client_id.hash(&mut hasher);
    usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
}
