//! Pages of the guide and of the examples, carried out: each file on them is written, each command run, each answer compared.
//!
//! A page with the line `<!-- runs -->` is taken from top to bottom, in a folder of its own; with `<!-- runs on a database -->`
//! `DATABASE_URL` names an empty one. What a page can say stands in `page`, how answers are compared in `pattern`.
//! The pages' ports 8080 and 7443 are free ones here.

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
    /// The ports that pages name, and those that are free here.
    ports: [(&'static str, String); 2],
    database: Option<Ground>,
    up: Option<Child>,
}

impl Bench {
    fn new(database: Option<Ground>) -> Bench {
        let folder = tempfile::Builder::new().prefix("tandem-guide-").tempdir().expect("a folder");
        let ports = ["8080", "7443"].map(|named| (named, free_port().port().to_string()));
        Bench { folder, ports, database, up: None }
    }

    /// A folder of the repository, with the port that is ours.
    fn copy(&self, from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() {
                self.copy(&from, &to);
            } else if entry.file_name() == "tandem.toml" {
                fs::write(to, self.here(&fs::read_to_string(from).expect("text")))
                    .expect("it can be written");
            } else {
                fs::copy(from, to).expect("it can be copied");
            }
        }
    }

    fn here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (named, free)| text.replace(named, free))
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

    /// Begins what stays in the background, and waits until it answers with all that it will know.
    async fn begin(&mut self, line: &str) {
        let line = format!("exec {}", line.trim_end_matches('&'));
        self.up = Some(self.command(&line).stdout(Stdio::null()).spawn().expect("sh runs"));
        let answers = until(PATIENCE, async || {
            let asked = self.command("tandem status").output().await.expect("sh runs");
            let knows_all = !String::from_utf8_lossy(&asked.stdout).contains("the proxy does not answer");
            (asked.status.success() && knows_all).then_some(())
        });
        answers.await.unwrap_or_else(|| panic!("`{line}` does not answer"));
    }

    async fn run(&self, run: &Run) -> Result<(), String> {
        let output = self.command(&run.line).output();
        let output =
            tokio::time::timeout(PATIENCE, output).await.map_err(|_| "it does not end".to_owned())?;
        let output = output.map_err(|why| why.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = self.ports.iter().fold(said, |said, (named, free)| said.replace(free, named));
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

/// Carries out a page of the repository.
async fn carry_out(name: &str, prepare: impl FnOnce(&Bench)) {
    let text = fs::read_to_string(root().join(name)).expect("the page is there");
    let page = Page::read(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
    let mut bench = Bench::new(page.database.then(Ground::new));
    prepare(&bench);
    for (line, step) in &page.steps {
        if let Err(why) = bench.carry_out(step).await {
            panic!("{name}:{line}: {why}");
        }
    }
    bench.end().await;
}

/// Carries out a page of the guide.
async fn runs(name: &str) {
    carry_out(&format!("docs/src/{name}"), |_| {}).await;
}

/// The same, with the program of jobs beside it.
async fn pushes(name: &str) {
    carry_out(&format!("docs/src/{name}"), |bench| {
        fs::copy(root().join("packaging/push.py"), bench.folder.path().join("push.py"))
            .expect("it can be copied");
    })
    .await;
}

/// Carries out the page of an example, in a copy of its folder.
async fn example(name: &str) {
    carry_out(&format!("examples/{name}/README.md"), |bench| {
        bench.copy(&root().join("examples").join(name), bench.folder.path());
    })
    .await;
}

macro_rules! pages {
    ($($test:ident: $carry_out:ident($name:literal);)*) => {
        /// What is carried out.
        const PAGES: &[&str] = &[$($name),*];
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $carry_out($name).await;
            }
        )*
    };
}

pages! {
    the_first_deployment: runs("first-deployment.md");
    going_back: runs("tasks/rollback.md");
    migrations: runs("tasks/migrations.md");
    continuous_integration: pushes("tasks/ci.md");
    example_processes: example("01-processes");
    example_static: example("02-static");
    example_node: example("03-node");
    example_migrations: example("04-migrations");
    example_websocket: example("05-websocket");
    example_canary: example("06-canary");
    example_services: example("07-services");
}

#[test]
fn every_page_that_says_so_is_run_and_every_example() {
    let says_so = |path: &Path| {
        fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.starts_with("<!-- runs")))
    };
    let mut wanted = Vec::new();
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = path.strip_prefix(root().join("docs/src")).expect("below it").display().to_string();
            wanted.extend(says_so(&path).then_some(name));
            folders.extend(path.is_dir().then_some(path));
        }
    }
    for entry in fs::read_dir(root().join("examples")).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            assert!(says_so(&root().join("examples").join(&name).join("README.md")), "{name}");
            wanted.push(name);
        }
    }
    wanted.sort();
    let mut run = PAGES.to_vec();
    run.sort_unstable();
    assert_eq!(wanted, run);
}
