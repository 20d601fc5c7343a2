//! A file as the body of a request, read as it is sent.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// So much is read at a time, in bytes.
const PART: usize = 64 * 1024;

/// The content of a file.
pub(super) struct Upload {
    file: File,
    left: u64,
}

impl Upload {
    /// # Errors
    /// The system's.
    pub(super) fn of(file: File) -> io::Result<Upload> {
        let left = file.metadata()?.len();
        Ok(Upload { file, left })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    /// Waits for the disk: nothing else is going on in this program meanwhile.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut part = vec![0; PART.min(usize::try_from(self.left).unwrap_or(PART))];
        Poll::Ready(Some(self.file.read_exact(&mut part).map(|()| {
            self.left -= part.len() as u64;
            Frame::data(part.into())
        })))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
