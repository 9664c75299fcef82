//! Documents that were parsed recently, up to a total size of their texts: the least recently used one is dropped first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::document::Document;

/// A bounded cache of parsed documents by their text.
pub(crate) struct DocumentCache {
    capacity: usize,
    entries: Mutex<Entries>,
}

struct Entries {
    by_text: LruCache<Arc<str>, Arc<Document>>,
    bytes: usize,
}

impl DocumentCache {
    /// For documents whose texts have up to `capacity` bytes together.
    pub(crate) fn new(capacity: usize) -> Self {
        let entries = Entries { by_text: LruCache::unbounded(), bytes: 0 };
        Self { capacity, entries: Mutex::new(entries) }
    }

    pub(crate) fn get(&self, text: &str) -> Option<Arc<Document>> {
        self.lock().by_text.get(text).cloned()
    }

    /// Keeps a document, unless it is larger than the whole cache.
    pub(crate) fn insert(&self, text: Arc<str>, document: Arc<Document>) {
        let size = text.len();
        if size > self.capacity {
            return;
        }
        let mut entries = self.lock();
        entries.bytes += size;
        if entries.by_text.put(text, document).is_some() {
            entries.bytes -= size;
        }
        while entries.bytes > self.capacity {
            let Some((oldest, _)) = entries.by_text.pop_lru() else { break };
            entries.bytes -= oldest.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn the_least_recently_used_documents_are_dropped_and_sizes_count() {
        let cache = DocumentCache::new(10);
        let insert = |text: &str| {
            let document = Document::parse(text, &Limits::default()).unwrap();
            cache.insert(text.into(), Arc::new(document));
        };
        let kept = || ["{a}", "{b}", "{c}", "{d}"].map(|text| cache.lock().by_text.contains(text));
        ["{a}", "{b}", "{c}"].into_iter().for_each(insert);
        assert!(cache.get("{a}").is_some());
        insert("{d}");
        assert_eq!(kept(), [true, false, true, true]);
        // The same text again takes no more room.
        (0..5).for_each(|_| insert("{d}"));
        assert_eq!(kept(), [true, false, true, true]);
        insert("{ larger }");
        assert_eq!(kept(), [false; 4]);
        insert("{ larger than all }");
        assert!(cache.get("{ larger than all }").is_none());
        assert!(cache.get("{ larger }").is_some());
    }
}
