//! A least-recently-used cache that threads share.
//!
//! The promise: the entries never weigh more than the capacity, and the least recently used ones are evicted first.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// A cache whose entries have a weight each.
pub struct WeightedLru<K: Hash + Eq, V> {
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K: Hash + Eq, V> {
    by_use: LruCache<K, (V, usize)>,
    weight: usize,
}

impl<K: Hash + Eq, V> std::fmt::Debug for WeightedLru<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeightedLru").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> WeightedLru<K, V> {
    /// A cache for entries of this total weight.
    pub fn new(capacity: usize) -> Self {
        let entries = Entries { by_use: LruCache::unbounded(), weight: 0 };
        Self { capacity, entries: Mutex::new(entries) }
    }

    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.lock().by_use.get(key).map(|(value, _)| value.clone())
    }

    /// Inserts a value in place of the one with the same key; one that is heavier than the capacity is not kept.
    pub fn put(&self, key: K, value: V, weight: usize) {
        let mut evicted = Vec::new();
        {
            let mut entries = self.lock();
            if weight > self.capacity {
                evicted.extend(entries.remove(&key));
            } else {
                entries.weight += weight;
                if let Some((replaced, before)) = entries.by_use.put(key, (value, weight)) {
                    entries.weight -= before;
                    evicted.push(replaced);
                }
                while entries.weight > self.capacity {
                    let Some((_, (oldest, before))) = entries.by_use.pop_lru() else { break };
                    entries.weight -= before;
                    evicted.push(oldest);
                }
            }
        }
        // Values are dropped after the lock is released: that may take long.
        drop(evicted);
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V> Entries<K, V> {
    fn remove(&mut self, key: &K) -> Option<V> {
        let (value, weight) = self.by_use.pop(key)?;
        self.weight -= weight;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_is_evicted() {
        let cache = WeightedLru::new(3);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            cache.put(key, value, 1);
        }
        assert_eq!(cache.get("a"), Some(1));
        cache.put("d", 4, 1);
        assert_eq!(["a", "b", "c", "d"].map(|key| cache.get(key)), [Some(1), None, Some(3), Some(4)]);
    }

    #[test]
    fn weights_count_and_what_is_too_heavy_is_not_kept() {
        let cache = WeightedLru::new(10);
        cache.put("a", 1, 4);
        cache.put("b", 2, 4);
        cache.put("too heavy", 3, 11);
        assert_eq!((cache.get("a"), cache.get("too heavy")), (Some(1), None));
        cache.put("c", 3, 4);
        assert_eq!((cache.get("b"), cache.get("a"), cache.get("c")), (None, Some(1), Some(3)));
        // The same key again frees what it held.
        for _ in 0..5 {
            cache.put("a", 4, 6);
        }
        assert_eq!((cache.get("a"), cache.get("c")), (Some(4), Some(3)));
        // A value that is too heavy does not leave an older one behind.
        cache.put("c", 5, 11);
        assert_eq!((cache.get("a"), cache.get("c")), (Some(4), None));
    }
}
