//! A small schema, and hooks that write down what they are called for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{
    Context, EmptySubscription, InputObject, Interface, Object, Result, Schema, ServerError, SimpleObject,
    Union,
};
use graphql_engine::{BatchQueue, Engine, Hooks, Limits, request_error};

#[derive(Clone, SimpleObject)]
struct Cat {
    name: String,
    lives: i32,
}

#[derive(Clone, SimpleObject)]
struct Dog {
    name: String,
    tricks: Vec<String>,
}

#[derive(Clone, Interface)]
#[graphql(field(name = "name", ty = "&String"))]
enum Animal {
    Cat(Cat),
    Dog(Dog),
}

#[derive(Clone, Union)]
enum Purring {
    Cat(Cat),
}

#[derive(InputObject)]
struct NewCat {
    name: String,
    lives: Option<i32>,
}

pub struct Query;

#[Object]
impl Query {
    async fn animals(&self) -> Vec<Animal> {
        vec![
            Animal::Cat(Cat { name: "Tom".to_owned(), lives: 9 }),
            Animal::Dog(Dog { name: "Rex".to_owned(), tricks: vec!["sit".to_owned()] }),
        ]
    }

    async fn purring(&self) -> Option<Purring> {
        None
    }

    async fn slow(&self) -> i32 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        1
    }

    async fn fast(&self) -> i32 {
        2
    }

    async fn broken(&self) -> Option<Broken> {
        Some(Broken)
    }

    #[graphql(complexity = "usize::try_from(n).unwrap_or(0) * child_complexity")]
    async fn many(&self, n: i32) -> Vec<Animal> {
        let _ = n;
        Vec::new()
    }

    async fn deep(&self) -> Deep {
        Deep
    }
}

struct Deep;

#[Object]
impl Deep {
    async fn deep(&self) -> Deep {
        Deep
    }

    async fn end(&self) -> bool {
        true
    }
}

struct Broken;

#[Object]
impl Broken {
    async fn required(&self) -> Result<i32> {
        Err("it broke".into())
    }

    async fn optional(&self) -> Result<Option<i32>> {
        Err("it broke too".into())
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn count(&self, ctx: &Context<'_>) -> Result<Counted> {
        Ok(Counted { calls: ctx.data::<Arc<Recorder>>()?.calls.fetch_add(1, Ordering::SeqCst) + 1 })
    }

    async fn add_cat(&self, cat: NewCat) -> Cat {
        Cat { name: cat.name, lives: cat.lives.unwrap_or(9) }
    }
}

#[derive(SimpleObject)]
struct Counted {
    calls: usize,
}

/// Which hooks were called, and what they refuse.
#[derive(Default)]
pub struct Recorder {
    pub called: Mutex<Vec<String>>,
    /// How often the resolver of `count` ran.
    pub calls: AtomicUsize,
    pub refuse_mutations: bool,
    pub refuse_charges: bool,
}

impl Recorder {
    pub fn charged(&self) -> Option<String> {
        self.called.lock().unwrap().iter().find(|call| call.starts_with("charge")).cloned()
    }
}

pub struct Recording(pub Arc<Recorder>);

impl Recording {
    fn note(&self, what: impl Into<String>) {
        self.0.called.lock().unwrap().push(what.into());
    }
}

impl Hooks for Recording {
    fn admit(&self, operation: OperationType) -> std::result::Result<(), ServerError> {
        self.note("admit");
        let refused = operation == OperationType::Mutation && self.0.refuse_mutations;
        if refused { Err(request_error("No mutations.", "NOT_ADMITTED")) } else { Ok(()) }
    }

    fn attach(&self, request: async_graphql::Request, _: &BatchQueue) -> async_graphql::Request {
        self.note("attach");
        request.data(Arc::clone(&self.0))
    }

    fn charge(&self, cost: u64) -> std::result::Result<(), ServerError> {
        self.note(format!("charge {cost}"));
        if self.0.refuse_charges { Err(request_error("Try later.", "LIMITED")) } else { Ok(()) }
    }

    fn note_use(&self, label: Option<&str>) {
        self.note(format!("use {}", label.unwrap_or_default()));
    }

    fn complete(&self, error: &mut ServerError) {
        self.note("complete");
        error.extensions.get_or_insert_default().set("requestId", "r");
    }
}

pub fn engine() -> Engine<Query, Mutation, EmptySubscription> {
    let types = || Schema::build(Query, Mutation, EmptySubscription);
    Engine::new(types, Limits { exclusive_fields: &["addCat"], ..Limits::default() })
}
