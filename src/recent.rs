//! What was used most recently, up to a total weight: the oldest gives way to the newest.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

/// A bounded memory, shared between threads.
pub struct Recent<K: Hash + Eq, V> {
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K: Hash + Eq, V> {
    by_use: LruCache<K, (V, usize)>,
    weight: usize,
}

impl<K: Hash + Eq, V> std::fmt::Debug for Recent<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recent").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    /// A memory for entries of this total weight.
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

    /// Keeps a value, unless it is heavier than everything together may be.
    pub fn put(&self, key: K, value: V, weight: usize) {
        if weight > self.capacity {
            return;
        }
        let mut entries = self.lock();
        entries.weight += weight;
        if let Some((_, replaced)) = entries.by_use.put(key, (value, weight)) {
            entries.weight -= replaced;
        }
        while entries.weight > self.capacity {
            let Some((_, (_, oldest))) = entries.by_use.pop_lru() else { break };
            entries.weight -= oldest;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_gives_way() {
        let recent = Recent::new(3);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            recent.put(key, value, 1);
        }
        assert_eq!(recent.get("a"), Some(1));
        recent.put("d", 4, 1);
        assert_eq!(["a", "b", "c", "d"].map(|key| recent.get(key)), [Some(1), None, Some(3), Some(4)]);
    }

    #[test]
    fn weights_count_and_what_is_too_heavy_is_not_kept() {
        let recent = Recent::new(10);
        recent.put("a", 1, 4);
        recent.put("b", 2, 4);
        recent.put("too heavy", 3, 11);
        assert_eq!((recent.get("a"), recent.get("too heavy")), (Some(1), None));
        recent.put("c", 3, 4);
        assert_eq!((recent.get("b"), recent.get("a"), recent.get("c")), (None, Some(1), Some(3)));
        // The same key again frees what it held.
        for _ in 0..5 {
            recent.put("a", 4, 6);
        }
        assert_eq!((recent.get("a"), recent.get("c")), (Some(4), Some(3)));
    }
}
