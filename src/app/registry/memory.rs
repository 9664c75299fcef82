//! Where the facts of keys are kept: found by client id and by key, a bounded number of them.
//!
//! Two tables hold the places of facts, four bytes each, and neither holds a copy of an id. When there is no room, the clock
//! hand goes on over the places to one that was not used since it came by last; it looks at a few, so that nobody waits.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::{ClientId, KeyId};
use hashbrown::HashTable;

use super::facts::Facts;

/// At so many there will be many more: the tables are made as large as they may become. To let them grow step by step
/// would move a million places at once, while everybody waits.
const MANY: usize = 50_000;
/// How many places are looked at for one that was not used.
const LOOKS: usize = 32;

#[derive(Debug)]
pub(super) struct Memory {
    places: Vec<Place>,
    empty: Vec<u32>,
    by_client: HashTable<u32>,
    by_key: HashTable<u32>,
    hasher: RandomState,
    hand: usize,
    most: usize,
}

#[derive(Debug)]
struct Place {
    facts: Option<Arc<Facts>>,
    /// Since the hand came by.
    used: AtomicBool,
}

impl Memory {
    /// Room for so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            places: Vec::new(),
            empty: Vec::new(),
            by_client: HashTable::new(),
            by_key: HashTable::new(),
            hasher: RandomState::new(),
            hand: 0,
            most,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    pub(super) fn get(&self, client_id: ClientId) -> Option<&Arc<Facts>> {
        let found = self.by_client.find(self.hasher.hash_one(client_id), |at| {
            facts(&self.places, *at).is_some_and(|facts| facts.client.key.client_id == client_id)
        })?;
        let place = self.places.get(*found as usize)?;
        // Written only when it changes: many threads read it.
        if !place.used.load(Ordering::Relaxed) {
            place.used.store(true, Ordering::Relaxed);
        }
        place.facts.as_ref()
    }

    pub(super) fn has(&self, key: KeyId) -> bool {
        let is_it = |at: &u32| facts(&self.places, *at).is_some_and(|facts| facts.client.key.id == key);
        self.by_key.find(self.hasher.hash_one(key), is_it).is_some()
    }

    /// Keeps facts in the place of those of the same key.
    pub(super) fn put(&mut self, facts: &Arc<Facts>) {
        self.remove(facts.client.key.id);
        if self.is_full() {
            self.make_room();
        }
        self.reserve();
        let place = Place { facts: Some(Arc::clone(facts)), used: AtomicBool::new(false) };
        let at = if let Some(at) = self.empty.pop() {
            if let Some(empty) = self.places.get_mut(at as usize) {
                *empty = place;
            }
            at
        } else {
            let Ok(at) = u32::try_from(self.places.len()) else { return };
            self.places.push(place);
            at
        };
        let Self { places, by_client, by_key, hasher, .. } = self;
        let key = &facts.client.key;
        by_client.insert_unique(hasher.hash_one(key.client_id), at, |at| client_hash(hasher, places, *at));
        by_key.insert_unique(hasher.hash_one(key.id), at, |at| key_hash(hasher, places, *at));
    }

    /// Forgets a key; says whether it was known.
    pub(super) fn remove(&mut self, key: KeyId) -> bool {
        let hash = self.hasher.hash_one(key);
        let Self { places, by_key, .. } = self;
        let is_it = |at: &u32| facts(places, *at).is_some_and(|facts| facts.client.key.id == key);
        let Ok(found) = by_key.find_entry(hash, is_it) else { return false };
        let (at, _) = found.remove();
        let Some(gone) = self.places.get_mut(at as usize).and_then(|place| place.facts.take()) else {
            return false;
        };
        let hash = self.hasher.hash_one(gone.client.key.client_id);
        if let Ok(found) = self.by_client.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        self.empty.push(at);
        true
    }

    fn make_room(&mut self) {
        for look in 1..=LOOKS {
            let hand = self.hand;
            self.hand = if hand + 1 < self.places.len() { hand + 1 } else { 0 };
            let Some(Place { facts: Some(facts), used }) = self.places.get_mut(hand) else { continue };
            if look < LOOKS && std::mem::take(used.get_mut()) {
                continue;
            }
            let key = facts.client.key.id;
            self.remove(key);
            return;
        }
    }

    fn reserve(&mut self) {
        let len = self.len();
        if len != MANY || self.most <= MANY {
            return;
        }
        let more = self.most - len;
        self.places.reserve_exact(self.most.saturating_sub(self.places.len()));
        let Self { places, by_client, by_key, hasher, .. } = self;
        by_client.reserve(more, |at| client_hash(hasher, places, *at));
        by_key.reserve(more, |at| key_hash(hasher, places, *at));
    }
}

fn facts(places: &[Place], at: u32) -> Option<&Facts> {
    places.get(at as usize)?.facts.as_deref()
}

fn client_hash(hasher: &RandomState, places: &[Place], at: u32) -> u64 {
    facts(places, at).map_or(0, |facts| hasher.hash_one(facts.client.key.client_id))
}

fn key_hash(hasher: &RandomState, places: &[Place], at: u32) -> u64 {
    facts(places, at).map_or(0, |facts| hasher.hash_one(facts.client.key.id))
}

#[cfg(test)]
mod tests {
    use super::super::facts::Era;
    use super::super::facts::tests::{era, facts, key};
    use super::*;

    fn id(number: u128) -> ClientId {
        format!("{number:032X}").parse().unwrap()
    }

    fn filled(most: usize, era: &Era, numbers: std::ops::Range<u128>) -> Memory {
        let mut memory = Memory::new(most);
        numbers.for_each(|number| memory.put(&facts(era, number)));
        memory
    }

    #[test]
    fn what_is_put_is_found_by_both_ids_until_it_is_removed() {
        let mut memory = filled(10, &era(), 0..5);
        assert_eq!(memory.get(id(3)).unwrap().client.key.id, key(3));
        assert!(memory.has(key(3)) && memory.get(id(7)).is_none() && !memory.has(key(7)));
        assert!(memory.remove(key(3)) && !memory.remove(key(3)));
        assert!(memory.get(id(3)).is_none() && !memory.has(key(3)));
        assert_eq!(memory.len(), 4);
        // Its place is used again.
        memory.put(&facts(&era(), 9));
        assert_eq!((memory.places.len(), memory.get(id(9)).unwrap().client.key.id), (5, key(9)));
    }

    #[test]
    fn the_same_key_again_takes_the_place_of_what_was_known() {
        let era = era();
        let mut memory = filled(10, &era, 0..2);
        let newer = facts(&era, 1);
        memory.put(&newer);
        assert_eq!(memory.len(), 2);
        assert!(Arc::ptr_eq(memory.get(id(1)).unwrap(), &newer));
    }

    #[test]
    fn what_was_not_used_gives_way() {
        let era = era();
        let mut memory = filled(4, &era, 0..4);
        for used in [0, 2, 3] {
            assert!(memory.get(id(used)).is_some());
        }
        memory.put(&facts(&era, 4));
        assert_eq!([0, 1, 2, 3, 4].map(|n| memory.has(key(n))), [true, false, true, true, true]);
        // The hand has come by: of those that were used, the first that was not used since.
        memory.put(&facts(&era, 5));
        assert_eq!(memory.len(), 4);
        assert!(memory.has(key(5)));
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let (era, most) = (era(), MANY + 2_000);
        let mut memory = filled(most, &era, 0..most as u128);
        for number in 0..most as u128 {
            assert!(memory.get(id(number)).is_some(), "{number}");
        }
        // All are used, and only a few are looked at.
        for number in most as u128..most as u128 + 100 {
            memory.put(&facts(&era, number));
            assert!(memory.has(key(number)));
        }
        assert_eq!((memory.len(), memory.places.len(), memory.by_client.len()), (most, most, most));
    }
}
