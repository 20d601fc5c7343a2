//! Accepting connections, as many as there may be.
//!
//! When the process runs out of descriptors, or has as many connections as it may, it waits: connections stay in the
//! accept queue, nobody is refused, nothing spins. Must not know HTTP. Tested through the whole proxy.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::connection;
use crate::worker::Worker;

/// How long to wait after the system refused to give another connection.
const BACKOFF: Duration = Duration::from_millis(100);

/// Accepts connections until the process is to end.
pub(crate) async fn accept(worker: Rc<Worker>, listener: TcpListener, address: SocketAddr) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    loop {
        if worker.shared.is_closing() {
            return;
        }
        if !worker.has_room() {
            worker.at_door(|door| door.pauses.add(1));
            tokio::time::sleep(BACKOFF).await;
            continue;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = worker.closing() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                worker.at_door(|door| door.accepted.add(1));
                let place = worker.place();
                let serving = connection::serve(Rc::clone(&worker), stream, peer, address);
                tokio::task::spawn_local(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !WARNED.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%address, %error, "no connection could be accepted; trying again 10 times a second");
                }
                worker.at_door(|door| door.pauses.add(1));
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}

/// Whether an error of `accept` says something about the one connection only.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
