//! Answers that need no instance: what a rule says, a file of the shelf, and the way on from a link. Tested through the whole proxy.

use std::io::IoSlice;

use tandem_core::traffic::Maintenance;

use super::Next;
use crate::client::Connection;
use crate::deadline::Side;
use crate::request::{Framing, Outcome, Request};
use crate::respond::reason;
use crate::rule::Rule;
use crate::shelf::{self, Shelved};

/// Where certificate authorities ask for a token (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

impl Connection {
    /// Whether `answer_itself` may have to do with a request: hardly ever. `head` is the request's.
    pub(crate) fn may_answer_itself(&self, head: &[u8]) -> bool {
        let target = || memchr::memchr(b' ', head).and_then(|at| head.get(at + 1..));
        self.client.redirect.is_some()
            || !self.client.secure && target().is_some_and(|target| target.starts_with(CHALLENGES.as_bytes()))
    }

    /// Answers what needs no service at all: the question of a certificate authority, and what belongs to `https`. `out`
    /// holds the request's head.
    pub(crate) async fn answer_itself(&mut self, request: &Request, out: &mut Vec<u8>) -> Option<Next> {
        if self.client.secure {
            return None;
        }
        let line = out.split(|&b| b == b'\r').next().and_then(|line| std::str::from_utf8(line).ok())?;
        let target = line.split(' ').nth(1)?;
        if let Some(token) = target.strip_prefix(CHALLENGES)
            && let Some(tls) = self.worker.shared.tls.load_full()
            && let Some((_, answer)) = tls.answers.iter().find(|(known, _)| known == token)
        {
            let head =
                format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", answer.len());
            return Some(self.say(request, 200, &head, answer, out).await);
        }
        let port = self.client.redirect?;
        let host = std::str::from_utf8(out.get(request.host.0..request.host.1)?).ok()?;
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host,
        };
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        let target = if target.starts_with('/') { target } else { "/" };
        let head = format!("Location: https://{name}{port}{target}\r\nContent-Length: 0\r\n");
        Some(self.say(request, 308, &head, "", out).await)
    }

    /// Answers as a rule says, if it does; `out` holds the request's head.
    pub(super) async fn answer_by_rule(
        &mut self,
        request: &Request,
        rule: &Rule,
        out: &mut Vec<u8>,
    ) -> Option<Next> {
        let spec = &rule.spec;
        let mut fields = String::new();
        if spec.redirect.is_some() {
            let Some(location) = rule.location(&request.asked(out)?) else {
                return Some(self.answer(request, 414, "the target became too long by a rule", out).await);
            };
            fields.push_str(&format!("Location: {location}\r\n"));
        } else if spec.answer.is_none() {
            return None;
        }
        let body = spec.answer.as_deref().unwrap_or_default();
        if !body.is_empty() && !spec.response.takes_away("content-type") {
            fields.push_str(&format!("Content-Type: {}\r\n", spec.content_type()));
        }
        let status = spec.status();
        // These end with their head, whatever it says.
        if !matches!(status, 204 | 304) {
            fields.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        fields.extend(spec.response.set.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        Some(self.say(request, status, &fields, body, out).await)
    }

    /// Builds the request's head anew, as its rule wants it; false: the target would be too long.
    pub(super) fn rebuild(&self, request: &Request, rule: &Rule, out: &mut Vec<u8>) -> bool {
        let mut head = self.worker.buffers.text();
        std::mem::swap(&mut head, out);
        out.clear();
        let host = request.asked(&head).map_or("", |asked| asked.host);
        let fits = rule.rebuild(&head, host, out);
        self.worker.buffers.put_text(head);
        fits
    }

    /// Tells the client to come back when the service is open again.
    pub(super) async fn maintain(
        &mut self,
        request: &Request,
        told: &Maintenance,
        out: &mut Vec<u8>,
    ) -> Next {
        let (kind, body) = if request.wants_json {
            let detail = serde_json::json!({
                "status": 503, "title": "Service Unavailable", "detail": told.message, "maintenance": true
            });
            ("application/problem+json", format!("{detail}\n"))
        } else {
            ("text/html; charset=utf-8", told.html())
        };
        let fields = format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nRetry-After: {}\r\n",
            body.len(),
            told.retry_after.0.div_ceil(1000)
        );
        self.say(request, 503, &fields, &body, out).await
    }

    async fn say(
        &mut self,
        request: &Request,
        status: u16,
        fields: &str,
        body: &str,
        out: &mut Vec<u8>,
    ) -> Next {
        let keep_alive = request.body == Framing::None && request.keep_alive && !request.http10;
        let end = if keep_alive { "\r\n" } else { "Connection: close\r\n\r\n" };
        let body = if request.is_head { "" } else { body };
        let reason = reason(status);
        self.account.answered_alone(status);
        out.clear();
        out.extend_from_slice(format!("HTTP/1.1 {status} {reason}\r\n{fields}{end}{body}").as_bytes());
        match self.send(out).await {
            Ok(()) if keep_alive => Next::Continue,
            _ => Next::Linger,
        }
    }

    /// Answers with a file of the shelf.
    pub(super) async fn send_shelved(
        &mut self,
        request: &Request,
        mut file: Shelved,
        out: &mut Vec<u8>,
    ) -> Next {
        let keep_alive = request.keep_alive && !request.http10 && !self.worker.shared.is_closing();
        self.account.answered_alone(200);
        shelf::head(&file, keep_alive, out);
        if self.send(out).await.is_err() {
            return Next::Abort;
        }
        let mut left = if request.is_head { 0 } else { file.length };
        while left > 0 {
            // Files may be on a slow disk, and this thread has others to serve.
            let read = tokio::task::spawn_blocking(move || file.read().map(|part| (file, part)));
            let Ok(Ok((same, part))) = read.await else { return Next::Abort };
            file = same;
            if part.is_empty() {
                // Shorter than it was: the end that is missing must be missed.
                return Next::Abort;
            }
            let part = part.get(..part.len().min(left as usize)).unwrap_or_default();
            left -= part.len() as u64;
            self.account.sent.set(self.account.sent.get() + part.len() as u64);
            self.limits.set(Side::Answer, self.timeouts.stream.0);
            let mut parts = [IoSlice::new(part)];
            let sent = self.limits.write_all(Side::Answer, &mut self.stream, &mut parts, &mut 0).await;
            self.limits.clear(Side::Answer);
            if sent.is_err() {
                return Next::Abort;
            }
        }
        if keep_alive { Next::Continue } else { Next::Linger }
    }

    /// Sends the client to where its link leads, with the cookie that the link stands for.
    pub(super) async fn send_again(&mut self, request: &Request, out: &mut Vec<u8>) -> Next {
        let Outcome::Again(again) = &request.session else { return Next::Close };
        let (target, cookie) = &**again;
        self.account.answered_alone(303);
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
