//! When data loaders fetch: as soon as an execution can do nothing but wait for them. Then every batch is complete, and the
//! number of statements does not depend on timing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use async_graphql::futures_util::future::BoxFuture;

/// The batches of one request that wait to be fetched.
#[derive(Clone, Default)]
pub struct BatchQueue(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl std::fmt::Debug for BatchQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchQueue").field("waiting", &self.lock().len()).finish()
    }
}

impl BatchQueue {
    /// Takes a batch that a loader has begun: the spawner of a `DataLoader` without delay.
    pub fn push(&self, batch: BoxFuture<'static, ()>) {
        self.lock().push(batch);
    }

    /// Polls an execution, and starts its batches whenever it is stalled: pending, and not about to be polled again.
    ///
    /// The specification leaves the order of execution open (section 6.3.4), so a batch may wait until every field that
    /// could add to it has been reached. The loaders' own way, a fixed delay, is too early or too late: an execution
    /// yields to others after every other row of a list by waking itself, and a delay that ends in between cuts the
    /// batch in two. A list of 100 rows would then take a number of statements that depends on the load of the machine.
    /// Hence a pending execution that woke itself during the poll is not stalled: it only yielded.
    pub(crate) async fn drive<T>(&self, execution: impl Future<Output = T>) -> T {
        let mut execution = pin!(execution);
        poll_fn(|cx| {
            let wake_up = Arc::new(WakeUp { waker: cx.waker().clone(), called: AtomicBool::new(false) });
            let waker = Waker::from(Arc::clone(&wake_up));
            let result = execution.as_mut().poll(&mut Context::from_waker(&waker));
            if result.is_pending() && !wake_up.called.load(Ordering::SeqCst) {
                self.lock().drain(..).for_each(|batch| drop(tokio::spawn(batch)));
            }
            result
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BoxFuture<'static, ()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notices whether an execution wakes itself while it is polled, which is how it yields to others.
struct WakeUp {
    waker: Waker,
    called: AtomicBool,
}

impl Wake for WakeUp {
    fn wake(self: Arc<Self>) {
        self.called.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    /// Is pending once, and wakes itself.
    async fn yield_like_the_library() {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[tokio::test]
    async fn a_batch_starts_when_the_execution_is_stalled_and_not_when_it_yields() {
        let queue = BatchQueue::default();
        let started = Arc::new(AtomicBool::new(false));
        let begin = Arc::clone(&started);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        queue.push(Box::pin(async move {
            begin.store(true, Ordering::SeqCst);
            let _ = sender.send(());
        }));
        let execution = async {
            for _ in 0..10 {
                yield_like_the_library().await;
                assert!(!started.load(Ordering::SeqCst), "it has only yielded");
            }
            receiver.await
        };
        assert_eq!(queue.drive(execution).await, Ok(()));
    }
}
