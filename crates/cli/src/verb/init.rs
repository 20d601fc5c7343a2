//! `tandem init`: a configuration for what is in the folder.
//!
//! Guesses the command from the files that web frameworks leave; what it could not guess stands in the file as a
//! question. Never overwrites anything. Tested in place and in `tests/cli`.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::place;
use crate::terminal::{GOOD, Terminal};
use crate::verb::Ending;

pub(crate) fn run(global: &Global, terminal: &Terminal) -> Ending {
    let here = std::env::current_dir()
        .map_err(|error| Failure::failed(format!("the current folder can't be read: {error}")))?;
    let path = match &global.config {
        Some(path) => here.join(path),
        None => here.join("tandem.toml"),
    };
    let folder = path.parent().unwrap_or(&here);
    let guess = Guess::of(folder);
    let text = page(&service_name(folder), &guess);
    let shown = place::shown(&path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            Failure::usage(format!("{shown} is there already")).help("check it with `tandem check`")
        } else {
            Failure::failed(format!("{shown} can't be written: {error}"))
        }
    })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::failed(format!("{shown} can't be written: {error}")))?;
    if terminal.json {
        terminal.object(
            &serde_json::json!({ "config": shown, "command": guess.command, "because": guess.because }),
        );
    } else {
        terminal.say(format_args!("{GOOD}✔{GOOD:#} wrote {shown}: {}", guess.because));
        terminal.say("  read it, then: tandem up, and in another terminal: tandem deploy PATH");
    }
    Ok(Exit::Done)
}

/// What the service seems to be.
struct Guess {
    command: Vec<String>,
    /// Why, for people; ends up as a comment, too.
    because: String,
}

impl Guess {
    fn of(folder: &Path) -> Guess {
        let guesses = [procfile, package_json, manage_py, cargo_toml, bin];
        guesses.iter().find_map(|guess| guess(folder)).unwrap_or_else(|| Guess {
            command: vec!["bin/server".to_owned(), "--port".to_owned(), "$PORT".to_owned()],
            because: "nothing here says how the service is started: put its command in".to_owned(),
        })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The text of a file that is small enough to be what it seems.
fn small(path: &Path) -> Option<String> {
    let size = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
    if size > 1 << 20 { None } else { fs::read_to_string(path).ok() }
}

fn procfile(folder: &Path) -> Option<Guess> {
    let text = small(&folder.join("Procfile"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("web:"))?.trim();
    let for_a_shell = |c| matches!(c, '&' | '|' | ';' | '<' | '>' | '"' | '\'' | '`' | '*' | '(' | '\\');
    let only_port = line.replace("${PORT}", "").replace("$PORT", "");
    let command = if line.contains(for_a_shell) || only_port.contains('$') {
        let exec = if line.contains(['&', '|', ';']) { "" } else { "exec " };
        vec!["sh".to_owned(), "-c".to_owned(), format!("{exec}{line}")]
    } else {
        words(line)
    };
    let because = "the command is the line `web:` of the Procfile".to_owned();
    (!command.is_empty()).then_some(Guess { command, because })
}

fn package_json(folder: &Path) -> Option<Guess> {
    let text = small(&folder.join("package.json"))?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    let start = package.pointer("/scripts/start").and_then(|start| start.as_str());
    let node = start.and_then(|start| start.strip_prefix("node ")).map(words).filter(|words| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '=');
        words.iter().all(|word| word.chars().all(plain))
    });
    let main = package.get("main").and_then(|main| main.as_str());
    match (start, node, main) {
        (_, Some(rest), _) => Some(Guess {
            command: ["node".to_owned()].into_iter().chain(rest).collect(),
            because: "the command is the script `start` of package.json, without npm, which would not pass signals on"
                .to_owned(),
        }),
        (Some(_), ..) => Some(Guess {
            command: words("npm start"),
            because: "package.json has a script `start`".to_owned(),
        }),
        (None, _, Some(main)) => Some(Guess {
            command: vec!["node".to_owned(), main.to_owned()],
            because: "package.json names its main file".to_owned(),
        }),
        _ => None,
    }
}

fn manage_py(folder: &Path) -> Option<Guess> {
    small(&folder.join("manage.py"))?;
    let entries = fs::read_dir(folder).ok()?.take(1000).flatten();
    let mut apps: Vec<String> = entries
        .filter(|entry| entry.path().join("wsgi.py").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    apps.sort();
    Some(match apps.first() {
        Some(app) => Guess {
            command: words(&format!("gunicorn --bind 127.0.0.1:$PORT {app}.wsgi")),
            because: "manage.py and wsgi.py: this is Django, run by gunicorn".to_owned(),
        },
        None => Guess {
            command: words("python3 manage.py runserver --noreload 127.0.0.1:$PORT"),
            because: "manage.py: this is Django, here with its development server".to_owned(),
        },
    })
}

fn cargo_toml(folder: &Path) -> Option<Guess> {
    let text = small(&folder.join("Cargo.toml"))?;
    let after = text.split("[package]").nth(1)?;
    let name = after.lines().find_map(|line| line.trim().strip_prefix("name"))?;
    let name = name.trim().strip_prefix('=')?.trim().trim_matches(['"', '\'']).to_owned();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    plain.then(|| Guess {
        because: format!("Cargo.toml: the deliverable is to hold the program {name}"),
        command: vec![format!("./{name}")],
    })
}

fn bin(folder: &Path) -> Option<Guess> {
    let entries = fs::read_dir(folder.join("bin")).ok()?.take(1000).flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    let liked = |name: &&String| matches!(name.as_str(), "server" | "web" | "start" | "app");
    let name = names.iter().find(liked).or(names.first())?;
    Some(Guess {
        command: vec![format!("bin/{name}")],
        because: format!("bin/{name} looks like the program"),
    })
}

/// The name of the folder, as far as it can be the name of a service.
fn service_name(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Some(tandem_core::spec::like_a_name(&name))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "web".to_owned())
}

fn page(service: &str, guess: &Guess) -> String {
    // A list of texts means the same in JSON and in TOML, but for characters that TOML does not let JSON escape.
    let words: Vec<String> = guess.command.iter().map(|word| serde_json::json!(word).to_string()).collect();
    let command = words.join(", ");
    let mut because = guess.because.trim_end_matches('.').to_owned();
    if let Some(first) = because.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!(
        r#"# How Tandem runs this service. Every other setting and its default: tandem config show

service = "{service}"

[run]
# {because}.
# Program and arguments, without a shell; relative to the deliverable. The port is in $PORT.
command   = [{command}]
instances = 2
# An instance is ready when GET on this path answers with 200 to 299.
ready     = {{ http = "/", within = "60s" }}
# What is in flight may finish for so long before an instance is stopped.
stop      = {{ drain = "30s", grace = "30s" }}
# env     = {{ DATABASE_URL = "env:DATABASE_URL" }}

[[listen]]
address = "0.0.0.0:8080"
# hosts = ["{service}.example.com"]       # all hosts, unless some are named

[deploy]
strategy = "rolling"                # or "flip": a second pool, switched to at one instant
batch    = 1                        # so many instances at a time, or for example "25%"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let guess = Guess::of(folder.path());
        let text = page("shop", &guess);
        let spec = tandem_core::spec::read(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        assert_eq!(spec.run.command, guess.command);
        guess.command.join(" ")
    }

    #[test]
    fn the_command_is_guessed_from_what_is_there() {
        for (files, command) in [
            (&[][..], "bin/server --port $PORT"),
            (&[("Procfile", "worker: x\nweb: puma -p ${PORT}\n")], "puma -p ${PORT}"),
            (&[("Procfile", "web: a \"b c\" -p $PORT")], "sh -c exec a \"b c\" -p $PORT"),
            (&[("Procfile", "web: cd a && b")], "sh -c cd a && b"),
            (&[("package.json", r#"{"scripts": {"start": "node src/main.js"}}"#)], "node src/main.js"),
            (&[("package.json", r#"{"scripts": {"start": "next start"}}"#)], "npm start"),
            (&[("package.json", r#"{"main": "index.js"}"#)], "node index.js"),
            (&[("manage.py", ""), ("site/wsgi.py", "")], "gunicorn --bind 127.0.0.1:$PORT site.wsgi"),
            (&[("Cargo.toml", "[package]\nname = \"shop\"\n")], "./shop"),
            (&[("bin/a", ""), ("bin/web", "")], "bin/web"),
        ] {
            assert_eq!(guessed(files), command, "{files:?}");
        }
    }

    #[test]
    fn the_name_of_the_folder_becomes_the_name_of_the_service() {
        assert_eq!(service_name(Path::new("/srv/My Shop")), "my-shop");
        assert_eq!(service_name(Path::new("/")), "web");
    }
}
