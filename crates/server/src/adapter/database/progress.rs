//! How far a job on the schema is, as one line for people. Tested in place.

use std::time::Duration;

use tandem_postgres::Watch;

/// Makes a line of what an execution tells, and counts the rows that it fills.
pub(super) struct Progress<'a> {
    /// Takes the line, and how many rows were filled in all.
    told: Box<dyn Fn(String, u64) + Send + 'a>,
    step: String,
    /// Rows of the steps before.
    before: u64,
    /// Rows of this step.
    rows: u64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(told: impl Fn(String, u64) + Send + 'a) -> Progress<'a> {
        Progress { told: Box::new(told), step: String::new(), before: 0, rows: 0 }
    }

    fn tell(&self, more: &str) {
        (self.told)(format!("{}{more}", self.step), self.before + self.rows);
    }
}

impl Watch for Progress<'_> {
    fn step(&mut self, title: &str, index: usize, count: usize) {
        self.before += std::mem::take(&mut self.rows);
        self.step = format!("step {}/{count}, {title}", index + 1);
        self.tell("");
    }

    fn rows(&mut self, done: u64, total: u64, rate: f64, left: Option<Duration>) {
        self.rows = done;
        let left = left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs_f64().ceil()));
        self.tell(&format!(", {done} of {} rows, {rate:.0} rows/s{left}", total.max(done)));
    }

    fn waiting(&mut self, why: &str) {
        self.tell(&format!(", which waits: {why}"));
    }

    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn rows_of_all_steps_are_counted() {
        let told = Mutex::new(Vec::new());
        let mut progress = Progress::new(|text, rows| told.lock().unwrap().push((text, rows)));
        progress.step("fill users", 0, 2);
        progress.rows(50, 100, 10.0, Some(Duration::from_secs(5)));
        progress.rows(100, 100, 10.0, None);
        progress.step("fill orders", 1, 2);
        progress.waiting("a replica is behind");
        progress.rows(7, 5, 10.0, None);
        drop(progress);
        let told = told.into_inner().unwrap();
        assert_eq!(told[1], ("step 1/2, fill users, 50 of 100 rows, 10 rows/s, 5 s left".to_owned(), 50));
        assert_eq!(told[4], ("step 2/2, fill orders, which waits: a replica is behind".to_owned(), 100));
        assert_eq!(told[5], ("step 2/2, fill orders, 7 of 7 rows, 10 rows/s".to_owned(), 107));
    }
}
