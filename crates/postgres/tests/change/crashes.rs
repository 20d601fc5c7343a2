//! A rich change whose server is killed (`kill -9` of all its processes) amid each step of each phase, and comes up again on
//! the same files: the change is finished, or taken back.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use tandem_database::Server;
use tandem_postgres::{Failure, Phase, Watch};

use crate::interruptions::{BEFORE, MIGRATION, rows, same};
use crate::stage::{operator, planned, quiet};

/// Gives the word when a step is under way: when it begins, and of a fill when its first rows are written.
struct Word {
    at: usize,
    is_fill: bool,
    under_way: bool,
    give: Option<Sender<()>>,
}

impl Word {
    fn give(&mut self) {
        if let Some(give) = self.give.take() {
            give.send(()).expect("the killer listens");
        }
    }
}

impl Watch for Word {
    fn step(&mut self, title: &str, index: usize, _: usize) {
        self.under_way = index == self.at;
        self.is_fill = title.starts_with("fill");
        if self.under_way && !self.is_fill {
            self.give();
        }
    }
    fn rows(&mut self, _: u64, _: u64, _: f64, _: Option<Duration>) {
        if self.under_way {
            self.give();
        }
    }
    fn waiting(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
}

/// Does something while the server is killed amid step `at`, and returns when the server is there again. The word goes to
/// another thread, so that the kill falls anywhere into the step, or just behind it.
fn crashed<T>(
    server: &Server,
    at: usize,
    work: impl FnOnce(&mut (dyn Watch + Send)) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (give, word) = channel();
    thread::scope(|scope| {
        let killer = scope.spawn(move || {
            if word.recv().is_ok() {
                server.kill();
                server.again();
            }
        });
        let result = work(&mut Word { at, is_fill: false, under_way: false, give: Some(give) });
        killer.join().expect("the server comes up again");
        result
    })
}

#[test]
fn a_server_may_die_amid_every_step() {
    let server = Server::start(&[]);
    let database = server.database();
    database.execute(BEFORE);
    let plan = planned(&database, MIGRATION, true).unwrap_or_else(|why| panic!("{why}")).plan;
    operator(&database).adopt("1_old", &[]).unwrap();
    let before = rows(&database);

    for at in 0..plan.start.len() {
        let _ = crashed(&server, at, |word| operator(&database).start(&plan, word));
        operator(&database).undo(&mut quiet()).unwrap_or_else(|why| panic!("undo after step {at}: {why}"));
        same(&database, &plan, false, &format!("undone after step {at}"));
        assert_eq!(rows(&database), before, "rows after an undo from step {at}");
    }
    for at in 0..plan.start.len() {
        let _ = crashed(&server, at, |word| operator(&database).start(&plan, word));
    }
    assert_eq!(operator(&database).resume(&mut quiet()).unwrap().phase, Phase::Mixed);
    for at in 0..plan.undo.len() {
        if operator(&database).active().unwrap().is_some() {
            let _ = crashed(&server, at, |word| operator(&database).undo(word));
        }
    }
    if operator(&database).active().unwrap().is_some() {
        operator(&database).undo(&mut quiet()).unwrap();
    }
    same(&database, &plan, false, "undone in pieces");
    assert_eq!(rows(&database), before, "rows after an undo in pieces");

    operator(&database).start(&plan, &mut quiet()).unwrap();
    for at in 0..plan.contract.len() {
        if operator(&database).active().unwrap().is_some() {
            let _ = crashed(&server, at, |word| operator(&database).contract(true, word));
        }
    }
    if operator(&database).active().unwrap().is_some() {
        operator(&database).contract(true, &mut quiet()).unwrap();
    }
    same(&database, &plan, true, "contracted in pieces");
}
