//! The writer of the log: whoever must not answer before the log knows hands an event in and waits for the commit.
//!
//! One task writes. While it commits a batch, the next one forms: no event waits for a timer, and under load many share
//! one commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::entropy::Sequence;
use crate::error::{Error, Result};
use crate::store::activity::Event;
use crate::store::{Database, log};

const QUEUE: usize = 8192;
const BATCH: usize = log::MOST;

/// How an event fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the log, for good.
    Committed,
    /// It demanded a state of its key that has passed; it is not in the log.
    Overtaken,
}

struct Entry {
    event: Event,
    done: oneshot::Sender<Result<Written>>,
}

/// The way into the log.
#[derive(Clone, Debug)]
pub struct Journal {
    entries: mpsc::Sender<Entry>,
    timeout: Duration,
}

/// An event on its way.
#[derive(Debug)]
pub struct Receipt {
    done: oneshot::Receiver<Result<Written>>,
    timeout: Duration,
}

impl Journal {
    /// Starts the writer. It ends when the last `Journal` is gone and all it was given is written. Nobody waits longer than
    /// `timeout` for a commit.
    pub fn start(db: Arc<Database>, ids: Arc<Sequence>, timeout: Duration) -> (Self, JoinHandle<()>) {
        let (entries, queue) = mpsc::channel(QUEUE);
        (Self { entries, timeout }, tokio::spawn(write_all(db, ids, queue)))
    }

    /// Hands an event in. It is not in the log before [`Receipt::wait`] says so.
    pub fn submit(&self, event: Event) -> Result<Receipt> {
        let (done, written) = oneshot::channel();
        self.entries.try_send(Entry { event, done }).map_err(|_| Error::Unavailable)?;
        Ok(Receipt { done: written, timeout: self.timeout })
    }

    /// Hands an event in and waits until it is in the log.
    pub async fn record(&self, event: Event) -> Result<Written> {
        self.submit(event)?.wait().await
    }
}

impl Receipt {
    /// Waits for the commit, not for ever. An event may still be committed after that: the log may hold a token
    /// that nobody received, never the reverse.
    pub async fn wait(self) -> Result<Written> {
        match tokio::time::timeout(self.timeout, self.done).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Error::Unavailable),
        }
    }
}

async fn write_all(db: Arc<Database>, ids: Arc<Sequence>, mut queue: mpsc::Receiver<Entry>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        // Whoever is ready to hand something in does so first: what a commit costs is shared by more.
        tokio::task::yield_now().await;
        if queue.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let (events, waiters): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|entry| (entry.event, entry.done)).unzip();
        match log::write(&db, &ids, &events).await {
            Ok(written) => {
                for (waiter, written) in waiters.into_iter().zip(written) {
                    // A waiter that gave up is no longer there.
                    let _ = waiter.send(Ok(if written { Written::Committed } else { Written::Overtaken }));
                }
            }
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the log could not be written");
                for waiter in waiters {
                    let _ = waiter.send(Err(Error::Unavailable));
                }
            }
        }
    }
}
