//! Answers of the proxy itself: refusals, and what a client gets when no instance could answer.
//!
//! Small, in HTML or JSON, with the request's id so that it can be found again. Tested through the whole proxy.

/// An answer of the proxy itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// What happened, for people.
    pub(crate) why: &'a str,
    /// The id of the request, if it came so far.
    pub(crate) id: Option<&'a [u8]>,
    /// The client prefers JSON.
    pub(crate) json: bool,
    /// No body may be sent.
    pub(crate) is_head: bool,
    /// The connection goes on.
    pub(crate) keep_alive: bool,
}

impl Own<'_> {
    /// Appends the whole answer.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let reason = reason(self.status);
        let id = self.id.and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default();
        let (kind, body) = if self.json {
            let body = format!(
                "{{\"status\":{},\"title\":\"{reason}\",\"detail\":\"{}\",\"request\":\"{id}\"}}\n",
                self.status, self.why
            );
            ("application/problem+json", body)
        } else {
            let line = if id.is_empty() { String::new() } else { format!("<p>Request {id}</p>\n") };
            let body = format!(
                "<!doctype html>\n<title>{} {reason}</title>\n<h1>{reason}</h1>\n<p>{}</p>\n{line}",
                self.status, self.why
            );
            ("text/html; charset=utf-8", body)
        };
        let mut head = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n",
            self.status,
            body.len()
        );
        if !id.is_empty() {
            head.push_str(&format!("X-Request-ID: {id}\r\n"));
        }
        if self.status == 503 {
            head.push_str("Retry-After: 1\r\n");
        }
        if self.status == 405 {
            head.push_str("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
        }
        head.push_str(if self.keep_alive { "\r\n" } else { "Connection: close\r\n\r\n" });
        out.extend_from_slice(head.as_bytes());
        if !self.is_head {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

/// The words for a status.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        other if other < 400 => "Answer",
        _ => "Error",
    }
}
