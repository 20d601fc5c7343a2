//! The socket of the admin API: for the user who runs Tandem, and for root.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{UnixListener, UnixStream};

/// After a failure to accept (no file descriptors left …), the next attempt.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// The user at the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) u32);

impl Connected<IncomingStream<'_, AdminSocket>> for Peer {
    fn connect_info(stream: IncomingStream<'_, AdminSocket>) -> Peer {
        *stream.remote_addr()
    }
}

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

    /// Who is at the other end, if they may ask.
    fn peer(&self, stream: &UnixStream) -> Option<Peer> {
        let uid = stream.peer_cred().ok()?.uid();
        (uid == self.owner || uid == 0).then_some(Peer(uid))
    }
}

impl Listener for AdminSocket {
    type Io = UnixStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (UnixStream, Peer) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => match self.peer(&stream) {
                    Some(peer) => return (stream, peer),
                    None => tracing::warn!("somebody else than the owner tried to use the admin API"),
                },
                Err(error) => {
                    tracing::warn!(%error, "the admin API can't accept a connection");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer(self.owner))
    }
}
