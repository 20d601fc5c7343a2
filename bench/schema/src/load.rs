//! Readers and writers at work on one table: how long the longest of their statements took, and how many failed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use crate::stage::CLIENT;

/// Statements; `$1` is a key that is there.
#[derive(Debug, Clone)]
pub(crate) struct Statements(pub(crate) Vec<String>);

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    longest: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    why: Mutex<Option<String>>,
}

/// Clients at work, until they are ended.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    figures: Arc<Figures>,
    threads: Vec<JoinHandle<()>>,
}

impl Figures {
    /// The longest statement.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.load(Ordering::Relaxed))
    }

    /// Statements that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The first failure.
    pub(crate) fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fails(&self, text: &str, why: &postgres::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let told =
            || format!("{text}: {}", why.as_db_error().map_or_else(|| why.to_string(), ToString::to_string));
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(told);
    }

    /// Statements that were done.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Sets one client for each statement to work on `rows` rows under a `search_path`.
    pub(crate) fn begin(url: &str, path: &str, statements: &Statements, rows: u64) -> Result<Load, String> {
        let (stop, figures) = (Arc::<AtomicBool>::default(), Arc::<Figures>::default());
        let mut threads = Vec::new();
        for (number, text) in statements.0.iter().enumerate() {
            let mut client = Client::connect(url, NoTls).map_err(|why| why.to_string())?;
            let settings = format!("SET search_path = {path}; SET application_name = '{CLIENT}'");
            client.batch_execute(&settings).map_err(|why| why.to_string())?;
            let (stop, figures, text) = (stop.clone(), figures.clone(), text.clone());
            threads
                .push(std::thread::spawn(move || work(client, &text, number as u64, rows, &stop, &figures)));
        }
        let load = Load { stop, figures, threads };
        load.more(200)?;
        Ok(load)
    }

    /// Waits until so many more statements were done, failed ones included.
    pub(crate) fn more(&self, count: u64) -> Result<(), String> {
        let now = || self.figures.done() + self.figures.failed();
        let (goal, begun) = (now() + count, Instant::now());
        while now() < goal {
            if begun.elapsed() > Duration::from_secs(600) {
                return Err("the clients do not get on".to_owned());
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Ends the clients.
    pub(crate) fn end(self) -> Arc<Figures> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        self.figures
    }
}

fn work(mut client: Client, text: &str, number: u64, rows: u64, stop: &AtomicBool, figures: &Figures) {
    let mut statement = client.prepare(text);
    let mut key = number * 7919;
    while !stop.load(Ordering::Relaxed) {
        key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let begun = Instant::now();
        let value = ((key >> 33) % rows + 1) as i64;
        let done = match &statement {
            Ok(statement) if statement.params().is_empty() => client.execute(statement, &[]),
            Ok(statement) => client.execute(statement, &[&value]),
            Err(_) => Ok(0),
        };
        figures.longest.fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
        match (&done, &statement) {
            (Err(why), _) | (_, Err(why)) => {
                figures.fails(text, why);
                // What can't be prepared now may be in the next state.
                statement = client.prepare(text);
            }
            _ => {
                figures.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
