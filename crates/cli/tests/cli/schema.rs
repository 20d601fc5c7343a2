//! `tandem schema` with a real PostgreSQL: the whole path, what is refused, and every kind of interruption.

mod interruption;
mod kills;
mod path;
mod refusal;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use postgres::{Client, NoTls};
use serde_json::Value;
use tandem_database::{Database, Server};
use tempfile::TempDir;

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);\n";
const FULL_NAME: &str = "ALTER TABLE users RENAME COLUMN name TO full_name;\n\
    ALTER TABLE users ADD COLUMN code text;\nUPDATE users SET code = upper(full_name);\n";

/// A database and a folder of migrations, without any configuration.
struct Stage {
    database: Database<'static>,
    folder: TempDir,
}

impl Stage {
    fn new(migrations: &[(&str, &str)]) -> Stage {
        let stage =
            Stage { database: Server::shared().database(), folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(stage.folder.path().join("db/migrations")).expect("a folder of migrations");
        migrations.iter().for_each(|(name, text)| stage.write(name, text));
        stage
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("db/migrations").join(name), text).expect("a migration is written");
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut all = vec!["schema"];
        all.extend(words);
        let mut command = super::tandem(self.path(), &all);
        command.env("DATABASE_URL", self.database.url());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program runs")
    }

    /// Runs a verb that must end with a code; what it said on stdout and stderr.
    fn ends(&self, code: i32, words: &[&str]) -> (String, String) {
        let output = self.run(words);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "tandem schema {words:?}\n{out}\n{err}");
        (out, err)
    }

    fn done(&self, words: &[&str]) -> String {
        self.ends(0, words).0
    }

    fn json(&self, code: i32, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let out = self.ends(code, &words).0;
        serde_json::from_str(&out).unwrap_or_else(|why| panic!("{words:?} printed no JSON: {why}\n{out}"))
    }

    /// A client of an app of a revision, by the URL that is printed for it.
    fn client(&self, revision: &str) -> Client {
        let url = self.done(&["url", "--revision", revision]);
        Client::connect(url.trim(), NoTls).expect("an app connects with the URL that it was given")
    }
}

/// The columns of a query's result.
fn columns(client: &mut Client, query: &str) -> Vec<String> {
    let statement = client.prepare(query).expect("the query is right for this client");
    statement.columns().iter().map(|column| column.name().to_owned()).collect()
}
