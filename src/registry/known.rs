//! What is kept, and whether what was read meanwhile may be.
//!
//! Each change has a turn. What was read of a key is kept only if the key has not changed since the reading began: so
//! nothing that is read, one at a time or in the background, takes the place of something newer.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use entity::{ClientId, KeyId};
use lru::LruCache;

use super::BELIEVED;
use super::facts::{Era, Facts};
use super::memory::Memory;
use crate::store::changes::Changed;

/// Ids of clients that do not exist.
const UNKNOWN: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Keys that are remembered to have changed. Whoever began to read before they were forgotten keeps nothing.
const CHANGED: usize = 20_000;
/// What is more than this is let go of elsewhere.
const LITTLE: usize = 1_000;

/// What a look into the memory finds.
#[derive(Debug)]
pub(super) enum Look {
    /// The client, or that there is none of this id.
    Known(Option<Arc<Facts>>),
    Unheard,
}

/// When a reading began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

#[derive(Debug)]
pub(super) struct Known {
    memory: Memory,
    most: usize,
    /// Kept with the facts that were read in it; with every change of the directory both go.
    era: Option<Arc<Era>>,
    unknown: LruCache<ClientId, ()>,
    /// Raised by each change.
    turn: u64,
    /// What was read before is not kept.
    not_before: u64,
    /// The turn of the last change of each key, since `not_before`.
    changed: HashMap<KeyId, u64>,
    /// When a key may have been made last.
    made: u64,
    /// How often everything was forgotten.
    rounds: u64,
    /// The number of the last change that was heard of, and when (on the clock that never goes back).
    heard: Option<(i64, Duration)>,
    /// The numbers of changes that were made here, which are no news when they are heard of.
    pub(super) own: BTreeSet<i64>,
}

/// What a poll for changes was answered.
#[derive(Debug)]
pub(super) struct Heard {
    /// The number of the last change that was known when it was sent.
    pub(super) from: Option<i64>,
    pub(super) to: i64,
    /// When it was sent.
    pub(super) asked: Duration,
    pub(super) changed: Vec<(i64, Changed)>,
}

/// What was forgotten and is perhaps large.
pub(super) type Gone = Option<(Memory, Option<Arc<Era>>)>;

impl Known {
    /// Keeps so many keys at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            memory: Memory::new(most),
            most,
            era: None,
            unknown: LruCache::new(UNKNOWN),
            turn: 0,
            not_before: 0,
            changed: HashMap::new(),
            made: 0,
            rounds: 0,
            heard: None,
            own: BTreeSet::new(),
        }
    }

    pub(super) fn believed(&self, now: Duration) -> bool {
        self.heard.is_some_and(|(_, at)| now.saturating_sub(at) < BELIEVED)
    }

    pub(super) fn look(&self, client_id: ClientId) -> Look {
        match self.memory.get(client_id) {
            Some(facts) => Look::Known(Some(Arc::clone(facts))),
            None if self.unknown.contains(&client_id) => Look::Known(None),
            None => Look::Unheard,
        }
    }

    pub(super) fn era(&self) -> Option<Arc<Era>> {
        self.era.clone()
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.turn)
    }

    pub(super) fn rounds(&self) -> u64 {
        self.rounds
    }

    pub(super) fn len(&self) -> usize {
        self.memory.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.memory.is_full()
    }

    pub(super) fn has(&self, key: KeyId) -> bool {
        self.memory.has(key)
    }

    pub(super) fn keep_era(&mut self, began: &Moment, era: &Arc<Era>) {
        if began.0 >= self.not_before && self.era.is_none() {
            self.era = Some(Arc::clone(era));
        }
    }

    /// Keeps facts that were read since this moment, unless the key has changed meanwhile.
    pub(super) fn keep(&mut self, began: &Moment, era: &Arc<Era>, facts: &Arc<Facts>) {
        let changed = self.changed.get(&facts.client.key.id);
        if self.is_current(began, era) && changed.is_none_or(|turn| *turn <= began.0) {
            self.memory.put(facts);
        }
    }

    /// Keeps that there is no such client, unless a key was made meanwhile.
    pub(super) fn keep_unknown(&mut self, began: &Moment, era: &Arc<Era>, client_id: ClientId) {
        if self.is_current(began, era) && began.0 >= self.made {
            self.unknown.put(client_id, ());
        }
    }

    fn is_current(&self, began: &Moment, era: &Arc<Era>) -> bool {
        began.0 >= self.not_before && self.era.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, era))
    }

    pub(super) fn forget(&mut self, changed: &Changed) -> Gone {
        match changed {
            Changed::Nothing => None,
            Changed::Keys(keys) => {
                self.turn += 1;
                self.forget_keys(keys);
                None
            }
            Changed::Everything => {
                self.turn += 1;
                self.rounds += 1;
                self.not_before = self.turn;
                self.made = self.turn;
                self.changed.clear();
                self.unknown.clear();
                let memory = std::mem::replace(&mut self.memory, Memory::new(self.most));
                Some((memory, self.era.take()))
            }
        }
    }

    fn forget_keys(&mut self, keys: &[KeyId]) {
        let mut all_known = true;
        for key in keys {
            all_known &= self.memory.remove(*key);
            self.changed.insert(*key, self.turn);
        }
        // A key that is not known may be new.
        if !all_known {
            self.made = self.turn;
            self.unknown.clear();
        }
        if self.changed.len() > CHANGED {
            self.changed.clear();
            self.not_before = self.turn;
        }
    }

    pub(super) fn heard(&self) -> Option<i64> {
        self.heard.map(|(seq, _)| seq)
    }

    /// Forgets what has changed, except for what was made here. All changes up to the last of these are known then.
    pub(super) fn hear(&mut self, news: &Heard) -> Vec<Gone> {
        let known = self.heard();
        // Somebody else may have asked meanwhile and heard of it before: then it is no longer listed as made here.
        let is_old = |number| news.from.is_some_and(|from| from < number) && Some(number) <= known;
        let mut gone = Vec::new();
        for (number, changed) in &news.changed {
            if !is_old(*number) && !self.own.contains(number) {
                gone.push(self.forget(changed));
            }
        }
        let (heard, at) = self.heard.unwrap_or((news.to, news.asked));
        let heard = heard.max(news.to);
        self.own = self.own.split_off(&(heard + 1));
        // Whoever asked later and was answered earlier is not held back.
        self.heard = Some((heard, at.max(news.asked)));
        gone
    }
}

/// A million facts take a while to let go of: that is no work for a thread that answers requests.
pub(super) fn let_go(gone: Gone) {
    let Some(gone) = gone.filter(|(memory, _)| memory.len() > LITTLE) else { return };
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn_blocking(move || drop(gone));
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::{era, facts, key};
    use super::*;

    fn known() -> (Known, Arc<Era>) {
        let (mut known, era) = (Known::new(10), era());
        let now = known.moment();
        known.keep_era(&now, &era);
        (known, era)
    }

    fn id(number: u128) -> ClientId {
        format!("{number:032X}").parse().unwrap()
    }

    #[test]
    fn what_was_read_before_a_change_of_its_key_is_not_kept() {
        let (mut known, era) = known();
        let before = known.moment();
        known.forget(&Changed::Keys(vec![key(1)]));
        for number in [1, 2] {
            known.keep(&before, &era, &facts(&era, number));
        }
        assert_eq!([1, 2].map(|number| known.has(key(number))), [false, true]);
        let after = known.moment();
        known.keep(&after, &era, &facts(&era, 1));
        assert!(known.has(key(1)));
    }

    #[test]
    fn what_was_read_before_everything_changed_is_not_kept() {
        let (mut known, old) = known();
        let before = known.moment();
        known.forget(&Changed::Everything);
        known.keep_era(&before, &old);
        assert!(known.era().is_none());
        let new = era();
        let after = known.moment();
        known.keep_era(&after, &new);
        known.keep(&before, &old, &facts(&old, 1));
        known.keep(&before, &new, &facts(&new, 1));
        known.keep(&after, &old, &facts(&old, 1));
        assert_eq!(known.len(), 0);
        known.keep(&after, &new, &facts(&new, 1));
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn after_more_changes_than_are_remembered_nothing_from_before_is_kept() {
        let (mut known, era) = known();
        let before = known.moment();
        known.forget(&Changed::Keys((10..=10 + CHANGED as u128).map(key).collect()));
        assert!(known.changed.is_empty());
        known.keep(&before, &era, &facts(&era, 1));
        assert!(!known.has(key(1)));
        let after = known.moment();
        known.keep(&after, &era, &facts(&era, 1));
        assert!(known.has(key(1)));
    }

    #[test]
    fn that_a_client_does_not_exist_is_known_until_a_key_is_made() {
        let (mut known, era) = known();
        let before = known.moment();
        known.keep(&before, &era, &facts(&era, 1));
        known.keep_unknown(&before, &era, id(7));
        let is_known = |known: &Known| matches!(known.look(id(7)), Look::Known(None));
        known.forget(&Changed::Keys(vec![key(1)]));
        assert!(is_known(&known), "that key was there");
        known.forget(&Changed::Keys(vec![key(8)]));
        assert!(!is_known(&known));
        known.keep_unknown(&before, &era, id(7));
        assert!(!is_known(&known), "it may have been made since");
        let after = known.moment();
        for number in 0..=UNKNOWN.get() as u128 {
            known.keep_unknown(&after, &era, id(number + 100));
        }
        assert_eq!(known.unknown.len(), UNKNOWN.get());
    }
    #[test]
    fn polls_that_overtake_each_other_forget_nothing_twice_and_make_nothing_stale() {
        let (mut known, era) = known();
        let poll = |from, to, asked, changed: &[i64]| Heard {
            from: Some(from),
            to,
            asked: Duration::from_secs(asked),
            changed: changed.iter().map(|number| (*number, Changed::Everything)).collect(),
        };
        known.hear(&poll(4, 4, 0, &[]));
        known.own.insert(5);
        let now = known.moment();
        known.keep(&now, &era, &facts(&era, 1));
        known.hear(&poll(4, 5, 60, &[5]));
        assert_eq!(known.len(), 1, "it was made here");
        known.hear(&poll(4, 5, 0, &[5]));
        assert_eq!(known.len(), 1, "it was heard of before");
        assert!(known.believed(Duration::from_secs(60)), "asked for at the sixtieth second");
        known.hear(&poll(5, 6, 61, &[5]));
        assert_eq!(known.len(), 0, "what a poll could not number may have been anything");
    }
}
