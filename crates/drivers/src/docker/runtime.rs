//! A small runtime for the calls to engines: callers block, and none of them waits longer than it said.
//!
//! Must not know what is called. Tested in place.

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// What a caller waits beyond its time for the word that the time is over.
const MARGIN: Duration = Duration::from_secs(2);

/// A thread on which calls make progress.
#[derive(Debug)]
pub(super) struct Runtime {
    handle: Handle,
    /// Dropped to end it.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    pub(super) fn begin() -> io::Result<Runtime> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("docker".to_owned()).spawn(move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Runtime { handle, end: Some(end), thread: Some(thread) })
    }

    /// Does the work, at most for so long. None: it took longer, and goes no further.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (send, receive) = mpsc::channel();
        let task = self.handle.spawn(async move {
            let done = tokio::time::timeout(within, work).await.ok();
            let _ = send.send(done);
        });
        let done = receive.recv_timeout(within.saturating_add(MARGIN)).ok().flatten();
        if done.is_none() {
            task.abort();
        }
        done
    }

    /// Does the work while nobody waits for it.
    pub(super) fn begin_work(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_longer_than_said() {
        let runtime = Runtime::begin().unwrap();
        assert_eq!(runtime.wait(Duration::from_secs(60), async { 7 }), Some(7));
        assert_eq!(runtime.wait(Duration::from_millis(10), std::future::pending::<u8>()), None);
    }
}
