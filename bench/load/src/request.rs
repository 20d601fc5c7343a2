//! The requests as bytes.

use std::time::Duration;

use crate::plan::{Plan, RequestKind};

/// A request, ready to be written.
pub(crate) struct Request {
    /// Its id, in the header `X-Request-ID`, in the query, and in an order's body.
    pub(crate) id: String,
    /// What is written at once.
    pub(crate) first: Vec<u8>,
    /// What follows slowly: so many pieces, so long apart.
    pub(crate) slow: Option<Slow>,
}

/// The slow rest of a request.
pub(crate) struct Slow {
    pub(crate) chunk: Vec<u8>,
    pub(crate) chunks: u32,
    pub(crate) every: Duration,
}

impl Request {
    /// The request of this kind and number.
    pub(crate) fn new(
        plan: &Plan,
        run: &str,
        number: u64,
        kind: RequestKind,
        cookie: Option<&str>,
    ) -> Request {
        let id = format!("{run}-{number}");
        let turn = usize::try_from(number).unwrap_or(0) % plan.paths.len().max(1);
        let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let get = plan.paths.get(turn).map_or("/", String::as_str);
        match kind {
            RequestKind::Get => Request::plain(plan, &id, "GET", get, &cookie, ""),
            RequestKind::Fresh => {
                let fields = format!("Connection: close\r\n{cookie}");
                Request::plain(plan, &id, "GET", get, &fields, "")
            }
            RequestKind::Post => {
                let body = format!("{{\"id\":\"{id}\",\"product\":{},\"count\":1}}", number % 8 + 1);
                let fields =
                    format!("Content-Type: application/json\r\nContent-Length: {}\r\n{cookie}", body.len());
                Request::plain(plan, &id, "POST", &plan.order_path, &fields, &body)
            }
            RequestKind::Upload => {
                let fields = format!("Connection: close\r\nTransfer-Encoding: chunked\r\n{cookie}");
                let mut request = Request::plain(plan, &id, "POST", &plan.upload.path, &fields, "");
                let mut chunk = format!("{:x}\r\n", plan.upload.chunk).into_bytes();
                chunk.resize(chunk.len() + plan.upload.chunk, b'u');
                chunk.extend_from_slice(b"\r\n");
                request.slow = Some(Slow { chunk, chunks: plan.upload.chunks, every: plan.upload.every });
                request
            }
        }
    }

    fn plain(plan: &Plan, id: &str, method: &str, path: &str, fields: &str, body: &str) -> Request {
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!(
            "{method} {path}{joint}id={id} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tandem-load\r\nAccept: */*\r\n\
             X-Request-ID: {id}\r\n{fields}\r\n{body}",
            plan.host
        );
        Request { id: id.to_owned(), first: first.into_bytes(), slow: None }
    }
}
