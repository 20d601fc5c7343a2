//! A stand-in for the daemon: answers each request with what the test laid out for it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path: `GET /v1/status`.
    pub(crate) what: String,
    /// The header, lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// What is answered next to requests of one kind.
struct Answer {
    what: &'static str,
    status: u16,
    body: String,
    /// The answer goes on: its connection stays open.
    held: bool,
}

/// The stand-in; it serves until the test is over.
#[derive(Clone, Default)]
pub(crate) struct Daemon {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    open: Arc<Mutex<Vec<UnixStream>>>,
}

impl Daemon {
    /// Serves in the state folder beside a configuration that it writes into `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Daemon {
        let config =
            "service = \"shop\"\nrun.command = [\"bin/shop\"]\nlisten = [{ address = \"127.0.0.1:8080\" }]\n";
        std::fs::write(folder.join("tandem.toml"), config).unwrap();
        std::fs::create_dir_all(folder.join(".tandem")).unwrap();
        let listener = UnixListener::bind(folder.join(".tandem/admin.sock")).unwrap();
        let daemon = Daemon::default();
        let serving = daemon.clone();
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serving.serve(stream);
            }
        });
        daemon
    }

    /// Answers are used up in the order in which they were laid out, each by a request for `what`.
    pub(crate) fn answers(&self, what: &'static str, status: u16, body: &Value) -> &Daemon {
        self.answers_with(what, status, body.to_string())
    }

    pub(crate) fn answers_with(&self, what: &'static str, status: u16, body: impl Into<String>) -> &Daemon {
        self.lay_out(what, status, body.into(), false)
    }

    /// As the others, but the answer has no end.
    pub(crate) fn answers_without_end(&self, what: &'static str, body: impl Into<String>) -> &Daemon {
        self.lay_out(what, 200, body.into(), true)
    }

    fn lay_out(&self, what: &'static str, status: u16, body: String, held: bool) -> &Daemon {
        self.answers.lock().unwrap().push_back(Answer { what, status, body, held });
        self
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn serve(&self, stream: UnixStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = String::new();
        while reader.read_line(&mut head)? > 2 {}
        if head.is_empty() {
            return Ok(());
        }
        let head_lower = head.to_lowercase();
        let length =
            head_lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let what = head.lines().next().unwrap_or("").trim_end_matches(" HTTP/1.1").to_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.asked.lock().unwrap().push(Asked { what: what.clone(), head: head_lower, body });
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            let at = answers.iter().position(|answer| answer.what == what);
            at.and_then(|at| answers.remove(at))
        };
        let answer = answer.unwrap_or_else(|| Answer {
            what: "",
            status: 404,
            body: problem(404, "not-found", &format!("nothing was laid out for {what}")).to_string(),
            held: false,
        });
        let mut stream = stream;
        // Without a length: the end of the connection is the end of the answer, as when a daemon dies.
        write!(stream, "HTTP/1.1 {} -\r\nconnection: close\r\n\r\n{}", answer.status, answer.body)?;
        if answer.held {
            self.open.lock().unwrap().push(stream);
        }
        Ok(())
    }
}

/// A refusal as the daemon writes it.
pub(crate) fn problem(status: u16, code: &str, detail: &str) -> Value {
    json!({ "type": "about:blank", "title": "refused", "status": status, "detail": detail, "code": code })
}

/// A stream of events: kinds and data.
pub(crate) fn stream(events: &[(&str, Value)]) -> String {
    events.iter().map(|(kind, data)| format!("event: {kind}\ndata: {data}\n\n")).collect()
}
