//! The chunked coding, read strictly. What leaves is chunked anew, so nothing of the sender's chunking survives.
//!
//! Decodes in place: the data of all chunks that are in a buffer is moved together at its front. Extensions are
//! bounded and dropped. Trailers are bounded, and written anew from their parts. Tested in place.

use crate::field::{has_clean_lines, is_allowed_in_trailer, write_field};

/// The most digits of a size.
const SIZE_DIGITS: u32 = 16;
/// The most bytes of extensions in one body.
const LONGEST_EXTENSIONS: u32 = 16 * 1024;
/// The most bytes of trailers.
const LONGEST_TRAILER: usize = 8 * 1024;
const MOST_TRAILERS: usize = 32;

/// Not the chunked coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadChunk(pub(crate) &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { digits: u32 },
    Extension(Extension),
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    Trailer,
    Done,
}

/// Where in an extension: `;name`, `=value` or `="value"`. Nobody uses them but to confuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// The name begins.
    NameStart,
    /// In the name.
    Name,
    /// The value begins.
    ValueStart,
    /// In a value that is a token.
    Value,
    /// Between quotes.
    Quoted,
    /// After a backslash between quotes.
    Escaped,
    /// After the closing quote.
    Closed,
}

impl Extension {
    /// Where it is after one more byte; none if that can't stand there.
    fn after(self, byte: u8) -> Option<Self> {
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let text = byte == b'\t' || byte >= b' ' && byte != 0x7f;
        Some(match (self, byte) {
            (Extension::NameStart | Extension::Name, _) if token => Extension::Name,
            (Extension::Name, b'=') => Extension::ValueStart,
            (Extension::Name | Extension::Value | Extension::Closed, b';') => Extension::NameStart,
            (Extension::ValueStart | Extension::Value, _) if token => Extension::Value,
            (Extension::ValueStart, b'"') => Extension::Quoted,
            (Extension::Quoted, b'"') => Extension::Closed,
            (Extension::Quoted, b'\\') => Extension::Escaped,
            (Extension::Quoted | Extension::Escaped, _) if text => Extension::Quoted,
            _ => return None,
        })
    }

    /// Whether it may end here.
    fn is_complete(self) -> bool {
        matches!(self, Extension::Name | Extension::Value | Extension::Closed)
    }
}

/// Where the reading of a chunked body stands.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    left: u64,
    extensions: u32,
    trailer: Vec<u8>,
}

/// What one step of decoding found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// So many bytes at the front of the input are data now.
    pub(crate) data: usize,
    /// So many bytes of the input are done with, the data included.
    pub(crate) consumed: usize,
}

impl Decoder {
    /// At the beginning of a body.
    pub(crate) fn new() -> Self {
        Decoder { state: State::Size { digits: 0 }, left: 0, extensions: 0, trailer: Vec::new() }
    }

    /// Whether the body is complete, its trailers included.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Decodes what is there.
    pub(crate) fn decode(&mut self, input: &mut [u8]) -> Result<Step, BadChunk> {
        let (mut at, mut data) = (0, 0);
        while let Some(&byte) = input.get(at) {
            match self.state {
                State::Done => break,
                State::Data => {
                    let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                    input.copy_within(at..at + here, data);
                    data += here;
                    at += here;
                    self.left -= here as u64;
                    if self.left == 0 {
                        self.state = State::DataReturn;
                    }
                }
                _ => {
                    self.control(byte)?;
                    at += 1;
                }
            }
        }
        Ok(Step { data, consumed: at })
    }

    /// Takes one byte that is not data.
    fn control(&mut self, byte: u8) -> Result<(), BadChunk> {
        self.state = match (self.state, byte) {
            (State::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS || self.left >> 59 != 0 {
                    return Err(BadChunk("a chunk is too large"));
                }
                self.left = self.left << 4 | u64::from((byte as char).to_digit(16).unwrap_or_default());
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. }, b';') => State::Extension(Extension::NameStart),
            (State::Size { digits: 1.. }, b'\r') => State::SizeEnd,
            (State::Extension(at), b'\r') if at.is_complete() => State::SizeEnd,
            (State::Extension(at), _) => {
                self.extensions += 1;
                if self.extensions > LONGEST_EXTENSIONS {
                    return Err(BadChunk("the chunk extensions are too long"));
                }
                State::Extension(at.after(byte).ok_or(BadChunk("a chunk extension is malformed"))?)
            }
            (State::SizeEnd, b'\n') if self.left == 0 => State::Trailer,
            (State::SizeEnd, b'\n') => State::Data,
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size { digits: 0 },
            (State::Trailer, _) => {
                self.trailer.push(byte);
                if self.trailer.len() > LONGEST_TRAILER {
                    return Err(BadChunk("the trailers are too long"));
                }
                let ended = self.trailer == b"\r\n" || self.trailer.ends_with(b"\r\n\r\n");
                if ended { State::Done } else { State::Trailer }
            }
            _ => return Err(BadChunk("the chunked body is malformed")),
        };
        Ok(())
    }

    /// The trailers as they came, with their empty line. None: there are none.
    pub(crate) fn trailer(&self) -> Option<&[u8]> {
        (self.trailer.len() > 2).then_some(&self.trailer)
    }

    /// Appends the last chunk, with the trailers that may be forwarded.
    pub(crate) fn write_end(&self, out: &mut Vec<u8>) -> Result<(), BadChunk> {
        out.extend_from_slice(b"0\r\n");
        if self.trailer.len() > 2 {
            let wrong = BadChunk("the trailers are malformed");
            let mut fields = [httparse::EMPTY_HEADER; MOST_TRAILERS];
            match httparse::parse_headers(&self.trailer, &mut fields) {
                Ok(httparse::Status::Complete((end, fields))) if end == self.trailer.len() => {
                    if !has_clean_lines(&self.trailer) {
                        return Err(wrong);
                    }
                    for field in fields.iter().filter(|field| is_allowed_in_trailer(field.name)) {
                        write_field(out, field.name, field.value);
                    }
                }
                _ => return Err(wrong),
            }
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `input` in pieces of `size` bytes; gives the data, and what is written at the end.
    fn decode(input: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>), BadChunk> {
        let mut decoder = Decoder::new();
        let (mut data, mut end) = (Vec::new(), Vec::new());
        for piece in input.chunks(size) {
            let mut piece = piece.to_vec();
            let step = decoder.decode(&mut piece)?;
            data.extend_from_slice(&piece[..step.data]);
        }
        if !decoder.is_done() {
            return Err(BadChunk("incomplete"));
        }
        decoder.write_end(&mut end)?;
        Ok((data, end))
    }

    #[test]
    fn data_is_the_same_however_it_arrives() {
        let input = b"5\r\nhello\r\n006;a=\"b\"\r\n world\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n";
        for size in 1..input.len() {
            let (data, end) = decode(input, size).unwrap();
            assert_eq!(data, b"hello world");
            assert_eq!(end, b"0\r\nX-Sum: 1\r\n\r\n");
        }
    }

    #[test]
    fn what_others_may_read_differently_is_refused() {
        for wrong in [
            "5\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhelloXX0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "\r\n0\r\n\r\n",
            "5;\r\nhello\r\n0\r\n\r\n",
            "5;a=\r\nhello\r\n0\r\n\r\n",
            "5;a=\"b\r\nhello\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "10000000000000000\r\n",
            "fffffffffffffffff\r\n",
            "0\r\nX: a\nY: b\r\n\r\n",
            "0\r\nX : a\r\n\r\n",
            "0\r\nX: \0\r\n\r\n",
        ] {
            assert!(decode(wrong.as_bytes(), 64).is_err(), "{wrong:?}");
        }
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));
        assert!(decode(long.as_bytes(), 100).is_err());
    }

    #[test]
    fn what_follows_the_end_is_left() {
        let mut input = b"1\r\na\r\n0\r\n\r\nGET /".to_vec();
        let step = Decoder::new().decode(&mut input).unwrap();
        assert_eq!((step.data, step.consumed), (1, input.len() - 5));
    }
}
