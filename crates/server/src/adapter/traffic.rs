//! The proxy as the engine's port of traffic: tables go there, reports come from there. After an upgrade there are several for a
//! while: those that are leaving get every table, and what is in flight on them counts.
//!
//! While the proxy is away nothing is known, which is not the same as zero. Counts go on over the proxy's restarts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tandem_core::base::ServiceName;
use tandem_core::traffic::{Counts, Table, TrafficReport};
use tandem_engine::{PortError, Traffic};
use tandem_proxy::control::{Client, ControlError};

use crate::state::{StateFolder, write_file};
use crate::wake::Wake;

/// How long the proxy keeps a question open when it has nothing new to tell.
const WATCH: Duration = Duration::from_secs(5);

/// The same while another one is leaving, which keeps no question open.
const LEAVING: Duration = Duration::from_millis(200);

/// How often an absent proxy is looked for. A connection is refused at once.
const LOOK: Duration = Duration::from_millis(20);

/// How often counts are kept, beyond each new run of the proxy.
const KEEP: Duration = Duration::from_secs(10);

/// The proxy, as far as the engine has to do with it.
pub(crate) struct ProxyTraffic {
    client: Option<Client>,
    leaving: BTreeMap<PathBuf, Client>,
    reports: Arc<Reports>,
}

impl ProxyTraffic {
    pub(crate) fn new(reports: Arc<Reports>) -> ProxyTraffic {
        ProxyTraffic { client: None, leaving: BTreeMap::new(), reports }
    }

    fn connected(&mut self) -> Result<Client, ControlError> {
        match self.client.take() {
            Some(client) => Ok(client),
            None => Client::connect(&self.reports.state.proxy_socket()),
        }
    }

    fn try_report(&mut self) -> Result<TrafficReport, ControlError> {
        let mut client = self.connected()?;
        let (_, report) = client.watch(&self.reports.service, 0, Duration::ZERO)?;
        self.client = Some(client);
        self.find_leaving()?;
        let mut report = report;
        for client in self.leaving.values_mut() {
            let (_, leaving) = client.watch(&self.reports.service, 0, Duration::ZERO)?;
            self.reports.count(&leaving);
            report.add_leaving(leaving);
        }
        Ok(report)
    }

    /// Connects to the proxies that are leaving, and forgets those that are gone.
    fn find_leaving(&mut self) -> Result<(), ControlError> {
        let sockets = self.reports.state.leaving_proxies();
        self.leaving.retain(|socket, client| sockets.contains(socket) && client.process().is_ok());
        for socket in sockets {
            if self.leaving.contains_key(&socket) {
                continue;
            }
            match Client::connect(&socket) {
                Ok(client) => drop(self.leaving.insert(socket, client)),
                // Nobody listens any more: it has ended.
                Err(ControlError::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    let _gone_already = fs::remove_file(&socket);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn try_apply(&mut self, table: &Table) -> Result<(), ControlError> {
        let mut client = self.connected()?;
        client.apply(&self.reports.service, table)?;
        self.client = Some(client);
        self.find_leaving()?;
        for client in self.leaving.values_mut() {
            client.apply(&self.reports.service, table)?;
        }
        Ok(())
    }
}

impl Traffic for ProxyTraffic {
    fn apply(&mut self, table: &Table) -> Result<(), PortError> {
        // The connection may be to a proxy that has died since; a table may safely be sent twice.
        let kept = self.client.is_some();
        let applied = match self.try_apply(table) {
            Err(_) if kept => self.try_apply(table),
            result => result,
        };
        applied.map_err(|error| PortError(format!("the proxy did not take {}: {error}", table.generation)))
    }

    /// Asked anew each time: the watch says at once that something happened, but its counts may be seconds old.
    fn observe(&mut self) -> Option<TrafficReport> {
        let kept = self.client.is_some();
        let report = match self.try_report() {
            Err(_) if kept => self.try_report(),
            result => result,
        };
        report.ok().map(|report| self.reports.take(report))
    }
}

/// The counts over all runs of the proxy, and the thread that asks for changes.
pub(crate) struct Reports {
    state: StateFolder,
    service: ServiceName,
    inner: Mutex<Inner>,
    stopped: Condvar,
}

struct Inner {
    /// Whether the proxy answered when it was last asked for changes.
    known: bool,
    totals: Totals,
    /// When they were last kept.
    kept: Option<Instant>,
    stop: bool,
}

impl Inner {
    fn keep(&mut self, state: &StateFolder) {
        self.kept = Some(Instant::now());
        if let Err(error) = self.totals.write(state) {
            tracing::warn!(%error, "the counts of the proxy can't be kept");
        }
    }
}

impl Reports {
    pub(crate) fn open(state: &StateFolder, service: &ServiceName) -> Arc<Reports> {
        let inner = Inner { known: false, totals: Totals::read(state), kept: None, stop: false };
        let (state, service) = (state.clone(), service.clone());
        Arc::new(Reports { state, service, inner: Mutex::new(inner), stopped: Condvar::new() })
    }

    /// Whether the watch was told to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().stop
    }

    /// Ends the watch.
    pub(crate) fn stop(&self) {
        let mut inner = self.lock();
        inner.stop = true;
        inner.keep(&self.state);
        drop(inner);
        self.stopped.notify_all();
    }

    /// Asks the proxy for changes until it is told to stop, and wakes the engine at each.
    pub(crate) fn watch(&self, wake: &Wake) {
        while !self.is_over() {
            if let Ok(mut client) = Client::connect(&self.state.proxy_socket()) {
                let mut seen = 0;
                let pause = || if self.state.leaving_proxies().is_empty() { WATCH } else { LEAVING };
                while let Ok((number, report)) = client.watch(&self.service, seen, pause()) {
                    seen = number;
                    self.take(report);
                    wake.wake();
                    if self.is_over() {
                        return;
                    }
                }
            }
            if std::mem::take(&mut self.lock().known) && !self.is_over() {
                tracing::info!("the proxy is away; nothing is stopped until it answers");
                wake.wake();
            }
            self.await_stop(LOOK);
        }
    }

    /// Counts for a proxy that is leaving.
    fn count(&self, report: &TrafficReport) {
        self.lock().totals.take(report);
    }

    fn take(&self, mut report: TrafficReport) -> TrafficReport {
        let mut inner = self.lock();
        if inner.totals.take(&report) || inner.kept.is_none_or(|at| at.elapsed() >= KEEP) {
            inner.keep(&self.state);
        }
        report.counts = inner.totals.sums();
        inner.known = true;
        report
    }

    fn await_stop(&self, at_most: Duration) {
        let inner = self.lock();
        if !inner.stop {
            drop(self.stopped.wait_timeout(inner, at_most));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts over all runs of the proxy: those of the latest runs one by one, and of all before together. A run that ends while
/// nobody looks counts as far as it was last kept.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    finished: BTreeMap<ServiceName, Counts>,
    #[serde(default)]
    runs: BTreeMap<u64, BTreeMap<ServiceName, Counts>>,
}

/// So many runs may be under way at once; an older one has ended.
const MOST_RUNS: usize = 8;

impl Totals {
    fn read(state: &StateFolder) -> Totals {
        fs::read(state.counts()).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn write(&self, state: &StateFolder) -> Result<(), crate::state::StateError> {
        write_file(&state.counts(), &serde_json::to_vec(self).unwrap_or_default())
    }

    /// True: this is another run than before.
    fn take(&mut self, report: &TrafficReport) -> bool {
        let another = self.runs.insert(report.run, report.counts.clone()).is_none();
        // Their numbers grow with time.
        if self.runs.len() > MOST_RUNS
            && let Some((_, counts)) = self.runs.pop_first()
        {
            add(&mut self.finished, &counts);
        }
        another
    }

    fn sums(&self) -> BTreeMap<ServiceName, Counts> {
        let mut sums = self.finished.clone();
        self.runs.values().for_each(|counts| add(&mut sums, counts));
        sums
    }
}

fn add(sums: &mut BTreeMap<ServiceName, Counts>, counts: &BTreeMap<ServiceName, Counts>) {
    for (service, counts) in counts {
        let sum = sums.entry(service.clone()).or_default();
        *sum = sum.plus(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(run: u64, requests: u64) -> TrafficReport {
        let counts = Counts { requests, ..Counts::default() };
        TrafficReport {
            run,
            counts: BTreeMap::from([("shop".parse().unwrap(), counts)]),
            ..TrafficReport::default()
        }
    }

    #[test]
    fn counts_go_on_when_the_proxy_begins_at_zero_again() {
        let temp = tempfile::tempdir().unwrap();
        let state = StateFolder::at(temp.path());
        let mut totals = Totals::default();
        for (run, requests, another, sum) in
            [(7, 10, true, 10), (7, 30, false, 30), (8, 0, true, 30), (8, 5, false, 35), (9, 1, true, 36)]
        {
            assert_eq!(totals.take(&report(run, requests)), another);
            assert_eq!(totals.sums()[&"shop".parse().unwrap()].requests, sum);
            if another {
                totals.write(&state).unwrap();
            }
        }
        // A controller that was killed finds the same sums, in the same run and in a later one.
        assert!(Totals::read(&state).take(&report(10, 0)));
        let mut again = Totals::read(&state);
        assert!(!again.take(&report(9, 4)));
        assert_eq!(again.sums()[&"shop".parse().unwrap()].requests, 39);
    }
}
