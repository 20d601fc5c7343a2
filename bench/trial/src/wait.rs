//! Waiting for conditions, and finding free ports.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How often a condition of another process is looked at: nothing tells when it changes.
const LOOK: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer or the time is over; None if it is over.
pub async fn until<T>(within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    let mut look = tokio::time::interval(LOOK);
    while begun.elapsed() < within {
        look.tick().await;
        if let Some(answer) = ask().await {
            return Some(answer);
        }
    }
    None
}

/// An address on the loopback that is free now, below the ports of outgoing connections and those of instances.
///
/// # Panics
/// If none of two thousand is free.
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 97) as u16 * 20;
    let candidates = (0..2000).map(|_| 18_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 2000);
    let mut free = candidates
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .filter(|address| TcpListener::bind(address).is_ok());
    free.next().expect("no port from 18000 to 19999 is free")
}
