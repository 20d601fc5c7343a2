//! The socket of the admin API: for the user who runs Tandem, and for root.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

/// After a failure to accept (no file descriptors left …), the next attempt.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Accepts connections of those who may ask.
pub(crate) struct AdminSocket {
    listener: UnixListener,
    owner: u32,
}

impl AdminSocket {
    /// Takes the place of a socket that was left behind; the caller holds the controller's lock.
    pub(crate) fn bind(path: &Path) -> io::Result<AdminSocket> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(AdminSocket { listener, owner: rustix::process::geteuid().as_raw() })
    }

    fn may_ask(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0)
    }
}

impl Listener for AdminSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) if self.may_ask(&stream) => return (stream, address),
                Ok(_) => tracing::warn!("somebody else than the owner tried to use the admin API"),
                Err(error) => {
                    tracing::warn!(%error, "the admin API can't accept a connection");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
