//! Thousands of requests that nobody thought of: valid operations made from the schema, and spoiled ones. Every answer
//! must be one, whatever was asked; what is valid must be executed, and its data fit the question and the schema.
//!
//! The seed is fixed, and each request depends on it and on its number alone. A failure shows the number and the
//! request: `FUZZ_ONLY=<number>` sends it alone, `FUZZ_SEED` and `FUZZ_REQUESTS` look elsewhere and for longer.

mod answers;
mod chance;
mod documents;
mod garbage;
mod json;
mod requests;
mod schema;
mod tally;
mod values;
mod world;
mod writer;
mod wrong;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use answers::{Question, check};
use latchkey::graphql::Schema;
use requests::Request;
use schema::Model;
use tally::{Failure, Tally};
use world::World;

use crate::harness::{Place, setting};

const SEED: u64 = 20_261_121;
/// Requests that one server gets before a fresh one takes its place: changes use up the keys.
const ROUND: u64 = 500;
const CONNECTIONS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_fits_its_question_and_the_schema() {
    let seed = setting("FUZZ_SEED").unwrap_or(SEED);
    let model = Arc::new(Model::read(Schema::build().sdl()));
    let mut tally = Tally::default();
    if let Some(only) = setting("FUZZ_ONLY") {
        run(&model, seed, only..only + 1, &mut tally).await;
        tally.assert_no_failures(seed);
        return;
    }
    let postgres = Place::new().await.is_postgres();
    let total = setting("FUZZ_REQUESTS").unwrap_or(if postgres { 1_000 } else { 5_000 });
    for from in (0..total).step_by(usize::try_from(ROUND).unwrap()) {
        run(&model, seed, from..total.min(from + ROUND), &mut tally).await;
    }
    tally.assert_no_failures(seed);
    tally.assert_meant_something(&model, total);
}

/// Sends these requests to a server of their own, some at a time.
async fn run(model: &Arc<Model>, seed: u64, numbers: std::ops::Range<u64>, tally: &mut Tally) {
    let world = Arc::new(World::start(model).await);
    let next = Arc::new(AtomicU64::new(numbers.start));
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (model, world, next) = (Arc::clone(model), Arc::clone(&world), Arc::clone(&next));
            let end = numbers.end;
            tokio::spawn(async move {
                let mut tally = Tally::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return tally;
                    }
                    let request = Request::make(&model, &world, seed, number);
                    send(&model, &world, &request, &mut tally).await;
                }
            })
        })
        .collect();
    for worker in workers {
        tally.add(worker.await.unwrap());
    }
    Arc::into_inner(world).unwrap().server.stop().await;
}

async fn send(model: &Model, world: &World, request: &Request, tally: &mut Tally) {
    let sent = request.send(world).await;
    let got = sent.as_ref().map(|got| format!("{}\n{}", got.status, got.text)).unwrap_or_default();
    let question = Question {
        model,
        operation: request.operation.as_ref(),
        valid: request.valid,
        accepted: request.accepted(),
    };
    let checked = sent.and_then(|got| {
        let token = world.callers[request.caller].1.token.as_deref().unwrap_or_default();
        if got.text.contains(token) {
            Err("the answer has the token".to_owned())
        } else {
            check(&question, &got)
        }
    });
    match checked {
        Ok(seen) => tally.count(request, seen),
        Err(complaint) => tally.fail(Failure { complaint, request: request.shown(world), got }),
    }
}
