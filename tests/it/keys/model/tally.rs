//! What the walks came across, and whether that is enough to mean something.

use std::collections::BTreeMap;

use super::step::Step;
use super::terms::Answer;

/// From so many steps on, everything below must have happened.
const ENOUGH: u64 = 5_000;
const EXPECTED: [&str; 22] = [
    "Create Changed",
    "Create Mistake(\"INVALID\")",
    "Update Changed",
    "Update Mistake(\"INVALID\")",
    "Update Mistake(\"NOT_FOUND\")",
    "Verb Changed",
    "Verb Changed with mistakes",
    "Regenerate Changed",
    "Regenerate Changed with mistakes",
    "Exchange Token",
    "Exchange NoToken(BadSecret)",
    "Exchange NoToken(Deleted)",
    "Exchange NoToken(Pending)",
    "Exchange NoToken(OwnerInactive)",
    "Exchange NoToken(Disabled)",
    "Exchange NoToken(Expired)",
    "Exchange NoToken(UseNotPermitted)",
    "Exchange NoToken(InvalidScope)",
    "Call Held",
    "Call Refused(\"UNAUTHENTICATED\")",
    "Call Refused(\"READ_ONLY\")",
    "Call Refused(\"FORBIDDEN\")",
];

/// How often each kind of step had each kind of answer.
#[derive(Debug, Default)]
pub struct Tally {
    steps: u64,
    seen: BTreeMap<String, u64>,
}

impl Tally {
    pub fn count(&mut self, step: Step, answer: &Answer) {
        let step = format!("{step:?}");
        let step = step.split([' ', '(']).next().unwrap_or_default();
        let answer = match answer {
            Answer::Changed { mistakes, .. } if mistakes.is_empty() => "Changed".to_owned(),
            Answer::Changed { .. } => "Changed with mistakes".to_owned(),
            Answer::Token { .. } => "Token".to_owned(),
            Answer::Held(_) => "Held".to_owned(),
            other => format!("{other:?}"),
        };
        self.steps += 1;
        *self.seen.entry(format!("{step} {answer}")).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        for (what, times) in &other.seen {
            *self.seen.entry(what.clone()).or_default() += times;
        }
    }

    #[track_caller]
    pub fn assert_meant_something(&self) {
        let missing = EXPECTED.into_iter().filter(|what| !self.seen.contains_key(*what));
        let missing: Vec<&str> = missing.collect();
        assert!(self.steps < ENOUGH || missing.is_empty(), "never seen: {missing:?} in {self:#?}");
        assert!(missing.len() * 2 < EXPECTED.len(), "hardly anything was seen: {self:#?}");
    }
}
