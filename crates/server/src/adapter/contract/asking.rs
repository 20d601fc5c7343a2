//! Asking a running instance for its document: one question at a time, bounded in time and size.
//!
//! Decides nothing; follows no redirects. Tested in place.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_core::base::InstanceId;
use tandem_core::contract::{Form, LARGEST};
use tandem_core::deploy::Promise;
use tandem_core::spec::Protocol;
use tokio::net::TcpStream;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after no answer it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// The last question, and what came of it.
#[derive(Default)]
pub(super) struct Asking {
    last: Mutex<Option<Last>>,
}

struct Last {
    instance: InstanceId,
    under_way: bool,
    found: Option<(Promise, Instant)>,
}

impl Asking {
    /// What came of asking an instance, and whether it is to be asked now: then `end` must follow.
    pub(super) fn look(&self, instance: InstanceId) -> (Option<Promise>, bool) {
        let mut last = self.lock();
        let known = last.take().filter(|last| last.instance == instance);
        let mut known = known.unwrap_or(Last { instance, under_way: false, found: None });
        let due = match &known.found {
            None => true,
            Some((Promise::Unanswered(_), at)) => at.elapsed() >= AGAIN,
            Some(_) => false,
        };
        let begins = due && !known.under_way;
        known.under_way |= begins;
        let found = known.found.as_ref().map(|(promise, _)| promise.clone());
        *last = Some(known);
        (found, begins)
    }

    /// An answer came, or none.
    pub(super) fn end(&self, instance: InstanceId, promise: Promise) {
        let mut last = self.lock();
        if let Some(last) = last.as_mut().filter(|last| last.instance == instance) {
            (last.under_way, last.found) = (false, Some((promise, Instant::now())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instance, and how it is asked.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) socket: SocketAddr,
    pub(super) protocol: Protocol,
    /// What it is called in the request. None: by its address.
    pub(super) host: Option<String>,
    pub(super) path: String,
}

/// A document as it was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) form: Form,
}

/// Asks an instance for its document. Blocks for a bounded time.
pub(super) fn ask(address: &Address) -> Result<Answer, Promise> {
    ask_within(address, PATIENCE)
}

fn ask_within(address: &Address, patience: Duration) -> Result<Answer, Promise> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.map_err(|error| Promise::Unanswered(error.to_string())).and_then(|runtime| {
        let answer = async { tokio::time::timeout(patience, exchange(address)).await };
        let late = |_| Promise::Unanswered(format!("no whole answer within {patience:?}"));
        runtime.block_on(answer).map_err(late)?
    });
    let path = &address.path;
    asked.map_err(|promise| match promise {
        Promise::Unanswered(why) => Promise::Unanswered(format!("GET {path}: {why}")),
        Promise::Unusable(why) => Promise::Unusable(format!("GET {path}: {why}")),
        told @ Promise::Told(..) => told,
    })
}

async fn exchange(address: &Address) -> Result<Answer, Promise> {
    let failed = |error: &dyn std::error::Error| Promise::Unanswered(chain(error));
    let stream = TcpStream::connect(address.socket).await.map_err(|error| failed(&error))?;
    let host = address.host.clone().unwrap_or_else(|| address.socket.to_string());
    let name = concat!("tandem/", env!("CARGO_PKG_VERSION"));
    let request = Request::builder().header(USER_AGENT, name).header("accept", "*/*");
    let odd = |error: http::Error| Promise::Unusable(error.to_string());
    let io = TokioIo::new(stream);
    let answer = match address.protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await.map_err(|error| failed(&error))?;
            tokio::spawn(connection);
            let request = request.uri(&address.path).header(HOST, host);
            sender.send_request(request.body(Empty::<Bytes>::new()).map_err(odd)?).await
        }
        Protocol::Http2 => {
            let handshake = http2::handshake(TokioExecutor::new(), io).await;
            let (mut sender, connection) = handshake.map_err(|error| failed(&error))?;
            tokio::spawn(connection);
            let request = request.uri(format!("http://{host}{}", address.path));
            sender.send_request(request.body(Empty::<Bytes>::new()).map_err(odd)?).await
        }
    };
    read(answer.map_err(|error| failed(&error))?).await
}

async fn read(answer: Response<Incoming>) -> Result<Answer, Promise> {
    let field = |name| {
        let value = answer.headers().get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect::<String>())
    };
    let status = answer.status();
    if status != http::StatusCode::OK {
        let to = field(LOCATION).map(|to| format!(", Location: {to}")).unwrap_or_default();
        return Err(Promise::Unusable(format!(
            "the answer is {status}{to}: answer 200 with the OpenAPI document, or name another path in `contract.document`"
        )));
    }
    let kind = field(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/html") {
        return Err(Promise::Unusable("the answer is a page (text/html) and no OpenAPI document".to_owned()));
    }
    let whole = Limited::new(answer.into_body(), LARGEST as usize).collect().await;
    let bytes = whole.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Promise::Unusable(format!("the answer is larger than {} MiB", LARGEST >> 20)),
        None => Promise::Unanswered(chain(&*error)),
    })?;
    let text = String::from_utf8(bytes.to_bytes().into());
    let text = text.map_err(|_| Promise::Unusable("the answer is not UTF-8 text".to_owned()))?;
    let object = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    let json = !kind.contains("yaml") && (kind.contains("json") || object);
    Ok(Answer { form: if json { Form::Json } else { Form::Yaml }, text })
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut told, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is made of an answer, given by a server that goes on to write `more` as long as somebody reads.
    fn answered(head: &str, more: &'static [u8]) -> Result<Answer, Promise> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = listener.local_addr().unwrap();
        let head = head.to_owned();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let count = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            let mut written = stream.write_all(head.as_bytes());
            while written.is_ok() && !more.is_empty() {
                written = stream.write_all(more);
            }
            request
        });
        let (host, path) = (Some("shop.example".to_owned()), "/openapi.json".to_owned());
        let answer = ask(&Address { socket, protocol: Protocol::Http1, host, path });
        let request = server.join().unwrap().to_ascii_lowercase();
        assert!(request.starts_with("get /openapi.json http/1.1\r\n"), "{request}");
        assert!(request.contains("host: shop.example\r\n"), "{request}");
        answer
    }

    fn form(kind: &str, body: &str) -> Form {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{kind}\r\n{body}");
        answered(&head, b"").unwrap().form
    }

    #[test]
    fn the_form_is_told_by_the_answer() {
        assert_eq!(form("content-type: application/json\r\n", "x"), Form::Json);
        assert_eq!(form("content-type: application/yaml\r\n", "{}"), Form::Yaml);
        assert_eq!(form("", " {}"), Form::Json);
        assert_eq!(form("content-type: text/plain\r\n", "a: 1"), Form::Yaml);
    }

    #[test]
    fn an_instance_that_speaks_http2_is_asked_in_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                let mut asked = String::new();
                while let Some(Ok((request, mut answer))) = connection.accept().await {
                    asked = request.uri().to_string();
                    let mut body = answer.send_response(Response::new(()), false).unwrap();
                    body.send_data(Bytes::from_static(b"{}"), true).unwrap();
                }
                asked
            })
        });
        let (host, path) = (Some("shop.example".to_owned()), "/openapi.json".to_owned());
        let answer = ask(&Address { socket, protocol: Protocol::Http2, host, path }).unwrap();
        assert_eq!((answer.text.as_str(), answer.form), ("{}", Form::Json));
        assert_eq!(server.join().unwrap(), "http://shop.example/openapi.json");
    }

    #[test]
    fn what_is_no_document_is_refused_and_what_is_cut_is_asked_for_again() {
        let told = |head: &str, more: &'static [u8]| format!("{:?}", answered(head, more).unwrap_err());
        let moved = told("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", b"");
        let expected = "Unusable(\"GET /openapi.json: the answer is 302 Found, Location: /login: answer 200";
        assert!(moved.starts_with(expected), "{moved}");
        let page = told("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", b"");
        assert!(page.contains("is a page (text/html)"), "{page}");
        let large = told("HTTP/1.1 200 OK\r\n\r\n", &[b' '; 65_536]);
        assert!(large.starts_with("Unusable") && large.contains("larger than 16 MiB"), "{large}");
        let cut = told("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"");
        assert!(cut.starts_with("Unanswered"), "{cut}");
    }

    #[test]
    fn whoever_does_not_answer_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = listener.local_addr().unwrap();
        let address = Address { socket, protocol: Protocol::Http1, host: None, path: "/".to_owned() };
        let told = format!("{:?}", ask_within(&address, Duration::from_millis(50)).unwrap_err());
        assert!(told.starts_with("Unanswered(\"GET /: no whole answer within"), "{told}");
        drop(listener);
        let told = format!("{:?}", ask(&address).unwrap_err());
        assert!(told.starts_with("Unanswered(\"GET /: "), "{told}");
    }

    #[test]
    fn an_instance_is_asked_once_until_it_did_not_answer() {
        let asking = Asking::default();
        let (one, other) = (InstanceId(1), InstanceId(2));
        assert_eq!(asking.look(one), (None, true));
        assert_eq!(asking.look(one), (None, false));
        asking.end(other, Promise::Unusable("x".to_owned()));
        assert_eq!(asking.look(one), (None, false));
        let unusable = Promise::Unusable("x".to_owned());
        asking.end(one, unusable.clone());
        assert_eq!(asking.look(one), (Some(unusable), false));
        assert_eq!(asking.look(other), (None, true));
    }
}
