//! The way into the log for events that an answer waits for: tokens and refusals. Changes are logged in the transaction
//! that makes them.

use std::sync::Arc;
use std::time::Duration;

use group_commit::{NotCommitted, Options, Sink};
use tokio::task::JoinHandle;

use crate::entropy::Sequence;
use crate::error::{Error, Result};
use crate::store::activity::Event;
use crate::store::{Database, log};

/// How many events wait at most.
const QUEUE: usize = 8192;

/// How an event fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the log, for good.
    Committed,
    /// It demanded a state of its key that has passed; it is not in the log.
    Overtaken,
}

/// The writer of the log, on a connection of its own.
#[derive(Clone, Debug)]
pub struct Journal(group_commit::Writer<Event, Written>);

/// An event on its way.
#[derive(Debug)]
pub struct Receipt(group_commit::Receipt<Written>);

struct Log {
    db: Arc<Database>,
    ids: Arc<Sequence>,
}

impl Sink for Log {
    type Entry = Event;
    type Outcome = Written;

    async fn commit(&mut self, events: Vec<Event>) -> Option<Vec<Written>> {
        match log::write(&self.db, &self.ids, &events).await {
            Ok(written) => {
                let fared = |written| if written { Written::Committed } else { Written::Overtaken };
                Some(written.into_iter().map(fared).collect())
            }
            Err(error) => {
                let cause = std::error::Error::source(&error);
                tracing::error!(%error, ?cause, "the log could not be written");
                None
            }
        }
    }
}

impl Journal {
    /// Starts the writer. It ends when the last `Journal` is gone and all it was given is written. Nobody waits longer than
    /// `timeout` for a commit.
    pub fn start(db: Arc<Database>, ids: Arc<Sequence>, timeout: Duration) -> (Self, JoinHandle<()>) {
        let options = Options { queue: QUEUE, batch: log::MOST, timeout };
        let (writer, task) = group_commit::start(Log { db, ids }, options);
        (Self(writer), task)
    }

    /// Hands an event in. It is not in the log before [`Receipt::wait`] says so.
    pub fn submit(&self, event: Event) -> Result<Receipt> {
        self.0.submit(event).map(Receipt).map_err(unavailable)
    }

    /// Hands an event in and waits until it is in the log.
    pub async fn record(&self, event: Event) -> Result<Written> {
        self.submit(event)?.wait().await
    }
}

impl Receipt {
    /// Waits for the commit, no longer than the timeout. An event may still be committed after that: the log may hold a token
    /// that nobody received, never the reverse.
    pub async fn wait(self) -> Result<Written> {
        self.0.wait().await.map_err(unavailable)
    }
}

fn unavailable(_: NotCommitted) -> Error {
    Error::Unavailable
}
