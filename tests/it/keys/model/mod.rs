//! Walks through the life of keys that nobody thought of: made, changed, rotated, stopped, approved, deleted, while their
//! owners are stopped and gain and lose roles, time passes, and the server restarts. After every step the server must
//! say what a model of a few hundred lines says: which secret works, what an exchange grants or why it does not, what an
//! earlier token is still good for, how each key shows, and in the end what the log tells of it.
//!
//! The seed is fixed. `MODEL_SEED`, `MODEL_CASES` and `MODEL_STEPS` look elsewhere, for longer, and further. A walk that
//! fails is shortened before it is shown.

mod rules;
mod step;
mod subject;
mod tally;
mod terms;
mod words;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use rules::Model;
use step::{NewKey, Pick, Step, Which};
use subject::{Host, Subject};
use tally::Tally;

use crate::harness::setting;

const SEED: u64 = 20_261_121;
const CASES: u32 = 12;
const STEPS: usize = 25;
/// Walks on one server, before a fresh one takes its place.
const WALKS: u32 = 50;
/// How often a walk that fails is tried again while it is shortened.
const SHORTENINGS: u32 = 400;

/// Every walk begins with a key of each owner: one inherits, one has roles and scopes, one belongs to nobody.
const FIRST: [NewKey; 3] = [
    NewKey { owner: 0, roles: None, scopes: None, ..PLAIN },
    NewKey { owner: 1, roles: Some(0b011), scopes: Some(0b10_0000), ..PLAIN },
    NewKey { owner: 2, roles: None, scopes: Some(0b01_1110), ..PLAIN },
];
const PLAIN: NewKey = NewKey {
    owner: 0,
    by_clerk: false,
    roles: None,
    scopes: None,
    read_only: false,
    end: None,
    with_secret: true,
};

/// Proves: D-04, D-16, X-06, X-22, I-09, I-11, R-04, R-11, R-14
#[test]
fn keys_do_what_their_model_says_whatever_happens_to_them() {
    let seed = setting("MODEL_SEED").unwrap_or(SEED);
    let cases = setting("MODEL_CASES").map_or(CASES, |cases| u32::try_from(cases).unwrap());
    let steps = setting("MODEL_STEPS").map_or(STEPS, |steps| usize::try_from(steps).unwrap());
    let runtime = Runtime::new().unwrap();
    let (host, tally) = (RefCell::new(None), RefCell::new(Tally::default()));
    let config =
        Config { cases, max_shrink_iters: SHORTENINGS, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&step::walk(steps), |steps| {
        let started = host.take();
        let (used, result) = runtime.block_on(async {
            let host = fresh(started).await;
            let (subject, model) = Subject::new(host).await;
            let mut walk = Walk { subject, model, told: Vec::new(), tally: Tally::default() };
            let result = walk.all(&steps).await;
            tally.borrow_mut().add(&walk.tally);
            (walk.subject.into_host(), result)
        });
        host.replace(Some(used));
        result.map_err(TestCaseError::fail)
    });
    if let Some(host) = host.take() {
        runtime.block_on(host.stop());
    }
    match result {
        Ok(()) => tally.take().assert_meant_something(),
        Err(TestError::Fail(reason, _)) => panic!("seed {seed}:\n{reason}"),
        Err(TestError::Abort(reason)) => panic!("seed {seed}: {reason}"),
    }
}

/// The same server for a while, then another.
async fn fresh(host: Option<Host>) -> Host {
    match host {
        Some(host) if host.walks() < WALKS => host,
        Some(host) => {
            host.stop().await;
            Host::start().await
        }
        None => Host::start().await,
    }
}

/// The server and the model side by side.
struct Walk {
    subject: Subject,
    model: Model,
    /// The steps so far, as they are shown when one fails.
    told: Vec<String>,
    tally: Tally,
}

impl Walk {
    async fn all(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in FIRST.map(Step::Create).iter().chain(steps) {
            self.step(*step).await?;
            if !matches!(step, Step::Exchange { .. } | Step::Call { .. }) {
                self.every_key().await?;
            }
        }
        self.every_secret_and_token().await?;
        for (key, log) in self.subject.logs().await.into_iter().enumerate() {
            self.same(format_args!("the log of key {key} tells"), &self.model.keys[key].log, &log)?;
        }
        Ok(())
    }

    async fn every_key(&self) -> Result<(), String> {
        for (key, shown) in self.subject.shown().await.into_iter().enumerate() {
            self.same(format_args!("key {key} shows"), &self.model.shown(key), &shown)?;
        }
        Ok(())
    }

    /// What each secret and token is good for in the end.
    async fn every_secret_and_token(&mut self) -> Result<(), String> {
        for token in 0..self.model.tokens.len() {
            let token = Pick::try_from(token).unwrap();
            self.step(Step::Call { token, write: false }).await?;
        }
        for key in 0..self.model.keys.len() {
            for secret in 0..self.model.keys[key].secrets {
                let (key, secret) = (Pick::try_from(key).unwrap(), Pick::try_from(secret).unwrap());
                self.step(Step::Exchange { key, secret: Which::Any(secret) }).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        self.told.push(self.meant(step));
        if matches!(step, Step::Create(_)) && self.model.is_full() {
            return Ok(());
        }
        let got = self.subject.take(step, &self.model).await;
        let expected = self.model.take(step);
        self.tally.count(step, &expected);
        self.same(format_args!("the step answers"), &expected, &got)
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        what: std::fmt::Arguments<'_>,
        expected: &T,
        got: &T,
    ) -> Result<(), String> {
        if expected == got {
            return Ok(());
        }
        let steps = self.told.join("\n");
        Err(format!("{steps}\n\n{what}\n  by the model:  {expected:?}\n  by the server: {got:?}\n"))
    }

    /// A step with the numbers that its picks mean.
    fn meant(&self, step: Step) -> String {
        let model = &self.model;
        let shown = match step {
            Step::Update { key, change } => format!("update key {}: {change:?}", model.key(key)),
            Step::Verb { verb, keys } => format!("{verb:?} keys {:?}", model.selected(keys)),
            Step::Regenerate { keys, grace } => {
                format!("regenerate keys {:?} with a grace of {grace} s", model.selected(keys))
            }
            Step::Exchange { key, secret } => {
                let key = model.key(key);
                match model.secret(key, secret) {
                    Some((of, number)) => format!("exchange key {key} with secret {number} of key {of}"),
                    None => format!("exchange key {key} with nonsense"),
                }
            }
            Step::Call { token, write } => {
                format!("call with token {:?}, write: {write}", model.token(token))
            }
            other => format!("{other:?}"),
        };
        format!("{:>6}.{:03} s  {shown}", model.now / 1_000, model.now % 1_000)
    }
}
