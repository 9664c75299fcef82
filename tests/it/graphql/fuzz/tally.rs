//! What came of all the requests: the failures, one of each sort, and whether enough was tried to mean something.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::Seen;
use super::requests::Request;
use super::schema::Model;

/// How many sorts of failures are shown, and how much of each.
const SORTS: usize = 12;
const SHOWN: usize = 3_000;

#[derive(Default)]
pub struct Tally {
    valid: u64,
    executed: u64,
    /// Executed without any error.
    clean: u64,
    refused: BTreeMap<String, u64>,
    roots: BTreeMap<String, u64>,
    /// Mutations that changed what they were asked to.
    changes: BTreeMap<String, u64>,
    fields: BTreeSet<String>,
    garbage: u64,
    /// Some of it means something all the same.
    garbage_executed: u64,
    failures: BTreeMap<String, (u64, Failure)>,
}

pub struct Failure {
    pub complaint: String,
    pub request: String,
    pub got: String,
}

impl Tally {
    pub fn count(&mut self, request: &Request, seen: Seen) {
        if !request.valid {
            self.garbage += 1;
            self.garbage_executed += u64::from(seen.refused.is_none());
            return;
        }
        self.valid += 1;
        match seen.refused {
            Some(code) => *self.refused.entry(code).or_default() += 1,
            None => {
                self.executed += 1;
                self.clean += u64::from(seen.errors.is_empty());
            }
        }
        for (into, names) in [(&mut self.roots, seen.roots), (&mut self.changes, seen.changes)] {
            for name in names {
                *into.entry(name).or_default() += 1;
            }
        }
        self.fields.extend(seen.fields);
    }

    /// Keeps the shortest request of each sort of failure.
    pub fn fail(&mut self, failure: Failure) {
        let plain = |word: &&str| !word.contains(['.', '"', '[', '`', '(']);
        let words = failure.complaint.split_whitespace().filter(plain).take(9).collect::<Vec<_>>().join(" ");
        let sort = words.replace(|letter: char| letter.is_ascii_digit(), "");
        self.keep(sort, 1, failure);
    }

    fn keep(&mut self, sort: String, times: u64, failure: Failure) {
        match self.failures.get_mut(&sort) {
            Some((known, shortest)) => {
                *known += times;
                if failure.request.len() < shortest.request.len() {
                    *shortest = failure;
                }
            }
            None => drop(self.failures.insert(sort, (times, failure))),
        }
    }

    pub fn add(&mut self, other: Self) {
        self.valid += other.valid;
        self.executed += other.executed;
        self.clean += other.clean;
        self.garbage += other.garbage;
        self.garbage_executed += other.garbage_executed;
        for (into, from) in [
            (&mut self.refused, other.refused),
            (&mut self.roots, other.roots),
            (&mut self.changes, other.changes),
        ] {
            for (name, times) in from {
                *into.entry(name).or_default() += times;
            }
        }
        self.fields.extend(other.fields);
        for (sort, (times, failure)) in other.failures {
            self.keep(sort, times, failure);
        }
    }

    pub fn assert_no_failures(&self, seed: u64) {
        let shown = self.failures.values().take(SORTS).map(|(times, failure)| {
            format!(
                "\n{times} times: {}\n--- {}\n--- answer: {}\n",
                short(&failure.complaint),
                short(&failure.request),
                short(&failure.got)
            )
        });
        let shown: String = shown.collect();
        assert!(
            self.failures.is_empty(),
            "with FUZZ_SEED={seed}, the shortest request of each sort:\n{shown}"
        );
    }

    /// That most was not refused, and that nothing of the schema was left out.
    pub fn assert_meant_something(&self, model: &Model, total: u64) {
        let seen = format!(
            "{} valid, {} executed, {} without errors, refused {:?}; {} garbage, {} executed; roots {:?}; changes {:?}",
            self.valid,
            self.executed,
            self.clean,
            self.refused,
            self.garbage,
            self.garbage_executed,
            self.roots,
            self.changes,
        );
        tracing::info!("{seen}");
        assert_eq!(self.valid + self.garbage, total, "{seen}");
        assert!(self.executed * 100 >= self.valid * 80, "too many are refused: {seen}");
        assert!(self.clean * 100 >= self.valid * 40, "too few have no errors: {seen}");
        assert!(self.garbage * 100 >= total * 20, "too little garbage: {seen}");
        assert!(self.garbage_executed * 20 >= self.garbage, "garbage is refused too early: {seen}");
        let counts =
            [("Query", &self.roots, 40), ("Mutation", &self.roots, 50), ("Mutation", &self.changes, 200)];
        for (root, counted, share) in counts {
            let fields = model.fields(root);
            let least = total / share / u64::try_from(fields.len()).unwrap();
            for field in fields {
                let times = counted.get(&field.name).copied().unwrap_or_default();
                assert!(times >= least, "{}: {times} times, not {least}: {seen}", field.name);
            }
        }
        let every = model
            .objects()
            .flat_map(|of| model.fields(of).iter().map(move |field| format!("{of}.{}", field.name)));
        // Nobody here signs in with a password: there are no sign-ins to show.
        let every = every.filter(|field| !field.starts_with("SignIn."));
        let (answered, missing): (Vec<String>, Vec<String>) =
            every.partition(|field| self.fields.contains(field));
        // Chance may pass over a rare one.
        assert!(total < 5_000 || missing.len() * 50 <= answered.len(), "never answered: {missing:?}");
    }
}

/// The beginning, without what looks like a secret.
fn short(text: &str) -> String {
    let text: String = text.chars().take(SHOWN).collect();
    let mut parts = text.split("lk_sk_");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric()));
    rest.fold(first, |text, part| text + "lk_sk_(hidden)" + part)
}
