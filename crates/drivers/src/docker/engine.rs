//! One engine: reached when it is needed, watched for what its containers do, and left alone while it does not answer.
//!
//! Must not know versions or instances. Tested by `tests/drivers` with real engines.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use tandem_core::spec::EngineHost;

use super::label;
use super::trouble::Trouble;

/// How long an engine may take to say which version of the API it speaks.
const GREETING: Duration = Duration::from_secs(3);
/// How long it may take for what is quickly done.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// How long it may take to make, start or remove a container: a busy disk is slow.
pub(super) const SLOW: Duration = Duration::from_secs(60);
/// An engine that does not answer is asked again so often.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest that one call may last at all; the calls bound themselves much closer.
const CALL: Duration = Duration::from_secs(24 * 3600);

/// An engine.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) host: EngineHost,
    certificates: Option<PathBuf>,
    inner: Mutex<Inner>,
    /// Told when a call got no answer: the stream of events may hang as well.
    silent: tokio::sync::Notify,
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The engine, once it has told its version.
    client: Option<Docker>,
    /// Why it is left alone at the moment. The watch takes this away.
    away: Option<String>,
}

impl Engine {
    pub(super) fn new(host: EngineHost, certificates: Option<PathBuf>, bell: Arc<Bell>) -> Engine {
        Engine { host, certificates, inner: Mutex::default(), silent: tokio::sync::Notify::new(), bell }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is left alone because it did not answer.
    pub(super) fn is_away(&self) -> bool {
        self.inner().away.is_some()
    }

    /// Has the engine do something, at most for so long. One that is known to be away is not asked.
    pub(super) async fn call<T, F: Future<Output = Result<T, Error>>>(
        &self,
        within: Duration,
        work: impl FnOnce(Docker) -> F,
    ) -> Result<T, Trouble> {
        if let Some(why) = self.inner().away.clone() {
            return Err(Trouble::Away(why));
        }
        let done = match self.client().await {
            Ok(client) => match tokio::time::timeout(within, work(client)).await {
                Ok(done) => done.map_err(Trouble::from),
                Err(_) => Err(Trouble::Away(format!("nothing came for {} s", within.as_secs_f32()))),
            },
            Err(trouble) => Err(trouble),
        };
        // What takes long by nature may take too long without a fault of the engine.
        let is_quick = within <= QUICK;
        if let Err(Trouble::Away(why)) = &done
            && is_quick
        {
            self.lost(why);
        }
        done
    }

    fn lost(&self, why: &str) {
        let mut inner = self.inner();
        if inner.away.is_none() {
            tracing::warn!(engine = %self.host, %why, "an engine does not answer");
        }
        *inner = Inner { client: None, away: Some(why.to_owned()) };
        drop(inner);
        self.silent.notify_waiters();
        self.bell.ring();
    }

    async fn client(&self) -> Result<Docker, Trouble> {
        if let Some(client) = self.inner().client.clone() {
            return Ok(client);
        }
        let greeted = tokio::time::timeout(GREETING, self.connect()?.negotiate_version()).await;
        let client =
            greeted.map_err(|_| Trouble::Away(format!("nothing came for {} s", GREETING.as_secs())))??;
        self.inner().client = Some(client.clone());
        Ok(client)
    }

    fn connect(&self) -> Result<Docker, Trouble> {
        let (address, seconds, version) =
            (self.host.to_string(), CALL.as_secs(), bollard::API_DEFAULT_VERSION);
        let client = match (&self.host, &self.certificates) {
            (EngineHost::Socket(_), _) => Docker::connect_with_unix(&address, seconds, version),
            (EngineHost::Network(_), None) => Docker::connect_with_http(&address, seconds, version),
            (EngineHost::Network(_), Some(folder)) => {
                let file = |name: &str| folder.join(name);
                let (key, certificate, authority) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
                Docker::connect_with_ssl(&address, &key, &certificate, &authority, seconds, version)
            }
        };
        client.map_err(Trouble::from)
    }

    /// The address at which ports of the host are reached from here.
    pub(super) async fn address(&self) -> Result<IpAddr, Trouble> {
        let place = match &self.host {
            EngineHost::Socket(_) => return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            EngineHost::Network(place) => place.clone(),
        };
        let found = tokio::time::timeout(GREETING, tokio::net::lookup_host(place.clone())).await;
        let first = found.ok().and_then(Result::ok).and_then(|mut all| all.next());
        first.map(|address| address.ip()).ok_or_else(|| Trouble::Away(format!("{place} has no address")))
    }

    /// Rings whenever a container of ours may have changed, and finds out when the engine is back. Does not end.
    pub(super) async fn watch(self: Arc<Self>, state: String) {
        loop {
            let why = match self.events(&state).await {
                Ok(()) => "it ended the stream of its events".to_owned(),
                Err(trouble) => trouble.to_string(),
            };
            tracing::debug!(engine = %self.host, %why, "the events of an engine are not seen");
            self.bell.ring();
            // Nothing tells when an engine is back: it is asked again after a while.
            let _ = tokio::time::timeout(AGAIN, std::future::pending::<()>()).await;
        }
    }

    async fn events(&self, state: &str) -> Result<(), Trouble> {
        self.inner().client = None;
        let client = match self.client().await {
            Ok(client) => client,
            Err(trouble) => {
                if let Trouble::Away(why) = &trouble {
                    self.lost(why);
                }
                return Err(trouble);
            }
        };
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![format!("{}={state}", label::STATE)]),
            ("event", ["die", "start", "destroy", "oom"].map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        let mut events = client.events(Some(options));
        if self.inner().away.take().is_some() {
            tracing::info!(engine = %self.host, "an engine answers again");
        }
        // What happened before the first event is seen by looking.
        self.bell.ring();
        loop {
            let silent = self.silent.notified();
            let event = tokio::select! {
                event = events.next() => event,
                () = silent => return Ok(()),
            };
            match event {
                Some(event) => drop(event?),
                None => return Ok(()),
            }
            self.bell.ring();
        }
    }
}

/// Wakes those who wait for a change.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// How often it rang, and how often it had rung when somebody last looked.
    rings: Mutex<(u64, u64)>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        self.changed.notify_all();
    }

    /// From here on counts what rings.
    pub(super) fn look(&self) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.1 = rings.0;
    }

    /// Until it has rung since somebody looked, or the time is over.
    pub(super) fn wait(&self, at_most: Duration) {
        let deadline = Instant::now().checked_add(at_most);
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        while rings.0 == rings.1 {
            let left =
                deadline.map_or(at_most, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            rings = self.changed.wait_timeout(rings, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        rings.1 = rings.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_heard() {
        let bell = Bell::default();
        bell.look();
        bell.ring();
        let begun = Instant::now();
        bell.wait(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
        bell.wait(Duration::from_millis(1));
    }
}
