//! How requests wait: at a gate that somebody holds, and while no instance can take them. Tested through the whole proxy.

use std::rc::Rc;

use tandem_core::traffic::{Gate, Route};

use super::Next;
use crate::client::Connection;
use crate::counts::Count;
use crate::request::Request;
use crate::worker::{View, Worker};

/// The table in force, and where the request's service is found in it.
pub(super) fn renewed(worker: &Worker, before: &View, at: usize) -> (Rc<View>, usize) {
    let view = worker.view();
    let at = before.route(at).and_then(|(route, _)| view.position(&route.service)).unwrap_or(usize::MAX);
    (view, at)
}

/// How long a request is held while no instance can take it.
#[derive(Default)]
pub(super) struct Patience {
    /// In milliseconds of the proxy's clock.
    until: Option<u64>,
}

impl Patience {
    /// Waits until things may have changed. False: it has waited for as long as it may.
    pub(super) async fn wait(&mut self, worker: &Worker, longest: u64) -> bool {
        let now = worker.now();
        let until = *self.until.get_or_insert(now.saturating_add(longest));
        now < until && !worker.shared.is_ending() && worker.hold().await
    }

    /// Whether it has waited for as long as it may, or waiting makes no sense any more.
    fn is_over(&self, worker: &Worker) -> bool {
        worker.shared.is_ending() || self.until.is_some_and(|until| worker.now() >= until)
    }
}

/// Lets a request in: it waits for as long as somebody holds the gate of its service, and no longer than it may; then it is made
/// ready for an instance. The key of those that belong together, or an answer if it is turned away.
pub(super) async fn enter(
    connection: &mut Connection,
    view: &mut Rc<View>,
    at: &mut usize,
    request: &Request,
    out: &mut Vec<u8>,
) -> Result<Option<u64>, Next> {
    if let Some(next) = connection.turn_away(view, request, out).await {
        return Err(next);
    }
    let worker = Rc::clone(&connection.worker);
    let mut patience = Patience::default();
    while let Some((&Route { gate: Gate::Held { longest }, .. }, counts)) = view.route(*at) {
        if patience.wait(&worker, longest.0).await {
            (*view, *at) = renewed(&worker, view, *at);
        } else if patience.is_over(&worker) {
            break;
        } else {
            worker.count(counts, Count::Failed);
            return Err(connection.answer(request, 503, "too many requests wait already", out).await);
        }
    }
    connection.prepare(view, *at, request, out).await
}
