//! Where WebSocket frames begin and end in a stream of bytes. Reads lengths only; payloads are none of its business.
//!
//! Tested in place.

use std::cell::Cell;

/// Follows one direction of a WebSocket connection.
#[derive(Debug)]
pub(super) struct Frames {
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between two frames.
    Boundary,
    /// After the first byte of a head.
    Second,
    /// In the extended length: so many of its bytes are missing; the length so far; the mask's bytes that follow.
    Length { missing: u8, length: u64, mask: u8 },
    /// In mask and payload: so many bytes are missing.
    Payload(u64),
}

impl Frames {
    /// Before the first frame.
    pub(super) fn new() -> Self {
        Frames { state: Cell::new(State::Boundary) }
    }

    /// Whether the last byte seen was the last one of a frame.
    pub(super) fn at_boundary(&self) -> bool {
        self.state.get() == State::Boundary
    }

    /// Takes the next bytes of the stream in.
    pub(super) fn saw(&self, mut bytes: &[u8]) {
        let mut state = self.state.get();
        while let Some((&byte, rest)) = bytes.split_first() {
            if let State::Payload(missing) = state {
                let here = missing.min(bytes.len() as u64);
                bytes = bytes.get(here as usize..).unwrap_or_default();
                state = payload(missing - here);
                continue;
            }
            bytes = rest;
            state = match state {
                State::Second => {
                    let mask = if byte & 0x80 != 0 { 4 } else { 0 };
                    match byte & 0x7f {
                        126 => State::Length { missing: 2, length: 0, mask },
                        127 => State::Length { missing: 8, length: 0, mask },
                        length => payload(u64::from(length) + u64::from(mask)),
                    }
                }
                State::Length { missing, length, mask } => {
                    let length = length << 8 | u64::from(byte);
                    match missing {
                        1 => payload(length.saturating_add(u64::from(mask))),
                        _ => State::Length { missing: missing - 1, length, mask },
                    }
                }
                State::Boundary | State::Payload(_) => State::Second,
            };
        }
        self.state.set(state);
    }
}

fn payload(missing: u64) -> State {
    if missing == 0 { State::Boundary } else { State::Payload(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_found_however_the_bytes_arrive() {
        let mut stream = vec![0x81, 0x02, b'h', b'i', 0x8a, 0x80, 1, 2, 3, 4, 0x82, 126, 1, 0];
        stream.extend(vec![0; 256]);
        stream.extend([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 7]);
        let ends = [4, 10, 14 + 256, stream.len()];
        for size in [1, 2, 3, 7, 1000] {
            let frames = Frames::new();
            for (at, piece) in stream.chunks(size).enumerate() {
                frames.saw(piece);
                let seen = at * size + piece.len();
                assert_eq!(frames.at_boundary(), ends.contains(&seen), "after {seen}");
            }
        }
    }
}
