//! Listening sockets on their way from one process to another, over a Unix stream socket.
//!
//! The supervisor makes the sockets and gives them to each proxy that it starts; a new supervisor takes them from an
//! orphaned proxy. They are never opened anew: a closed listening socket would lose the connections that wait in its
//! queue. First one line of JSON goes over, naming addresses and numbers, then the sockets themselves. Tested in place.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// So many sockets go over in one message; the system allows 253.
const BATCH: usize = 64;
/// The longest first line, in bytes.
const LONGEST_LINE: usize = 64 * 1024;
/// The most sockets in all.
const MOST_SOCKETS: usize = 8192;

/// Listening sockets by their addresses; several for one address share its connections.
pub type Listeners = Vec<(SocketAddr, Vec<OwnedFd>)>;

/// Why sockets could not be handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The connection failed.
    #[error("handing the listening sockets over failed: {0}")]
    Io(#[from] io::Error),
    /// The other side did not keep to the form.
    #[error("handing the listening sockets over failed: {0}")]
    Form(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Line {
    listeners: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    address: SocketAddr,
    sockets: usize,
}

/// Gives the sockets to the process at the other end; they stay open here.
pub fn send(to: &UnixStream, listeners: &Listeners) -> Result<(), HandoverError> {
    let entry =
        |(address, sockets): &(SocketAddr, Vec<OwnedFd>)| Entry { address: *address, sockets: sockets.len() };
    let line = Line { listeners: listeners.iter().map(entry).collect() };
    let mut line = serde_json::to_vec(&line).map_err(io::Error::from)?;
    line.push(b'\n');
    io::Write::write_all(&mut &*to, &line)?;
    let all: Vec<BorrowedFd<'_>> =
        listeners.iter().flat_map(|(_, list)| list.iter().map(OwnedFd::as_fd)).collect();
    for batch in all.chunks(BATCH) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(batch)) {
            return Err(HandoverError::Form("too many sockets for one message"));
        }
        sendmsg(to, &[IoSlice::new(b"s")], &mut ancillary, SendFlags::NOSIGNAL).map_err(io::Error::from)?;
    }
    Ok(())
}

/// Takes the sockets that the process at the other end sends. They are not inherited by children.
pub fn receive(from: &UnixStream) -> Result<Listeners, HandoverError> {
    let mut line = Vec::new();
    // Byte by byte: what follows the line belongs to messages of their own.
    loop {
        let mut byte = [0_u8];
        io::Read::read_exact(&mut &*from, &mut byte)?;
        match byte {
            [b'\n'] => break,
            _ if line.len() == LONGEST_LINE => return Err(HandoverError::Form("the first line is too long")),
            [byte] => line.push(byte),
        }
    }
    let line: Line = serde_json::from_slice(&line).map_err(io::Error::from)?;
    let total = line.listeners.iter().try_fold(0_usize, |sum, entry| sum.checked_add(entry.sockets));
    let Some(total @ 0..=MOST_SOCKETS) = total else { return Err(HandoverError::Form("too many sockets")) };
    let mut sockets = Vec::new();
    while sockets.len() < total {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0_u8];
        let mut parts = [IoSliceMut::new(&mut byte)];
        let got =
            recvmsg(from, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).map_err(io::Error::from)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(list) = message {
                sockets.extend(list);
            }
        }
        if got.bytes == 0 {
            return Err(HandoverError::Form("the other side ended before all sockets were sent"));
        }
    }
    let mut sockets = sockets.into_iter();
    let mut listeners = Vec::new();
    for entry in line.listeners {
        listeners.push((entry.address, sockets.by_ref().take(entry.sockets).collect()));
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn sockets_arrive_open_and_in_order() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut addresses = Vec::new();
        let mut listeners: Listeners = Vec::new();
        for count in [1, BATCH + 3, 2] {
            let first = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = first.local_addr().unwrap();
            let list = (0..count).map(|_| first.try_clone().unwrap().into()).collect();
            addresses.push((address, count));
            listeners.push((address, list));
        }
        let sender = std::thread::spawn(move || send(&one, &listeners));
        let received = receive(&other).unwrap();
        sender.join().unwrap().unwrap();
        for ((address, count), (said, sockets)) in addresses.into_iter().zip(received) {
            assert_eq!((said, sockets.len()), (address, count));
            for socket in sockets {
                assert_eq!(TcpListener::from(socket).local_addr().unwrap(), address);
            }
        }
    }

    #[test]
    fn a_sender_that_dies_is_an_error() {
        let (one, other) = UnixStream::pair().unwrap();
        io::Write::write_all(&mut &one, b"{\"listeners\":[{\"address\":\"127.0.0.1:1\",\"sockets\":2}]}\n")
            .unwrap();
        drop(one);
        assert!(receive(&other).is_err());
    }
}
