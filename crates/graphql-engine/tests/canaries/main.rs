//! What async-graphql 7.2.1 does otherwise than the specification of GraphQL says, or than a server can use, shown on the
//! bare library with a schema of its own. Each test holds as long as the library still does it: none says what is right.
//! When one fails after an update, the library has changed there; the comment above it names the code of ours that may
//! go, and the table in `docs/adr/0008-operations-in-normal-form.md` gets another column.
//!
//! Nothing here waits for time: fields that resolve late give way to others so many times.

mod answers;
mod requests;
mod unanswered;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo};
use async_graphql::futures_util::FutureExt;
use async_graphql::futures_util::future::BoxFuture;
use async_graphql::{
    Context, EmptySubscription, Enum, InputObject, MaybeUndefined, Object, Request, Result, Schema,
    ServerError, ServerResult, Union, Value, Variables, value,
};

/// What has run, in order.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<String>>>);

impl Ran {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum Colour {
    Red,
}

#[derive(InputObject)]
struct Change {
    number: i32,
    note: MaybeUndefined<String>,
}

struct Thing(i32);

#[Object]
impl Thing {
    async fn id(&self) -> i32 {
        self.0
    }

    async fn name(&self) -> &str {
        "thing"
    }

    /// Gives way to the others so many times.
    async fn late(&self, times: i32) -> i32 {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        times
    }

    async fn fails(&self) -> Result<i32> {
        Err("failed".into())
    }

    async fn nullable_fails(&self) -> Result<Option<i32>> {
        Err("failed".into())
    }

    async fn loaded(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(ctx.data::<DataLoader<Rows>>()?.load_one(self.0).await?.unwrap_or_default())
    }
}

struct Other;

#[Object]
impl Other {
    async fn id(&self) -> i32 {
        9
    }
}

#[derive(Union)]
enum Any {
    Thing(Thing),
    Other(Other),
}

struct Query;

#[Object]
impl Query {
    async fn thing(&self, ctx: &Context<'_>) -> Thing {
        ctx.data_unchecked::<Ran>().add("thing");
        Thing(0)
    }

    async fn maybe_thing(&self) -> Option<Thing> {
        Some(Thing(0))
    }

    async fn things(&self, count: i32) -> Vec<Thing> {
        (0..count).map(Thing).collect()
    }

    async fn maybe_things(&self) -> Vec<Option<Thing>> {
        vec![Some(Thing(0)), None]
    }

    async fn any(&self, other: Option<bool>) -> Any {
        if other.unwrap_or_default() { Any::Other(Other) } else { Any::Thing(Thing(0)) }
    }

    async fn results(&self) -> Vec<Result<Option<i32>>> {
        vec![Ok(None), Err("failed".into())]
    }

    async fn grid(&self) -> Option<Vec<Vec<Result<i32>>>> {
        Some(vec![vec![Ok(0), Err("failed".into())]])
    }

    async fn text(&self, text: String) -> String {
        text
    }

    async fn numbers(&self, numbers: Vec<i32>) -> Vec<i32> {
        numbers
    }

    async fn with_default(&self, #[graphql(default = 5)] number: Option<i32>) -> Option<i32> {
        number
    }

    async fn change(&self, change: Change) -> String {
        format!("{} {:?}", change.number, change.note)
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn first(&self, ctx: &Context<'_>) -> Thing {
        ctx.data_unchecked::<Ran>().add("first");
        Thing(1)
    }

    async fn number(&self, number: i32) -> i32 {
        number
    }

    async fn colour(&self, colour: Colour) -> Colour {
        colour
    }

    async fn change(&self, change: Change) -> i32 {
        change.number
    }
}

/// Loads each row as itself, and notes how many it is asked for at a time.
struct Rows(Ran);

impl Loader<i32> for Rows {
    type Value = i32;
    type Error = Arc<str>;

    async fn load(&self, ids: &[i32]) -> Result<HashMap<i32, i32>, Self::Error> {
        self.0.add(ids.len().to_string());
        Ok(ids.iter().map(|id| (*id, *id)).collect())
    }
}

type Types = Schema<Query, Mutation, EmptySubscription>;

fn types() -> Types {
    Schema::new(Query, Mutation, EmptySubscription)
}

/// An answer, in the notation of GraphQL.
#[derive(Debug)]
struct Answer {
    data: String,
    /// The message of each error, and its path.
    errors: Vec<String>,
    ran: Vec<String>,
}

async fn ask_with(document: &str, variables: Value) -> Answer {
    let ran = Ran::default();
    let request = Request::new(document).variables(Variables::from_value(variables)).data(ran.clone());
    let response = types().execute(request).await;
    let error = |error: &ServerError| format!("{} {:?}", error.message, error.path);
    Answer {
        data: response.data.to_string(),
        errors: response.errors.iter().map(error).collect(),
        ran: ran.take(),
    }
}

async fn ask(document: &str) -> Answer {
    ask_with(document, value!({})).await
}
