//! What is cached, and whether the result of a read may be.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;

use crate::Fact;
use crate::slots::Slots;

/// Names that nothing has.
const ABSENT: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Ids whose last invalidation is remembered one by one. With more than this, reads that are going on insert nothing.
const INVALIDATED: usize = 20_000;

/// How much is cached, and for how long without news.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Facts at most.
    pub capacity: usize,
    /// How long the cache is fresh after a poll for changes began.
    pub fresh_for: Duration,
}

/// What a look-up finds.
#[derive(Debug)]
pub enum Lookup<F> {
    Found(Arc<F>),
    /// Nothing has this name.
    Absent,
    /// The database has to be asked.
    Miss,
}

/// When a read began, in invalidations.
#[derive(Clone, Copy, Debug)]
pub struct ReadStamp(u64);

/// What a change concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalidation<Id> {
    Nothing,
    Ids(Vec<Id>),
    Everything,
}

/// What a poll for changes has seen.
#[derive(Clone, Debug)]
pub struct Poll<Id> {
    /// The last change that was known when the poll began.
    pub from: Option<i64>,
    /// The last change that the poll has seen.
    pub to: i64,
    /// When the poll began.
    pub began: Duration,
    pub changes: Vec<(i64, Invalidation<Id>)>,
}

#[derive(Debug)]
pub struct FactCache<F: Fact, S> {
    options: Options,
    slots: Slots<F>,
    /// What all facts of this epoch share. An invalidation of everything removes both.
    shared: Option<Arc<S>>,
    absent: LruCache<F::Name, ()>,
    /// Counts invalidations.
    clock: u64,
    /// Results of reads that began before this are dropped.
    not_before: u64,
    /// The last invalidation of each id since `not_before`.
    invalidated: HashMap<F::Id, u64>,
    /// The last invalidation by which a fact may have come into being.
    may_be_new_since: u64,
    /// How often everything was invalidated.
    resets: u64,
    /// The last change that a poll has seen, and when the poll began.
    polled: Option<(i64, Duration)>,
    /// Changes that were made by this process, whose invalidation is done when a poll sees them.
    own_changes: BTreeSet<i64>,
}

/// What an invalidation of everything removed. To free a million facts takes long enough that the owner may want to do it
/// after it has released the lock, or on another thread.
#[derive(Debug)]
#[must_use = "drop it after the lock is released"]
pub struct Discarded<F, S>(Option<(Slots<F>, Option<Arc<S>>)>);

impl<F: Fact, S> Discarded<F, S> {
    const NOTHING: Self = Self(None);

    /// How many facts it holds.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |(slots, _)| slots.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<F: Fact, S> FactCache<F, S> {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            slots: Slots::new(options.capacity),
            shared: None,
            absent: LruCache::new(ABSENT),
            clock: 0,
            not_before: 0,
            invalidated: HashMap::new(),
            may_be_new_since: 0,
            resets: 0,
            polled: None,
            own_changes: BTreeSet::new(),
        }
    }

    /// Whether a poll for changes began recently enough. A cache that is not fresh must not be asked.
    pub fn is_fresh(&self, now: Duration) -> bool {
        self.polled.is_some_and(|(_, began)| now.saturating_sub(began) < self.options.fresh_for)
    }

    pub fn lookup(&self, name: F::Name) -> Lookup<F> {
        match self.slots.get(name) {
            Some(fact) => Lookup::Found(Arc::clone(fact)),
            None if self.absent.contains(&name) => Lookup::Absent,
            None => Lookup::Miss,
        }
    }

    /// Begins a read: to be taken before the database is asked.
    pub fn begin_read(&self) -> ReadStamp {
        ReadStamp(self.clock)
    }

    /// What all facts of the current epoch share.
    pub fn shared(&self) -> Option<Arc<S>> {
        self.shared.clone()
    }

    pub fn insert_shared(&mut self, began: ReadStamp, shared: &Arc<S>) {
        if began.0 >= self.not_before && self.shared.is_none() {
            self.shared = Some(Arc::clone(shared));
        }
    }

    /// Inserts a fact, unless it was invalidated since the read began.
    pub fn insert(&mut self, began: ReadStamp, shared: &Arc<S>, fact: &Arc<F>) {
        let invalidated = self.invalidated.get(&fact.id());
        if self.is_current(began, shared) && invalidated.is_none_or(|at| *at <= began.0) {
            self.slots.insert(fact);
        }
    }

    /// Remembers that nothing has this name, unless something may have come into being since the read began.
    pub fn insert_absent(&mut self, began: ReadStamp, shared: &Arc<S>, name: F::Name) {
        if self.is_current(began, shared) && began.0 >= self.may_be_new_since {
            self.absent.put(name, ());
        }
    }

    fn is_current(&self, began: ReadStamp, shared: &Arc<S>) -> bool {
        began.0 >= self.not_before && self.shared.as_ref().is_some_and(|cached| Arc::ptr_eq(cached, shared))
    }

    pub fn invalidate(&mut self, what: &Invalidation<F::Id>) -> Discarded<F, S> {
        match what {
            Invalidation::Nothing => Discarded::NOTHING,
            Invalidation::Ids(ids) => {
                self.clock += 1;
                self.invalidate_ids(ids);
                Discarded::NOTHING
            }
            Invalidation::Everything => {
                self.clock += 1;
                self.resets += 1;
                self.not_before = self.clock;
                self.may_be_new_since = self.clock;
                self.invalidated.clear();
                self.absent.clear();
                let slots = std::mem::replace(&mut self.slots, Slots::new(self.options.capacity));
                Discarded(Some((slots, self.shared.take())))
            }
        }
    }

    fn invalidate_ids(&mut self, ids: &[F::Id]) {
        let mut all_cached = true;
        for id in ids {
            all_cached &= self.slots.remove(*id);
            self.invalidated.insert(*id, self.clock);
        }
        // An id that is not cached may be a new one, so what was absent may exist now.
        if !all_cached {
            self.may_be_new_since = self.clock;
            self.absent.clear();
        }
        if self.invalidated.len() > INVALIDATED {
            self.invalidated.clear();
            self.not_before = self.clock;
        }
    }

    /// The last change that a poll has seen.
    pub fn last_change(&self) -> Option<i64> {
        self.polled.map(|(change, _)| change)
    }

    /// Notes a change that this process made and whose invalidation it has done.
    pub fn note_own_change(&mut self, change: i64) {
        self.own_changes.insert(change);
    }

    /// Applies what a poll has seen: invalidates what was changed, except by this process. Polls may overtake each other:
    /// one that began earlier and ends later invalidates nothing twice, and makes nothing stale.
    pub fn apply_poll(&mut self, poll: &Poll<F::Id>) -> Vec<Discarded<F, S>> {
        let seen = self.last_change();
        // Seen by another poll meanwhile, which also removed it from this process's own changes.
        let is_old = |number| poll.from.is_some_and(|from| from < number) && Some(number) <= seen;
        let mut discarded = Vec::new();
        for (number, invalidates) in &poll.changes {
            if !is_old(*number) && !self.own_changes.contains(number) {
                discarded.push(self.invalidate(invalidates));
            }
        }
        let (seen, began) = self.polled.unwrap_or((poll.to, poll.began));
        let seen = seen.max(poll.to);
        self.own_changes = self.own_changes.split_off(&(seen + 1));
        self.polled = Some((seen, began.max(poll.began)));
        discarded
    }

    /// How often everything was invalidated.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self) -> bool {
        self.slots.is_full()
    }

    pub fn contains(&self, id: F::Id) -> bool {
        self.slots.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::tests::{Numbered, name};

    type Cache = FactCache<Numbered, u8>;

    fn cache() -> (Cache, Arc<u8>) {
        let mut cache = Cache::new(Options { capacity: 100_000, fresh_for: Duration::from_secs(5) });
        let shared = Arc::new(1);
        cache.insert_shared(cache.begin_read(), &shared);
        (cache, shared)
    }

    /// A poll whose changes invalidate everything.
    fn poll(from: Option<i64>, to: i64, began: u64, changes: &[i64]) -> Poll<u64> {
        let changes = changes.iter().map(|number| (*number, Invalidation::Everything)).collect();
        Poll { from, to, began: Duration::from_secs(began), changes }
    }

    fn fact(number: u64) -> Arc<Numbered> {
        Arc::new(Numbered(number))
    }

    fn ids(ids: impl IntoIterator<Item = u64>) -> Invalidation<u64> {
        Invalidation::Ids(ids.into_iter().collect())
    }

    fn invalidate(cache: &mut Cache, what: &Invalidation<u64>) -> usize {
        cache.invalidate(what).len()
    }

    #[test]
    fn it_is_fresh_for_a_while_after_a_poll_began() {
        let (mut cache, _) = cache();
        let at = Duration::from_secs;
        assert!(!cache.is_fresh(at(0)), "nothing was polled yet");
        let _ = cache.apply_poll(&poll(None, 7, 10, &[]));
        assert!(cache.is_fresh(at(14)) && !cache.is_fresh(at(15)));
        assert_eq!(cache.last_change(), Some(7));
    }

    #[test]
    fn polls_that_overtake_each_other_invalidate_nothing_twice_and_make_nothing_stale() {
        let (mut cache, shared) = cache();
        let _ = cache.apply_poll(&poll(Some(4), 4, 0, &[]));
        cache.note_own_change(5);
        cache.insert(cache.begin_read(), &shared, &fact(1));
        let _ = cache.apply_poll(&poll(Some(4), 5, 60, &[5]));
        assert_eq!(cache.len(), 1, "this process made the change");
        let _ = cache.apply_poll(&poll(Some(4), 5, 0, &[5]));
        assert_eq!(cache.len(), 1, "another poll has seen it before");
        assert!(cache.is_fresh(Duration::from_secs(60)), "a poll began at the sixtieth second");
        let _ = cache.apply_poll(&poll(Some(5), 6, 61, &[5]));
        assert_eq!(cache.len(), 0, "what a poll could not number may have been anything");
    }

    #[test]
    fn what_was_read_before_its_invalidation_is_not_inserted() {
        let (mut cache, shared) = cache();
        let before = cache.begin_read();
        invalidate(&mut cache, &ids([1]));
        [1, 2].into_iter().for_each(|number| cache.insert(before, &shared, &fact(number)));
        assert_eq!([1, 2].map(|id| cache.contains(id)), [false, true]);
        cache.insert(cache.begin_read(), &shared, &fact(1));
        assert!(cache.contains(1));
    }

    #[test]
    fn what_was_read_before_everything_was_invalidated_is_not_inserted() {
        let (mut cache, old) = cache();
        cache.insert(cache.begin_read(), &old, &fact(9));
        let before = cache.begin_read();
        assert_eq!(invalidate(&mut cache, &Invalidation::Everything), 1);
        cache.insert_shared(before, &old);
        assert!(cache.shared().is_none());
        let (new, after) = (Arc::new(2), cache.begin_read());
        cache.insert_shared(after, &new);
        cache.insert(before, &old, &fact(1));
        cache.insert(before, &new, &fact(1));
        cache.insert(after, &old, &fact(1));
        assert_eq!((cache.len(), cache.resets()), (0, 1));
        cache.insert(after, &new, &fact(1));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn after_more_invalidations_than_are_remembered_no_older_read_is_inserted() {
        let (mut cache, shared) = cache();
        let before = cache.begin_read();
        invalidate(&mut cache, &ids(10..=10 + INVALIDATED as u64));
        assert!(cache.invalidated.is_empty());
        cache.insert(before, &shared, &fact(1));
        assert!(!cache.contains(1));
        cache.insert(cache.begin_read(), &shared, &fact(1));
        assert!(cache.contains(1));
    }

    #[test]
    fn an_absent_name_is_remembered_until_something_may_have_come_into_being() {
        let (mut cache, shared) = cache();
        let before = cache.begin_read();
        cache.insert(before, &shared, &fact(1));
        cache.insert_absent(before, &shared, name(7));
        let is_absent = |cache: &Cache| matches!(cache.lookup(name(7)), Lookup::Absent);
        invalidate(&mut cache, &ids([1]));
        assert!(is_absent(&cache), "that id was cached, so nothing is new");
        invalidate(&mut cache, &ids([8]));
        assert!(!is_absent(&cache));
        cache.insert_absent(before, &shared, name(7));
        assert!(!is_absent(&cache), "it may have come into being since the read began");
        let after = cache.begin_read();
        (0..=ABSENT.get() as u64).for_each(|number| cache.insert_absent(after, &shared, name(number + 100)));
        assert_eq!(cache.absent.len(), ABSENT.get());
    }
}
