//! Facts in slots, found by name and by id, a bounded number of them, evicted by the CLOCK algorithm.
//!
//! Two hash tables hold the numbers of slots, four bytes each, and neither holds a copy of a name: with a million facts
//! that is most of the memory beside the facts. When there is no room, the clock hand moves on to a slot that was not used
//! since it passed last; it looks at a few slots at most, so that no insert takes long.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashTable;

use crate::Fact;

/// Once there are this many facts there will be many more, and the tables are made as large as they may become. Growing
/// step by step would move a million entries at once, under the owner's lock.
const MANY: usize = 50_000;
/// How many slots are looked at for one that was not used.
const LOOKS: usize = 32;

#[derive(Debug)]
pub(crate) struct Slots<F> {
    slots: Vec<Slot<F>>,
    empty: Vec<u32>,
    by_name: HashTable<u32>,
    by_id: HashTable<u32>,
    hasher: RandomState,
    hand: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Slot<F> {
    fact: Option<Arc<F>>,
    /// Since the hand passed.
    used: AtomicBool,
}

impl<F: Fact> Slots<F> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            empty: Vec::new(),
            by_name: HashTable::new(),
            by_id: HashTable::new(),
            hasher: RandomState::new(),
            hand: 0,
            capacity,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    pub(crate) fn get(&self, name: F::Name) -> Option<&Arc<F>> {
        let is_it = |at: &u32| fact(&self.slots, *at).is_some_and(|fact| fact.name() == name);
        let at = self.by_name.find(self.hasher.hash_one(name), is_it)?;
        let slot = self.slots.get(*at as usize)?;
        // Written only when it changes: many threads read it, and a write would take the cache line from all of them.
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        slot.fact.as_ref()
    }

    pub(crate) fn contains(&self, id: F::Id) -> bool {
        let is_it = |at: &u32| fact(&self.slots, *at).is_some_and(|fact| fact.id() == id);
        self.by_id.find(self.hasher.hash_one(id), is_it).is_some()
    }

    /// Inserts a fact, in place of the one with the same id.
    pub(crate) fn insert(&mut self, fact: &Arc<F>) {
        self.remove(fact.id());
        if self.is_full() {
            self.evict_one();
        }
        self.reserve();
        let slot = Slot { fact: Some(Arc::clone(fact)), used: AtomicBool::new(false) };
        let at = if let Some(at) = self.empty.pop() {
            if let Some(empty) = self.slots.get_mut(at as usize) {
                *empty = slot;
            }
            at
        } else {
            let Ok(at) = u32::try_from(self.slots.len()) else { return };
            self.slots.push(slot);
            at
        };
        let Self { slots, by_name, by_id, hasher, .. } = self;
        by_name.insert_unique(hasher.hash_one(fact.name()), at, |at| name_hash(hasher, slots, *at));
        by_id.insert_unique(hasher.hash_one(fact.id()), at, |at| id_hash(hasher, slots, *at));
    }

    /// Removes a fact; says whether it was there.
    pub(crate) fn remove(&mut self, id: F::Id) -> bool {
        let hash = self.hasher.hash_one(id);
        let Self { slots, by_id, .. } = self;
        let is_it = |at: &u32| fact(slots, *at).is_some_and(|fact| fact.id() == id);
        let Ok(found) = by_id.find_entry(hash, is_it) else { return false };
        let (at, _) = found.remove();
        let Some(removed) = self.slots.get_mut(at as usize).and_then(|slot| slot.fact.take()) else {
            return false;
        };
        let hash = self.hasher.hash_one(removed.name());
        if let Ok(found) = self.by_name.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        self.empty.push(at);
        true
    }

    fn evict_one(&mut self) {
        for look in 1..=LOOKS {
            let hand = self.hand;
            self.hand = if hand + 1 < self.slots.len() { hand + 1 } else { 0 };
            let Some(Slot { fact: Some(fact), used }) = self.slots.get_mut(hand) else { continue };
            if look < LOOKS && std::mem::take(used.get_mut()) {
                continue;
            }
            let id = fact.id();
            self.remove(id);
            return;
        }
    }

    fn reserve(&mut self) {
        let len = self.len();
        if len != MANY || self.capacity <= MANY {
            return;
        }
        let more = self.capacity - len;
        self.slots.reserve_exact(self.capacity.saturating_sub(self.slots.len()));
        let Self { slots, by_name, by_id, hasher, .. } = self;
        by_name.reserve(more, |at| name_hash(hasher, slots, *at));
        by_id.reserve(more, |at| id_hash(hasher, slots, *at));
    }
}

fn fact<F>(slots: &[Slot<F>], at: u32) -> Option<&F> {
    slots.get(at as usize)?.fact.as_deref()
}

fn name_hash<F: Fact>(hasher: &RandomState, slots: &[Slot<F>], at: u32) -> u64 {
    fact(slots, at).map_or(0, |fact| hasher.hash_one(fact.name()))
}

fn id_hash<F: Fact>(hasher: &RandomState, slots: &[Slot<F>], at: u32) -> u64 {
    fact(slots, at).map_or(0, |fact| hasher.hash_one(fact.id()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The fact with this number: its id is the number, its name the number as text.
    #[derive(Debug)]
    pub(crate) struct Numbered(pub u64);

    impl Fact for Numbered {
        type Name = [u8; 8];
        type Id = u64;

        fn name(&self) -> [u8; 8] {
            name(self.0)
        }

        fn id(&self) -> u64 {
            self.0
        }
    }

    pub(crate) fn name(number: u64) -> [u8; 8] {
        number.to_be_bytes()
    }

    fn filled(capacity: usize, numbers: std::ops::Range<u64>) -> Slots<Numbered> {
        let mut slots = Slots::new(capacity);
        numbers.for_each(|number| slots.insert(&Arc::new(Numbered(number))));
        slots
    }

    #[test]
    fn what_is_inserted_is_found_by_name_and_id_until_it_is_removed() {
        let mut slots = filled(10, 0..5);
        assert_eq!(slots.get(name(3)).unwrap().id(), 3);
        assert!(slots.contains(3) && slots.get(name(7)).is_none() && !slots.contains(7));
        assert!(slots.remove(3) && !slots.remove(3));
        assert!(slots.get(name(3)).is_none() && !slots.contains(3));
        assert_eq!(slots.len(), 4);
        // Its slot is used again.
        slots.insert(&Arc::new(Numbered(9)));
        assert_eq!((slots.slots.len(), slots.get(name(9)).unwrap().id()), (5, 9));
    }

    #[test]
    fn the_same_id_again_replaces_the_fact() {
        let mut slots = filled(10, 0..2);
        let newer = Arc::new(Numbered(1));
        slots.insert(&newer);
        assert_eq!(slots.len(), 2);
        assert!(Arc::ptr_eq(slots.get(name(1)).unwrap(), &newer));
    }

    #[test]
    fn what_was_not_used_is_evicted() {
        let mut slots = filled(4, 0..4);
        for used in [0, 2, 3] {
            assert!(slots.get(name(used)).is_some());
        }
        slots.insert(&Arc::new(Numbered(4)));
        assert_eq!([0, 1, 2, 3, 4].map(|id| slots.contains(id)), [true, false, true, true, true]);
        // The hand has passed all of them: the first that was not used since is next.
        slots.insert(&Arc::new(Numbered(5)));
        assert_eq!(slots.len(), 4);
        assert!(slots.contains(5));
    }

    #[test]
    fn there_are_never_more_than_the_capacity() {
        let capacity = MANY as u64 + 2_000;
        let mut slots = filled(MANY + 2_000, 0..capacity);
        for number in 0..capacity {
            assert!(slots.get(name(number)).is_some(), "{number}");
        }
        // All are used, and only a few are looked at.
        for number in capacity..capacity + 100 {
            slots.insert(&Arc::new(Numbered(number)));
            assert!(slots.contains(number));
        }
        let lengths = [slots.len(), slots.slots.len(), slots.by_name.len()];
        assert_eq!(lengths, [MANY + 2_000; 3]);
    }
}
