//! Pages of the guide, carried out: each file on them is written, each command run, each answer compared.
//!
//! A page with the line `<!-- runs -->` is taken from top to bottom, in a folder of its own; with `<!-- runs on a database -->`
//! `DATABASE_URL` names an empty one. What a page can say stands in `page`, how answers are compared in `pattern`.
//! The pages' port 8080 is a free one here.

mod page;
mod pattern;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tandem_trial::{free_port, kill, of_folder, until};
use tokio::process::{Child, Command};

use crate::schema::Ground;
use crate::stage::root;
use page::{Page, Run, Step};

/// The longest that one command, and beginning and end of `tandem up`, may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder in which a page is carried out; nothing of it runs on when it is dropped.
struct Bench {
    folder: tempfile::TempDir,
    port: String,
    database: Option<Ground>,
    up: Option<Child>,
}

impl Bench {
    fn new(database: Option<Ground>) -> Bench {
        let folder = tempfile::Builder::new().prefix("tandem-guide-").tempdir().expect("a folder");
        Bench { folder, port: free_port().port().to_string(), database, up: None }
    }

    fn here(&self, text: &str) -> String {
        text.replace("8080", &self.port)
    }

    fn command(&self, line: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_tandem")).parent().expect("a folder of programs");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("exec 2>&1\n{}", self.here(line))])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        match &self.database {
            Some(database) => command.env("DATABASE_URL", database.url()),
            None => command.env_remove("DATABASE_URL"),
        };
        command
    }

    /// Begins what stays in the background, and waits until it answers.
    async fn begin(&mut self, line: &str) {
        let line = format!("exec {}", line.trim_end_matches('&'));
        self.up = Some(self.command(&line).stdout(Stdio::null()).spawn().expect("sh runs"));
        let answers = until(PATIENCE, async || {
            let asked = self.command("tandem status").output().await.expect("sh runs");
            asked.status.success().then_some(())
        });
        answers.await.unwrap_or_else(|| panic!("`{line}` does not answer"));
    }

    async fn run(&self, run: &Run) -> Result<(), String> {
        let output = self.command(&run.line).output();
        let output =
            tokio::time::timeout(PATIENCE, output).await.map_err(|_| "it does not end".to_owned())?;
        let output = output.map_err(|why| why.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).replace(&self.port, "8080");
        if output.status.code() != Some(run.exit) {
            return Err(format!("it ended with {}, and said:\n{said}", output.status));
        }
        pattern::compare(&run.answer, &said)
    }

    async fn carry_out(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::File { name, text, more } => {
                let path = self.folder.path().join(name);
                fs::create_dir_all(path.parent().expect("a folder")).map_err(|why| why.to_string())?;
                let before = if *more {
                    fs::read_to_string(&path).map_err(|why| why.to_string())?
                } else {
                    String::new()
                };
                fs::write(path, before + &self.here(text)).map_err(|why| why.to_string())
            }
            Step::Run(run) if run.line.ends_with('&') => {
                self.begin(&run.line).await;
                Ok(())
            }
            Step::Run(run) => self.run(run).await,
        }
    }

    /// Ends `tandem up` as the page says that it ends.
    async fn end(mut self) {
        let Some(mut up) = self.up.take() else { return };
        let pid = up.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("it runs");
        kill_process(pid, Signal::TERM).expect("it is ours");
        tokio::time::timeout(PATIENCE, up.wait()).await.expect("it ends").expect("it can be waited for");
        let gone = until(PATIENCE, async || of_folder(self.folder.path()).is_empty().then_some(())).await;
        assert!(gone.is_some(), "left running: {:?}", of_folder(self.folder.path()));
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What is killed in one pass may have started more before.
        for _ in 0..10 {
            for process in of_folder(self.folder.path()) {
                kill(process.pid);
            }
        }
    }
}

/// Carries out a page of the guide.
async fn runs(name: &str) {
    let text = fs::read_to_string(root().join("docs/src").join(name)).expect("the page is there");
    let page = Page::read(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
    let mut bench = Bench::new(page.database.then(Ground::new));
    for (line, step) in &page.steps {
        if let Err(why) = bench.carry_out(step).await {
            panic!("{name}:{line}: {why}");
        }
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_deployment_goes_as_the_guide_says() {
    runs("first-deployment.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_back_goes_as_the_guide_says() {
    runs("tasks/rollback.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_go_as_the_guide_says() {
    runs("tasks/migrations.md").await;
}

#[test]
fn every_page_that_says_so_is_run() {
    let here = include_str!("guide.rs");
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let name = path.strip_prefix(root().join("docs/src")).expect("below it").display().to_string();
            let is_run = here.contains(&format!("runs(\"{name}\")"));
            assert_eq!(text.lines().any(|line| line.starts_with("<!-- runs")), is_run, "{name}");
            folders.extend(path.is_dir().then_some(path));
        }
    }
}
