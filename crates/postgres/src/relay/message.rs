//! Messages of the protocol as they stand on the wire: read whole, taken apart where something is written down of them.

use std::io::{self, Read};

use tandem_schema::recording::Parameter;

/// No message is longer, in bytes.
const LONGEST: usize = 64 << 20;

/// A message: its kind, and its bytes with kind and length.
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) bytes: Vec<u8>,
}

impl Message {
    /// The next message. None: the other side has closed.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Message>> {
        let mut head = [0; 5];
        if !filled(from, &mut head)? {
            return Ok(None);
        }
        let length = length([head[1], head[2], head[3], head[4]])?;
        let mut bytes = vec![0; length + 1];
        bytes[..5].copy_from_slice(&head);
        from.read_exact(&mut bytes[5..])?;
        Ok(Some(Message { kind: head[0], bytes }))
    }

    /// The first message of a client, which has no kind. None: the client has closed.
    pub(super) fn first(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0; 4];
        if !filled(from, &mut head)? {
            return Ok(None);
        }
        let mut bytes = vec![0; length(head)?];
        bytes[..4].copy_from_slice(&head);
        from.read_exact(&mut bytes[4..])?;
        Ok(Some(bytes))
    }

    /// What is in it.
    pub(super) fn body(&self) -> Body<'_> {
        Body(self.bytes.get(5..).unwrap_or_default())
    }
}

/// False: nothing came before the end.
fn filled(from: &mut impl Read, head: &mut [u8]) -> io::Result<bool> {
    let (first, rest) = head.split_at_mut(1);
    if from.read(first)? == 0 {
        return Ok(false);
    }
    from.read_exact(rest)?;
    Ok(true)
}

fn length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(bytes) as usize;
    if (4..=LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err(io::Error::other(format!("a message of {length} bytes")))
    }
}

/// What is left of a message's content.
pub(super) struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    /// A text up to its zero byte.
    pub(super) fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = String::from_utf8_lossy(self.0.get(..end)?).into_owned();
        self.0 = self.0.get(end + 1..)?;
        Some(text)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A counted list of oids.
    pub(super) fn oids(&mut self) -> Option<Vec<u32>> {
        (0..self.short()?).map(|_| self.long()).collect()
    }

    /// The formats and values of a Bind message, by the types that are known.
    pub(super) fn parameters(&mut self, oids: &[u32]) -> Option<Vec<Option<Parameter>>> {
        let formats: Vec<u16> = (0..self.short()?).map(|_| self.short()).collect::<Option<_>>()?;
        let count = self.short()?;
        (0..usize::from(count))
            .map(|at| {
                let length = self.long()?.cast_signed();
                let Ok(length) = usize::try_from(length) else { return Some(None) };
                // No formats: all are text. One: it is for all.
                let format = if formats.len() == 1 { formats.first() } else { formats.get(at) };
                let oid = oids.get(at).copied().unwrap_or_default();
                let bytes = self.take(length)?.to_vec();
                Some(Some(Parameter { oid, binary: format == Some(&1), bytes }))
            })
            .collect()
    }
}
