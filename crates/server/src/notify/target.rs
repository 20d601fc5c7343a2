//! Who is told, and how a message gets there: by POST, or by a command of the team's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::crypto::ring;
use sha2::{Digest, Sha256};
use tandem_core::spec::{NotifySpec, Occasion};

use super::notice::Notice;
use crate::errand;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(60);
/// How long is paused between tries. After the last of them nobody is told any more.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];

/// Who asks, for the other side's logs.
const NAME: HeaderValue = HeaderValue::from_static(concat!("tandem/", env!("CARGO_PKG_VERSION")));

/// Connections to whoever is told.
pub(super) struct Line(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Line {
    pub(super) fn new() -> Line {
        let provider = Arc::new(ring::default_provider());
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider.clone());
        let builder = builder.unwrap_or_else(|error| {
            tracing::warn!(%error, "the system's certificates can't be read: nobody can be told over https");
            let config =
                rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = config.expect("ring knows both versions");
            HttpsConnectorBuilder::new()
                .with_tls_config(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        });
        Line(Client::builder(TokioExecutor::new()).build(builder.https_or_http().enable_http1().build()))
    }
}

/// Somebody who is told.
pub(super) struct Target {
    spec: NotifySpec,
    way: Way,
}

enum Way {
    Post(String),
    Run(Vec<String>, PathBuf),
}

/// Why a message did not arrive, and whether it may the next time.
struct Miss {
    why: String,
    again: bool,
}

impl Target {
    /// Whom a configuration names, with its address resolved; `folder` is where commands are run.
    pub(super) fn new(spec: &NotifySpec, url: Option<String>, folder: &Path) -> Target {
        let command = || Way::Run(spec.command.clone().unwrap_or_default(), folder.to_owned());
        Target { spec: spec.clone(), way: url.map_or_else(command, Way::Post) }
    }

    /// By which what it was told is found again, wherever it stands in the configuration.
    pub(super) fn key(&self) -> String {
        let way = match &self.way {
            Way::Post(url) => url.clone(),
            Way::Run(words, _) => words.join("\n"),
        };
        Sha256::digest(way).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn wants(&self, occasion: Occasion) -> bool {
        self.spec.wants(occasion)
    }

    /// What it is called where people read it: what follows the host of an address may be secret.
    pub(super) fn name(&self) -> String {
        match &self.way {
            Way::Run(words, _) => words.first().map(|program| format!("`{program}`")).unwrap_or_default(),
            Way::Post(url) => {
                let uri = url.parse::<Uri>().ok();
                uri.as_ref().and_then(Uri::host).unwrap_or("an address that can't be read").to_owned()
            }
        }
    }

    /// Hands a message over, with a few tries.
    pub(super) async fn deliver(&self, notice: &Notice, line: &Line) -> Result<(), String> {
        let mut pauses = PAUSES.iter();
        loop {
            let Err(miss) = self.hand_over(notice, line).await else { return Ok(()) };
            match pauses.next().filter(|_| miss.again) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(miss.why),
            }
        }
    }

    async fn hand_over(&self, notice: &Notice, line: &Line) -> Result<(), Miss> {
        let body = notice.body(self.spec.format);
        match &self.way {
            Way::Post(url) => post(url, body, line).await,
            Way::Run(words, folder) => {
                let command = command(words, folder, notice.occasion);
                let work = move || errand::run(command, &body, COMMAND, &AtomicBool::new(false));
                match tokio::task::spawn_blocking(work).await {
                    Ok(Some(outcome)) => outcome.map_err(|why| Miss { why, again: true }),
                    Ok(None) | Err(_) => Ok(()),
                }
            }
        }
    }
}

fn command(words: &[String], folder: &Path, occasion: Occasion) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or("", String::as_str));
    command.args(words).current_dir(folder).env("TANDEM_OCCASION", occasion.name());
    command
}

async fn post(url: &str, body: Vec<u8>, line: &Line) -> Result<(), Miss> {
    let request = Request::post(url)
        .header(USER_AGENT, NAME)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Miss { why: error.to_string(), again: false })?;
    match tokio::time::timeout(PATIENCE, line.0.request(request)).await {
        Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
        Ok(Ok(answer)) => {
            let status = answer.status();
            let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            Err(Miss { why: format!("it answers {status}"), again: later || status.is_server_error() })
        }
        Ok(Err(error)) => Err(Miss { why: chain(&error), again: true }),
        Err(_) => Err(Miss { why: format!("no answer within {}s", PATIENCE.as_secs()), again: true }),
    }
}

/// An error with what lies below it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text = format!("{text}: {cause}");
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tandem_core::spec::MessageFormat;

    use super::*;

    #[test]
    fn an_address_is_named_without_what_is_secret() {
        let spec = NotifySpec { format: MessageFormat::Slack, ..NotifySpec::default() };
        let target =
            Target::new(&spec, Some("https://chat.example.com/T0/secret".to_owned()), Path::new("/"));
        assert_eq!(target.name(), "chat.example.com");
    }
}
