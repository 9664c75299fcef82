//! When loaders fetch: as soon as the execution of a request can do nothing but wait for them. Then every batch is whole,
//! and the number of statements does not depend on how long anything takes. (The library's own way, after a fixed time,
//! cuts batches: an execution gives way to others after every other row of a list.)

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use async_graphql::futures_util::future::BoxFuture;

/// The batches of one request that wait to be fetched.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl Waiting {
    /// Takes a batch that a loader has begun.
    pub(super) fn add(&self, batch: BoxFuture<'static, ()>) {
        self.lock().push(batch);
    }

    /// Runs an execution, and its batches whenever it is at rest.
    pub(super) async fn drive<T>(&self, execution: impl Future<Output = T>) -> T {
        let mut execution = pin!(execution);
        poll_fn(|cx| {
            let turn = Arc::new(Turn { waker: cx.waker().clone(), again: AtomicBool::new(false) });
            let waker = Waker::from(Arc::clone(&turn));
            let result = execution.as_mut().poll(&mut Context::from_waker(&waker));
            if result.is_pending() && !turn.again.load(Ordering::SeqCst) {
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

/// Notices whether an execution has woken itself, which is its way to give way to others.
struct Turn {
    waker: Waker,
    again: AtomicBool,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }
}
