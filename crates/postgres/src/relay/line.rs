//! One relayed connection: a thread for each direction.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::message::Message;
use super::script::Script;
use super::{Shared, Socket};

/// Codes in the place of a protocol's version: a client asks for encryption.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// The same: a client wants what it does elsewhere to be cancelled.
const CANCEL_REQUEST: u32 = 80_877_102;

/// Serves a client until one side closes.
pub(super) fn serve(number: u32, client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut client = Socket::Tcp(client);
    let Some(first) = greeted(&mut client)? else { return Ok(()) };
    let mut server = shared.server.connect()?;
    server.write_all(&first)?;
    if code(&first) == CANCEL_REQUEST {
        return Ok(());
    }
    let script = Mutex::new(Script::new(number));
    let (client_end, server_end) = (client.try_clone()?, server.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = upstream(&mut client, &mut server_end.try_clone()?, &script);
            server_end.close();
            io::Result::Ok(())
        });
        let ended = downstream(&mut server, &mut client_end.try_clone()?, &script, shared);
        client_end.close();
        ended
    })
}

/// The client's first message that is not a wish for encryption.
fn greeted(client: &mut Socket) -> io::Result<Option<Vec<u8>>> {
    loop {
        let Some(first) = Message::first(client)? else { return Ok(None) };
        match code(&first) {
            SSL_REQUEST | GSS_REQUEST => client.write_all(b"N")?,
            _ => return Ok(Some(first)),
        }
    }
}

fn code(first: &[u8]) -> u32 {
    let bytes = first.get(4..8).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_be_bytes)
}

fn upstream(client: &mut impl Read, server: &mut impl Write, script: &Mutex<Script>) -> io::Result<()> {
    while let Some(message) = Message::read(client)? {
        let noted = script.lock().unwrap_or_else(PoisonError::into_inner).client_sends(&message);
        if !noted {
            return Err(io::Error::other("more statements at once than can be recorded"));
        }
        server.write_all(&message.bytes)?;
    }
    Ok(())
}

fn downstream(
    server: &mut impl Read,
    client: &mut impl Write,
    script: &Mutex<Script>,
    shared: &Shared,
) -> io::Result<()> {
    while let Some(message) = Message::read(server)? {
        let ended = script.lock().unwrap_or_else(PoisonError::into_inner).server_answers(&message);
        // Written down before the client can know of it: its next connection comes after it.
        if let Some(exchange) = ended {
            shared.log.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        }
        client.write_all(&message.bytes)?;
    }
    Ok(())
}
