//! Readers that watch what passes through them: digest, number of bytes, end marks, and limits.
//!
//! Must not know archives. Tested through `archive`.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use tandem_core::base::Digest;

/// Hashes and counts what is read.
pub(crate) struct Hashing<R> {
    inner: R,
    hash: Sha256,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(inner: R) -> Hashing<R> {
        Hashing { inner, hash: Sha256::new(), count: Rc::default() }
    }

    /// The number of bytes so far, readable while the reader is lent.
    pub(crate) fn count(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.count)
    }

    /// Reads the rest and gives the digest of all.
    pub(crate) fn finish(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        to_digest(self.hash)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

/// The finished hash as a value.
pub(crate) fn to_digest(hash: Sha256) -> io::Result<Digest> {
    let text: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    text.parse().map_err(io::Error::other)
}

/// The gauges of a [`Metered`] reader.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Bytes that passed.
    pub(crate) passed: Cell<u64>,
    /// How many zero bytes came last.
    pub(crate) zeros: Cell<u64>,
    /// So many bytes may still pass. The owner of the gauges sets it before each part.
    pub(crate) allowance: Cell<u64>,
    /// The reader beneath has come to its end.
    pub(crate) ended: Cell<bool>,
}

/// Counts unpacked bytes and stops when more come than are allowed.
pub(crate) struct Metered<R> {
    inner: R,
    gauges: Rc<Gauges>,
}

impl<R: Read> Metered<R> {
    pub(crate) fn new(inner: R, gauges: Rc<Gauges>) -> Metered<R> {
        Metered { inner, gauges }
    }

    /// The reader beneath.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }
}

/// The text of the error of a [`Metered`] reader whose allowance is used up.
pub(crate) const USED_UP: &str = "more content than is allowed";

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let gauges = &self.gauges;
        let most = usize::try_from(gauges.allowance.get()).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::other(USED_UP));
        }
        let count = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        let read = buffer.get(..count).unwrap_or_default();
        gauges.ended.set(count == 0 && most > 0);
        gauges.passed.set(gauges.passed.get() + count as u64);
        gauges.allowance.set(gauges.allowance.get() - count as u64);
        let zeros = read.iter().rev().take_while(|&&byte| byte == 0).count();
        gauges.zeros.set(if zeros == count { gauges.zeros.get() + zeros as u64 } else { zeros as u64 });
        Ok(count)
    }
}
