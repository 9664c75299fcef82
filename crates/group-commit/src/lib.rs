//! Group commit: whoever must not answer before something is written hands an entry in and waits for the commit.
//!
//! The promise: nobody is told that an entry is written before it is, every waiter is told how its commit ended, and
//! entries are committed in the order in which they were handed in. One task writes. While it commits a batch, the next
//! batch forms: no entry waits for a timer, and under load many entries share one commit.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Where batches are committed.
pub trait Sink: Send + 'static {
    type Entry: Send + 'static;
    /// How one entry of a committed batch fared.
    type Outcome: Send + 'static;

    /// Commits a batch as one transaction: an outcome for each entry, in their order, or nothing if nothing was committed
    /// (or nobody can tell). Reporting the cause is the sink's own business.
    fn commit(&mut self, batch: Vec<Self::Entry>) -> impl Future<Output = Option<Vec<Self::Outcome>>> + Send;
}

/// How much waits, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Entries that wait at most; more are refused.
    pub queue: usize,
    /// Entries in one batch at most.
    pub batch: usize,
    /// Nobody waits longer than this for a commit.
    pub timeout: Duration,
}

/// The entry was not committed, or nobody can tell: the queue was full, the commit failed or took too long, or the writer
/// has ended. An entry may still be committed after a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCommitted;

struct Waiting<E, O> {
    entry: E,
    done: oneshot::Sender<O>,
}

/// The way to the writer. It is cheap to clone.
pub struct Writer<E, O> {
    queue: mpsc::Sender<Waiting<E, O>>,
    timeout: Duration,
}

impl<E, O> Clone for Writer<E, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), timeout: self.timeout }
    }
}

impl<E, O> std::fmt::Debug for Writer<E, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// An entry on its way.
#[derive(Debug)]
pub struct Receipt<O> {
    done: oneshot::Receiver<O>,
    timeout: Duration,
}

/// Starts the task that writes. It ends when the last [`Writer`] is gone and all that it was given is written.
pub fn start<S: Sink>(sink: S, options: Options) -> (Writer<S::Entry, S::Outcome>, JoinHandle<()>) {
    let (queue, entries) = mpsc::channel(options.queue);
    let task = tokio::spawn(write_all(sink, entries, options.batch));
    (Writer { queue, timeout: options.timeout }, task)
}

impl<E, O> Writer<E, O> {
    /// Hands an entry in. It is not committed before [`Receipt::wait`] says so.
    pub fn submit(&self, entry: E) -> Result<Receipt<O>, NotCommitted> {
        let (done, receipt) = oneshot::channel();
        self.queue.try_send(Waiting { entry, done }).map_err(|_| NotCommitted)?;
        Ok(Receipt { done: receipt, timeout: self.timeout })
    }
}

impl<O> Receipt<O> {
    /// Waits for the commit, no longer than the timeout.
    pub async fn wait(self) -> Result<O, NotCommitted> {
        match tokio::time::timeout(self.timeout, self.done).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(NotCommitted),
        }
    }
}

async fn write_all<S: Sink>(
    mut sink: S,
    mut entries: mpsc::Receiver<Waiting<S::Entry, S::Outcome>>,
    most: usize,
) {
    let mut waiting = Vec::with_capacity(most);
    loop {
        // Tasks that are ready to hand something in run first: a commit is shared by more entries that way.
        tokio::task::yield_now().await;
        if entries.recv_many(&mut waiting, most).await == 0 {
            return;
        }
        let (batch, waiters): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|each| (each.entry, each.done)).unzip();
        // Waiters whose batch failed learn of it because their channel closes.
        let Some(outcomes) = sink.commit(batch).await else { continue };
        for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
            // A waiter that gave up is no longer there.
            let _ = waiter.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    /// Commits when it is permitted to, and records the batches; entries of 0 make their batch fail.
    struct Recorder {
        permits: Arc<Semaphore>,
        batches: mpsc::UnboundedSender<Vec<u32>>,
    }

    impl Sink for Recorder {
        type Entry = u32;
        type Outcome = u32;

        async fn commit(&mut self, batch: Vec<u32>) -> Option<Vec<u32>> {
            self.permits.acquire().await.unwrap().forget();
            self.batches.send(batch.clone()).unwrap();
            (!batch.contains(&0)).then(|| batch.iter().map(|entry| entry * 10).collect())
        }
    }

    type Started = (Writer<u32, u32>, JoinHandle<()>, Arc<Semaphore>, mpsc::UnboundedReceiver<Vec<u32>>);

    fn started() -> Started {
        let (batches, recorded) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(0));
        let options = Options { queue: 4, batch: 3, timeout: Duration::from_secs(2) };
        let (writer, task) = start(Recorder { permits: Arc::clone(&permits), batches }, options);
        (writer, task, permits, recorded)
    }

    #[tokio::test]
    async fn entries_that_arrive_during_a_commit_share_the_next_one_in_their_order() {
        let (writer, task, permits, mut recorded) = started();
        let first = writer.submit(1).unwrap();
        while writer.queue.capacity() < 4 {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = (2..=5).map(|entry| writer.submit(entry).unwrap()).collect();
        permits.add_permits(3);
        assert_eq!(first.wait().await, Ok(10));
        for (entry, receipt) in (2..).zip(later) {
            assert_eq!(receipt.wait().await, Ok(entry * 10));
        }
        drop(writer);
        task.await.unwrap();
        let mut batches = Vec::new();
        while let Some(batch) = recorded.recv().await {
            batches.push(batch);
        }
        assert_eq!(batches, [vec![1], vec![2, 3, 4], vec![5]]);
    }

    #[tokio::test]
    async fn a_failed_commit_fails_every_entry_of_its_batch_and_no_other() {
        let (writer, _task, permits, _recorded) = started();
        let failing = [writer.submit(0).unwrap(), writer.submit(1).unwrap()];
        permits.add_permits(2);
        for receipt in failing {
            assert_eq!(receipt.wait().await, Err(NotCommitted));
        }
        assert_eq!(writer.submit(2).unwrap().wait().await, Ok(20));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_what_it_holds_is_written_before_the_end() {
        let (writer, task, permits, mut recorded) = started();
        let accepted = (1..100).map_while(|entry| writer.submit(entry).ok()).count();
        assert_eq!(accepted, 4);
        permits.add_permits(2);
        drop(writer);
        task.await.unwrap();
        assert_eq!(
            (recorded.recv().await.unwrap(), recorded.recv().await.unwrap()),
            (vec![1, 2, 3], vec![4])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_timeout_and_the_entry_may_be_committed_all_the_same() {
        let (writer, _task, permits, mut recorded) = started();
        assert_eq!(writer.submit(1).unwrap().wait().await, Err(NotCommitted));
        permits.add_permits(1);
        assert_eq!(recorded.recv().await, Some(vec![1]));
    }
}
