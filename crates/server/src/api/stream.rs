//! Answers that go on: events of the journal with the status in between, and logs.
//!
//! Each is fed by a task of its own through a short queue; who reads slowly slows only that task, and one that fell
//! behind reads from the store what it missed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::{Event as Message, KeepAlive};
use futures_core::Stream;
use tandem_core::base::DeploymentId;
use tandem_core::workflow::Event;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{JournalEvent, Status};
use crate::adapter::journal::decode;
use crate::office::Office;

/// So many messages may wait for a reader.
const QUEUE: usize = 16;

/// How many events are read from the store at a time.
const PAGE: usize = 200;

/// A sign of life on a silent stream.
const ALIVE: Duration = Duration::from_secs(15);

/// The receiving end of a queue as a stream.
pub(super) struct Queue<T>(pub(super) Receiver<T>);

impl<T> Stream for Queue<T> {
    type Item = Result<T, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|item| item.map(Ok))
    }
}

/// The reader has gone, or there is nothing more to say.
pub(super) struct Over;

/// Events after number `after`, of one deployment or of all; None: from now on.
pub(super) fn events(
    office: Arc<Office>,
    deployment: Option<DeploymentId>,
    after: Option<u64>,
) -> Sse<impl Stream<Item = Result<Message, Infallible>>> {
    let (sender, receiver) = channel(QUEUE);
    let teller = Teller { office, deployment, sender };
    tokio::spawn(async move {
        // Whichever way it ends, dropping the sender ends the stream.
        let _ = teller.run(after).await;
    });
    Sse::new(Queue(receiver)).keep_alive(KeepAlive::new().interval(ALIVE))
}

struct Teller {
    office: Arc<Office>,
    deployment: Option<DeploymentId>,
    sender: Sender<Message>,
}

impl Teller {
    async fn run(&self, after: Option<u64>) -> Result<(), Over> {
        let (mut live, last) = self.office.feed.listen();
        let mut passes = self.office.passes();
        let mut shown = None;
        self.status(&mut shown).await?;
        let mut seen = after.unwrap_or(if self.deployment.is_some() { 0 } else { last });
        seen = self.catch_up(seen).await?;
        // One that was over before has told its end already, unless the reader had it.
        if let Some(id) = self.deployment
            && self.office.feed.deployment(id).is_none_or(|record| record.is_over())
        {
            return Err(Over);
        }
        loop {
            tokio::select! {
                biased;
                () = self.sender.closed() => return Err(Over),
                event = live.recv() => match event {
                    Ok(event) if event.seq > seen => {
                        seen = event.seq;
                        self.journal(&event).await?;
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => seen = self.catch_up(seen).await?,
                    Err(RecvError::Closed) => return Err(Over),
                },
                pass = passes.changed() => {
                    if pass.is_err() {
                        return Err(Over);
                    }
                    self.status(&mut shown).await?;
                }
            }
        }
    }

    /// Tells what is in the store after `seen`; the answer is the last number there.
    async fn catch_up(&self, mut seen: u64) -> Result<u64, Over> {
        loop {
            let (office, deployment) = (self.office.clone(), self.deployment);
            let read = move || match deployment {
                Some(id) => office.store().of_deployment(&office.config.spec.service, id, seen, PAGE),
                None => office.store().after(seen, PAGE),
            };
            let page = match tokio::task::spawn_blocking(read).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a reader of events can't be told what it missed");
                    return Err(Over);
                }
                Err(_) => return Err(Over),
            };
            let complete = page.len() < PAGE;
            for stored in page {
                seen = stored.seq;
                self.journal(&decode(stored).map_err(|_| Over)?).await?;
            }
            if complete {
                return Ok(seen);
            }
        }
    }

    async fn journal(&self, event: &JournalEvent) -> Result<(), Over> {
        if self.deployment.is_some() && event.deployment != self.deployment {
            return Ok(());
        }
        let message = Message::default().event("journal").id(event.seq.to_string());
        self.send(message.json_data(event).map_err(|_| Over)?).await?;
        match &event.recorded.event {
            Event::Finished { deployment, .. } if Some(*deployment) == self.deployment => Err(Over),
            _ => Ok(()),
        }
    }

    /// Tells the status if it is another one than that which was told last.
    async fn status(&self, shown: &mut Option<Status>) -> Result<(), Over> {
        let status = self.office.status();
        let same = |before: &Status| Status { at: status.at, ..before.clone() } == status;
        if shown.as_ref().is_some_and(same) {
            return Ok(());
        }
        let message = Message::default().event("status").json_data(&status).map_err(|_| Over)?;
        *shown = Some(status);
        self.send(message).await
    }

    async fn send(&self, message: Message) -> Result<(), Over> {
        self.sender.send(message).await.map_err(|_| Over)
    }
}
