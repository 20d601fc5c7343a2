//! Clients of a version at work: each statement prepared once, run again and again, without one error.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::types::{ToSql, Type};
use postgres::{Client, Statement};
use tandem_database::Database;
use tandem_schema::name::ident;
use tandem_schema::plan::Plan;

use crate::stage::path;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where clients come from.
pub struct Clients {
    url: String,
    paths: [String; 2],
    lenses: [String; 2],
    number: Arc<AtomicU64>,
}

/// Rounds done, and what went wrong.
#[derive(Default)]
struct Score {
    rounds: u64,
    error: Option<String>,
}

/// Two clients of a version.
pub struct AtWork {
    stop: Arc<AtomicBool>,
    score: Arc<(Mutex<Score>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub fn new(database: &Database<'_>, plan: &Plan) -> Clients {
        Clients {
            url: database.url(),
            paths: [path(plan, false), path(plan, true)],
            lenses: [ident(&plan.old_lens), ident(&plan.new_lens)],
            number: Arc::new(AtomicU64::new(1_000_000)),
        }
    }

    /// Sets two clients to work; returns when each has done a round.
    pub fn begin(&self, statements: &[&str], new: bool) -> AtWork {
        let at_work = AtWork { stop: Arc::default(), score: Arc::default(), threads: Vec::new() };
        let spawn = |_| {
            let (url, path) = (self.url.clone(), self.paths[usize::from(new)].clone());
            let lens = format!("{}.", self.lenses[usize::from(new)]);
            let statements: Vec<String> = statements.iter().map(|text| text.replace("@.", &lens)).collect();
            let (stop, score, number) = (at_work.stop.clone(), at_work.score.clone(), self.number.clone());
            std::thread::spawn(move || {
                let failed = work(&url, &path, &statements, &stop, &score, &number).err();
                let (lock, changed) = &*score;
                let mut score = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                score.error = score.error.take().or(failed);
                changed.notify_all();
            })
        };
        let threads = (0..2).map(spawn).collect();
        let at_work = AtWork { threads, ..at_work };
        self.rounds(&[&at_work]);
        at_work
    }

    /// Waits until each has done some more rounds.
    pub fn rounds(&self, all: &[&AtWork]) {
        for one in all {
            let (lock, changed) = &*one.score;
            let score = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let goal = score.rounds + 6;
            let waiting = |score: &mut Score| score.rounds < goal && score.error.is_none();
            let (score, time) = changed.wait_timeout_while(score, PATIENCE, waiting).unwrap();
            assert!(!time.timed_out(), "the clients do not get on");
            if let Some(error) = &score.error {
                panic!("{error}");
            }
        }
    }
}

fn work(
    url: &str,
    path: &str,
    texts: &[String],
    stop: &AtomicBool,
    score: &(Mutex<Score>, Condvar),
    number: &AtomicU64,
) -> Result<(), String> {
    let mut client = tandem_postgres::connect(url).map_err(|why| why.to_string())?;
    let told = |text: &str| {
        let text = text.to_owned();
        move |why: postgres::Error| {
            let said = why.as_db_error().map(|said| format!("{} {}", said.code().code(), said.message()));
            format!("{text}: {}", said.unwrap_or_else(|| why.to_string()))
        }
    };
    client.batch_execute(&format!("SET search_path = {path}; SET lock_timeout = 0")).map_err(told("path"))?;
    let mut prepared = Vec::new();
    for text in texts {
        prepared.push((text, client.prepare(text).map_err(told(text))?));
    }
    while !stop.load(Ordering::Relaxed) {
        for (text, statement) in &prepared {
            let number = number.fetch_add(1, Ordering::Relaxed);
            run(&mut client, statement, number).map_err(told(text))?;
        }
        let (lock, changed) = score;
        lock.lock().map_err(|why| why.to_string())?.rounds += 1;
        changed.notify_all();
    }
    Ok(())
}

/// Each parameter is the number, as its type writes it.
fn run(client: &mut Client, statement: &Statement, number: u64) -> Result<(), postgres::Error> {
    let value = |kind: &Type| -> Box<dyn ToSql + Sync> {
        match *kind {
            Type::INT8 => Box::new(number as i64),
            Type::INT2 => Box::new((number % 30_000) as i16),
            Type::INT4 => Box::new(number as i32),
            Type::FLOAT8 => Box::new(number as f64),
            Type::BOOL => Box::new(number.is_multiple_of(2)),
            _ => Box::new(number.to_string()),
        }
    };
    let values: Vec<Box<dyn ToSql + Sync>> = statement.params().iter().map(value).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value).collect();
    client.query(statement, &values).map(drop)
}

impl AtWork {
    /// Ends them; none may have met an error.
    pub fn end(self, who: &str) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let error = self.score.0.lock().unwrap().error.take();
        if let Some(error) = error {
            panic!("{who}: {error}");
        }
    }
}
