//! Answers that need no instance: a file of the shelf, and the way on from a link. Tested through the whole proxy.

use std::io::IoSlice;

use super::Next;
use crate::client::Connection;
use crate::deadline::Side;
use crate::request::{Outcome, Request};
use crate::shelf::{self, Shelved};

impl Connection {
    /// Answers with a file of the shelf.
    pub(super) async fn send_shelved(
        &mut self,
        request: &Request,
        mut file: Shelved,
        out: &mut Vec<u8>,
    ) -> Next {
        let keep_alive = request.keep_alive && !request.http10 && !self.worker.shared.is_closing();
        shelf::head(&file, keep_alive, out);
        if self.send(out).await.is_err() {
            return Next::Close;
        }
        let mut left = if request.is_head { 0 } else { file.length };
        while left > 0 {
            // Files may be on a slow disk, and this thread has others to serve.
            let read = tokio::task::spawn_blocking(move || file.read().map(|part| (file, part)));
            let Ok(Ok((same, part))) = read.await else { return Next::Close };
            file = same;
            if part.is_empty() {
                // Shorter than it was: the end that is missing must be missed.
                return Next::Close;
            }
            let part = part.get(..part.len().min(left as usize)).unwrap_or_default();
            left -= part.len() as u64;
            self.limits.set(Side::Answer, self.timeouts.stream.0);
            let mut parts = [IoSlice::new(part)];
            let sent = self.limits.write_all(Side::Answer, &mut self.stream, &mut parts, &mut 0).await;
            self.limits.clear(Side::Answer);
            if sent.is_err() {
                return Next::Close;
            }
        }
        if keep_alive { Next::Continue } else { Next::Linger }
    }

    /// Sends the client to where its link leads, with the cookie that the link stands for.
    pub(super) async fn send_again(&mut self, request: &Request, out: &mut Vec<u8>) -> Next {
        let Outcome::Again(again) = &request.session else { return Next::Close };
        let (target, cookie) = &**again;
        out.clear();
        let head = format!(
            "HTTP/1.1 303 See Other\r\nLocation: {target}\r\nSet-Cookie: {cookie}\r\n\
             Cache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        let _gone = self.send(out).await;
        Next::Linger
    }
}
