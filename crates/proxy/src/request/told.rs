//! What a trusted peer tells of the client: passed on, with the peer itself added.
//!
//! From anybody else these fields are dropped. Tested through the whole proxy.

use super::Client;
use crate::field::write_field;

/// `X-Forwarded-*` and `Forwarded` as they came.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    clients: Vec<&'a [u8]>,
    forwarded: Vec<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    port: Option<&'a [u8]>,
}

impl<'a> Told<'a> {
    /// Takes a field in. Names with underscores tell nothing: no proxy writes them.
    pub(super) fn take(&mut self, name: &str, value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is("x-forwarded-for") => self.clients.push(value),
            () if is("forwarded") => self.forwarded.push(value),
            () if is("x-forwarded-proto") => self.scheme = Some(value),
            () if is("x-forwarded-host") => self.host = Some(value),
            () if is("x-forwarded-port") => self.port = Some(value),
            () => {}
        }
    }

    /// Whether the client came by `https`.
    pub(super) fn is_secure(&self) -> bool {
        self.scheme == Some(b"https")
    }

    /// Writes the fields for the instance; `host` is the request's own.
    pub(super) fn write(&self, client: &Client, host: &[u8], out: &mut Vec<u8>) {
        let own = [client.address.as_bytes()];
        list(out, "X-Forwarded-For", self.clients.iter().copied().chain(own));
        write_field(out, "X-Forwarded-Proto", self.scheme.unwrap_or(client.scheme.as_bytes()));
        write_field(out, "X-Forwarded-Port", self.port.unwrap_or(client.port.as_bytes()));
        write_field(out, "X-Forwarded-Host", self.host.unwrap_or(host));
        let node = client.forwarded.strip_prefix(b"Forwarded: ").unwrap_or_default();
        let own = [node, host, b"\""].concat();
        list(out, "Forwarded", self.forwarded.iter().copied().chain([&*own]));
    }
}

/// Writes a field whose value is a list.
fn list<'v>(out: &mut Vec<u8>, name: &str, values: impl Iterator<Item = &'v [u8]>) {
    write_field(out, name, &values.collect::<Vec<_>>().join(&b", "[..]));
}
