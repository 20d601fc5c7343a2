//! A byte buffer that is read into at its end and consumed from its start, and a per-thread store of them.
//!
//! Connections hold one only while they have something to do, so that an idle one costs little. Knows no format.
//! Tested through everything that reads.

use std::cell::RefCell;

/// The size of a fresh buffer: a head and a small body.
pub(crate) const SMALL: usize = 16 * 1024;
/// The size for bodies that are streamed.
pub(crate) const LARGE: usize = 64 * 1024;
/// So many of each size are kept for reuse by one thread.
const KEPT: usize = 256;

/// Bytes that arrived and were not consumed yet.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty one with room for so many bytes.
    pub(crate) fn with_room(room: usize) -> Self {
        Buffer { data: vec![0; room], start: 0, end: 0 }
    }

    /// What is there.
    pub(crate) fn filled(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// What is there, to be changed in place.
    pub(crate) fn filled_mut(&mut self) -> &mut [u8] {
        self.data.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room to read into; empty if it is full.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.end == self.data.len() && self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read into the room.
    pub(crate) fn filled_by(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.data.len());
    }

    /// So many bytes from the start are done with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Makes it at least so large, keeping what is there.
    pub(crate) fn grow(&mut self, size: usize) {
        if self.data.len() < size {
            self.data.resize(size, 0);
        }
    }
}

/// Buffers for reuse by one thread.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    small: RefCell<Vec<Buffer>>,
    large: RefCell<Vec<Buffer>>,
    text: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// A small one.
    pub(crate) fn small(&self) -> Buffer {
        self.small.borrow_mut().pop().unwrap_or_else(|| Buffer::with_room(SMALL))
    }

    /// A large one.
    pub(crate) fn large(&self) -> Buffer {
        self.large.borrow_mut().pop().unwrap_or_else(|| Buffer::with_room(LARGE))
    }

    /// Takes a buffer back; its content is forgotten.
    pub(crate) fn put(&self, mut buffer: Buffer) {
        let kept = match buffer.data.len() {
            SMALL => &self.small,
            LARGE => &self.large,
            _ => return,
        };
        (buffer.start, buffer.end) = (0, 0);
        let mut kept = kept.borrow_mut();
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }

    /// An empty text to build a head in.
    pub(crate) fn text(&self) -> Vec<u8> {
        self.text.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(2048))
    }

    /// Takes a text back.
    pub(crate) fn put_text(&self, mut text: Vec<u8>) {
        text.clear();
        let mut kept = self.text.borrow_mut();
        if kept.len() < KEPT && (1..=SMALL).contains(&text.capacity()) {
            kept.push(text);
        }
    }
}
