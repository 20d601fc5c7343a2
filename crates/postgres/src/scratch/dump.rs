//! A schema as statements: `pg_dump` writes them, here they are divided and run.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postgres::Client;
use postgres::config::Host;

use crate::address::Address;
use crate::error::Error;

/// The most bytes that a schema's dump may have.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The schema of the database as statements.
pub(super) fn statements(url: &str, source: &mut Client) -> Result<Vec<String>, Error> {
    let version: i32 =
        source.query_one("SELECT current_setting('server_version_num')::int4", &[])?.try_get(0)?;
    let program = program(u32::try_from(version / 10_000).unwrap_or_default())?;
    let mut command = Command::new(&program);
    command.args([
        "--schema-only",
        "--no-subscriptions",
        "--no-security-labels",
        "--no-tablespaces",
        "--no-password",
    ]);
    command.args(["--exclude-schema=tandem", "--exclude-schema=tandem_*", "--lock-wait-timeout=30s"]);
    environment(&mut command, &Address::parse(url)?);
    let name = program.display().to_string();
    let failed = |why: String| Error::Program { program: name.clone(), why };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| failed(why.to_string()))?;
    let told = child.stderr.take().map(|mut stderr| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // What is beyond is read as well, or the program would wait for us.
            let _ = stderr.by_ref().take(64 * 1024).read_to_end(&mut text);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            String::from_utf8_lossy(&text).trim().to_owned()
        })
    });
    let mut text = Vec::new();
    let read = child.stdout.take().map(|stdout| stdout.take(LARGEST + 1).read_to_end(&mut text));
    let status = child.wait().map_err(|why| failed(why.to_string()))?;
    let told = told.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if let Some(Err(why)) = read {
        return Err(failed(why.to_string()));
    }
    if text.len() as u64 > LARGEST {
        return Err(failed(format!("the schema has more than {LARGEST} bytes")));
    }
    if !status.success() {
        return Err(failed(if told.is_empty() { status.to_string() } else { told }));
    }
    let text = String::from_utf8(text).map_err(|why| failed(format!("its output is no UTF-8: {why}")))?;
    Ok(divided(&text))
}

/// Who and where, in the environment: command lines are everybody's to read.
fn environment(command: &mut Command, address: &Address) {
    let config = &address.config;
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let addresses: Vec<String> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    let ports: Vec<String> = config.get_ports().iter().map(ToString::to_string).collect();
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let roots = address.encryption.roots.as_ref().map(|path| path.display().to_string());
    let variables = [
        ("PGHOST", Some(hosts.join(",")).filter(|text| !text.is_empty())),
        ("PGHOSTADDR", Some(addresses.join(",")).filter(|text| !text.is_empty())),
        ("PGPORT", Some(ports.join(",")).filter(|text| !text.is_empty())),
        ("PGUSER", owned(config.get_user())),
        ("PGPASSWORD", password),
        ("PGDATABASE", owned(config.get_dbname()).or_else(|| owned(config.get_user()))),
        ("PGOPTIONS", owned(config.get_options())),
        ("PGSSLMODE", Some(address.encryption.word.clone())),
        ("PGSSLROOTCERT", roots),
        ("PGAPPNAME", Some("tandem".to_owned())),
        ("PGCLIENTENCODING", Some("UTF8".to_owned())),
    ];
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// A `pg_dump` that understands the server: its own, else the nearest newer one, else what PATH has.
fn program(server: u32) -> Result<PathBuf, Error> {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut known: Vec<(u32, PathBuf)> = folders
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/pg_dump")))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path =
        std::env::split_paths(&path).map(|folder| folder.join("pg_dump")).filter(|file| file.is_file());
    known.extend(in_path.filter_map(|file| Some((major(&file)?, file))));
    known.sort();
    let newest = known.last().map(|(version, _)| *version);
    known.into_iter().find(|(version, _)| *version >= server).map(|(_, path)| path).ok_or_else(|| {
        let found = newest.map_or_else(|| "none was found".to_owned(), |version| format!("only that of {version} was found"));
        Error::NotThere {
            what: format!("a pg_dump for PostgreSQL {server}"),
            help: format!("{found}; install it (Debian: apt-get install postgresql-client, or postgresql-client-{server})"),
        }
    })
}

fn major(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

/// Runs them one by one. Answers what was left out for lack of rights.
pub(super) fn run(client: &mut Client, statements: &[String]) -> Result<Vec<String>, Error> {
    let mut left_out = Vec::new();
    for statement in statements {
        let Err(why) = client.batch_execute(statement) else { continue };
        // A function that is run while something is made (a generated column) may count on the path of the database.
        let unknown =
            [Some("42704"), Some("42883"), Some("42P01")].contains(&why.code().map(|code| code.code()));
        if unknown && statement.starts_with("CREATE ") {
            client.batch_execute("RESET search_path")?;
            let again = client.batch_execute(statement);
            client.batch_execute("SET search_path = ''")?;
            if again.is_ok() {
                continue;
            }
        }
        let why = Error::from(why);
        let first: String = statement.lines().next().unwrap_or_default().chars().take(200).collect();
        if may_miss(statement, why.code().unwrap_or_default()) {
            left_out.push(format!("{first}: {why}"));
        } else {
            return Err(why.in_statement(statement));
        }
    }
    // The dump has settings of its own.
    client.batch_execute("SET search_path = ''; SET row_security = on; SET check_function_bodies = on")?;
    Ok(left_out)
}

/// What a copy can do without: settings of newer servers, and whom something belongs to, if that may not be repeated.
fn may_miss(statement: &str, code: &str) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    match code {
        "42704" if begins(&["SET "]) => true,
        // No such right, no such role.
        "42501" | "42704" => {
            begins(&[
                "GRANT ",
                "REVOKE ",
                "ALTER DEFAULT PRIVILEGES",
                "CREATE PUBLICATION",
                "ALTER PUBLICATION",
            ]) || begins(&[
                "CREATE EVENT TRIGGER",
                "ALTER EVENT TRIGGER",
                "COMMENT ON EXTENSION",
                "COMMENT ON EVENT TRIGGER",
            ]) || begins(&["COMMENT ON PUBLICATION", "CREATE USER MAPPING"])
                || (statement.starts_with("ALTER ") && statement.contains(" OWNER TO "))
        }
        _ => false,
    }
}

/// Divides a dump into its statements; commands for `psql` are left out.
fn divided(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut statements = Vec::new();
    let (mut start, mut at, mut atomic) = (0, 0, 0_u32);
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let is_blank = text.get(start..at).is_some_and(|before| before.trim().is_empty());
        match byte {
            b'\\' if is_blank => {
                at += rest.find('\n').unwrap_or(rest.len());
                start = at;
            }
            b'-' if rest.starts_with("--") => {
                at += rest.find('\n').unwrap_or(rest.len());
                start = if is_blank { at } else { start };
            }
            b'/' if rest.starts_with("/*") => at += comment(rest),
            b'\'' => at += quoted(rest, b'\'', at > 0 && matches!(bytes.get(at - 1), Some(b'E' | b'e'))),
            b'"' => at += quoted(rest, b'"', false),
            b'$' => at += dollar(rest),
            b';' if atomic == 0 => {
                let statement = text.get(start..at).unwrap_or_default().trim();
                if !statement.is_empty() {
                    statements.push(statement.to_owned());
                }
                at += 1;
                start = at;
            }
            byte if byte.is_ascii_alphabetic() || *byte == b'_' || !byte.is_ascii() => {
                let length =
                    rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
                atomic = nested(
                    atomic,
                    rest.get(..length).unwrap_or_default(),
                    rest.get(length..).unwrap_or_default(),
                );
                at += length.max(1);
            }
            _ => at += 1,
        }
    }
    let last = text.get(start..).unwrap_or_default().trim();
    statements.extend((!last.is_empty()).then(|| last.to_owned()));
    statements
}

/// How deep in a body between `BEGIN ATOMIC` and `END` we are after a word: there, semicolons divide nothing.
fn nested(depth: u32, word: &str, after: &str) -> u32 {
    let next = after.split_whitespace().next().unwrap_or_default();
    match word {
        _ if word.eq_ignore_ascii_case("begin") && next.eq_ignore_ascii_case("atomic") => depth + 1,
        _ if depth > 0 && word.eq_ignore_ascii_case("case") => depth + 1,
        _ if depth > 0 && word.eq_ignore_ascii_case("end") => depth - 1,
        _ => depth,
    }
}

/// The length of a quoted text; a doubled quote is two texts, which is all the same here.
fn quoted(rest: &str, quote: u8, escapes: bool) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if escapes => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a text in dollar quotes, or of a dollar that opens none.
fn dollar(rest: &str) -> usize {
    let tag_end = rest.get(1..).and_then(|tail| tail.find(|c: char| !c.is_alphanumeric() && c != '_'));
    let Some(length) = tag_end.map(|end| end + 1) else { return 1 };
    if rest.as_bytes().get(length) != Some(&b'$') {
        return 1;
    }
    let (tag, body) = rest.split_at(length + 1);
    body.find(tag).map_or(rest.len(), |end| tag.len() + end + tag.len())
}

/// The length of a comment, with those in it.
fn comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0_u32);
    while at < rest.len() {
        let here = rest.as_bytes().get(at..).unwrap_or_default();
        if here.starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if here.starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_postgresql_says() {
        let text = "--\n-- a;b\n--\n\\restrict x;y\nSET a = 1;\n\nSELECT ';', E'\\';', \"a;b\", $$;$$, $t$ $$; $t$ /* ; /* ; */ */;\n\
                    CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\nSELECT 'ü', $1; SELECT 'it''s'\n\
                    \\unrestrict x\n";
        let statements = divided(text);
        assert_eq!(statements.len(), 5, "{statements:#?}");
        assert_eq!(statements[0], "SET a = 1");
        assert!(statements[2].ends_with("SELECT 2; END"));
    }

    #[test]
    fn only_what_a_copy_can_do_without_may_be_missing() {
        assert!(may_miss("ALTER TABLE public.t OWNER TO somebody", "42501"));
        assert!(may_miss("SET transaction_timeout = 0", "42704"));
        assert!(!may_miss("CREATE TABLE public.t (a int)", "42501"));
        assert!(!may_miss("ALTER TABLE public.t OWNER TO somebody", "42P01"));
    }
}
