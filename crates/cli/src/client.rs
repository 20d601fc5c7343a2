//! Talking to the daemon: HTTP and JSON over the Unix socket `admin.sock` in the state folder.
//!
//! One connection per request; every wait has an end, but for streams that are meant to stay open. Must not know what
//! the answers mean. Tested in `tests/cli`.

mod events;
mod upload;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tandem_server::api::{Problem, ProblemCode};
use tandem_server::state::StateFolder;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::place::{self, Place};

pub(crate) use events::{Message, Messages};
use upload::Upload;

/// How long the daemon may take to answer, but for streams.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a deliverable may take to be handed over.
const UPLOAD: Duration = Duration::from_secs(3600);
/// From one try to reach a daemon that went away to the next.
const RETRY: Duration = Duration::from_millis(200);
/// No answer is longer, in bytes; streams have no such limit.
const LONGEST_ANSWER: usize = 64 << 20;

/// Where the daemon of a service listens.
pub(crate) struct Client {
    socket: PathBuf,
    /// What people call the service: its configuration file, or the state folder where that is named.
    name: String,
}

impl Client {
    /// The daemon that the command line means.
    ///
    /// # Errors
    /// Neither a configuration nor a state folder is found.
    pub(crate) fn find(global: &Global) -> Result<Client, Failure> {
        let mut states = Place::states(global)?;
        match (states.pop(), states.is_empty()) {
            (Some((name, state)), true) => Ok(Client { socket: state.admin_socket(), name }),
            (last, _) => {
                let names: Vec<_> =
                    states.iter().chain(&last).filter_map(|(_, state)| state.name()).collect();
                Err(place::which(&names))
            }
        }
    }

    /// The way in from the network, at its socket for tickets.
    ///
    /// # Errors
    /// Neither a configuration nor a state folder is found.
    pub(crate) fn entrance(global: &Global) -> Result<Client, Failure> {
        let place = Place::front(global)?;
        let socket = StateFolder::at(&place.state).ticket_socket();
        Ok(Client { socket, name: shown(&place.config) })
    }

    /// The daemons of all services that the command line may mean.
    ///
    /// # Errors
    /// Neither a configuration nor a state folder is found.
    pub(crate) fn all(global: &Global) -> Result<Vec<Client>, Failure> {
        let states = Place::states(global)?.into_iter();
        Ok(states.map(|(name, state)| Client { socket: state.admin_socket(), name }).collect())
    }

    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, Failure> {
        self.call(Method::GET, path, Bytes::new(), None).await
    }

    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<A, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::failed(error.to_string()))?;
        self.call(Method::POST, path, body.into(), None).await
    }

    /// As [`Client::post`]; sent twice with the same key it takes effect once.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn post_once<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &str,
    ) -> Result<A, Failure> {
        let body: Bytes =
            serde_json::to_vec(body).map_err(|error| Failure::failed(error.to_string()))?.into();
        let deadline = Instant::now() + PATIENCE;
        // From here on the daemon may have got the request, even if its answer does not come.
        self.connect().await?;
        loop {
            match self.call(Method::POST, path, body.clone(), Some(key)).await {
                Err(failure) if failure.exit == Exit::NoDaemon && Instant::now() < deadline => {
                    sleep(RETRY).await;
                }
                answer => return answer,
            }
        }
    }

    /// One request, one answer.
    ///
    /// # Errors
    /// No daemon; it does not answer in time; it refuses.
    async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<A, Failure> {
        let answer = async {
            let response = self.send(method, path, body, &[("idempotency-key", key)]).await?;
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|error| self.broken(&error.to_string()))
        };
        let bytes = timeout(PATIENCE, answer).await.map_err(|_| self.silent())??;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::failed(format!("the daemon's answer can't be understood: {error}"))
                .help("is the daemon of another version than this program? Compare `tandem --version`")
        })
    }

    /// Hands a file over.
    ///
    /// # Errors
    /// As [`Client::call`]; or the file can't be read.
    pub(crate) async fn push<A: DeserializeOwned>(
        &self,
        file: std::fs::File,
        fields: &[(&str, Option<&str>)],
    ) -> Result<A, Failure> {
        let body = Upload::of(file).map_err(|error| Failure::failed(error.to_string()))?;
        let answer = self.exchange(Method::POST, "/v1/push", body, fields);
        let response = timeout(UPLOAD, answer).await.map_err(|_| self.silent())??;
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        let bytes = body.map_err(|error| self.broken(&error.to_string()))?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| Failure::failed(error.to_string()))
    }

    /// The journal and how things stand, as they change, after the event `after`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn messages(&self, path: &str, after: Option<u64>) -> Result<Messages, Failure> {
        let after = after.map(|seq| seq.to_string());
        Ok(Messages::new(self.open(path, &[("last-event-id", after.as_deref())]).await?))
    }

    /// An answer whose body goes on for as long as both sides like.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn open(
        &self,
        path: &str,
        fields: &[(&str, Option<&str>)],
    ) -> Result<Incoming, Failure> {
        let answer = self.send(Method::GET, path, Bytes::new(), fields);
        let answer = timeout(PATIENCE, answer).await.map_err(|_| self.silent())??;
        Ok(answer.into_body())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        fields: &[(&str, Option<&str>)],
    ) -> Result<Response<Incoming>, Failure> {
        let kind = ("content-type", Some("application/json").filter(|_| !body.is_empty()));
        self.exchange(method, path, Full::new(body), &[&[kind][..], fields].concat()).await
    }

    async fn exchange<B>(
        &self,
        method: Method,
        path: &str,
        body: B,
        fields: &[(&str, Option<&str>)],
    ) -> Result<Response<Incoming>, Failure>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = self.connect().await?;
        let broken = |error: hyper::Error| self.broken(&error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the connection, at the latest with the program.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(http::header::HOST, "tandem");
        for (name, value) in fields {
            if let Some(value) = value {
                request = request.header(*name, *value);
            }
        }
        let request = request.body(body).map_err(|error| Failure::failed(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = Limited::new(response.into_body(), 1 << 20).collect().await;
        Err(refused(status, &body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    }

    async fn connect(&self) -> Result<UnixStream, Failure> {
        UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound, PermissionDenied};
        match error.kind() {
            NotFound | ConnectionRefused => {
                Failure::new(Exit::NoDaemon, format!("no daemon is running for {}", self.name))
                    .help("start one with `tandem up`")
            }
            PermissionDenied => {
                Failure::failed(format!("the daemon of {} belongs to somebody else", self.name))
                    .help(format!("only the owner of {} may use it", shown(&self.socket)))
            }
            InvalidInput => {
                let socket = shown(&self.socket);
                Failure::new(
                    Exit::NoDaemon,
                    format!("no daemon can run for {}: {socket} is too long a path for a socket", self.name),
                )
            }
            _ => Failure::failed(format!("{} can't be reached: {error}", shown(&self.socket))),
        }
    }

    fn broken(&self, error: &str) -> Failure {
        Failure::new(Exit::NoDaemon, format!("the daemon of {} broke the connection off: {error}", self.name))
            .help("see what `tandem up` says, then try again")
    }

    fn silent(&self) -> Failure {
        let seconds = PATIENCE.as_secs();
        Failure::new(Exit::TimedOut, format!("the daemon of {} did not answer within {seconds} s", self.name))
            .help("see what `tandem up` says")
    }
}

fn shown(path: &Path) -> String {
    place::shown(path)
}

/// What a refusal means for the one who asked.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Failure::failed(format!("the daemon answered {status}"));
    };
    let exit = match problem.code {
        ProblemCode::Busy
        | ProblemCode::Conflict
        | ProblemCode::KeyUsed
        | ProblemCode::Forbidden
        | ProblemCode::Unauthorized => Exit::Refused,
        ProblemCode::BadRequest | ProblemCode::NotFound | ProblemCode::TooLarge | ProblemCode::WrongHost => {
            Exit::Usage
        }
        ProblemCode::MethodNotAllowed
        | ProblemCode::TooMany
        | ProblemCode::Unavailable
        | ProblemCode::Internal => Exit::Failed,
    };
    Failure::new(exit, problem.detail)
}
