//! The configuration that is written: what was found, why, and what could be said besides.

use std::fmt::Write;

use super::draft::Draft;
use super::finding::Migrations;

/// A list of texts means the same in JSON and in TOML, but for characters that TOML does not let JSON escape.
fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| text(word)).collect::<Vec<_>>().join(", "))
}

fn text(word: &str) -> String {
    serde_json::Value::from(word).to_string().replace('\u{7f}', "")
}

/// A name before `=`.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { name.to_owned() } else { text(name) }
}

pub(super) fn page(draft: &Draft) -> String {
    let mut page =
        "# How Tandem runs this service. Every other setting and its default: tandem config show\n"
            .to_owned();
    if !draft.found.is_empty() {
        page.push_str("#\n# Found here:\n");
        for (of, remarks) in &draft.found {
            let _ = writeln!(page, "# - {}", line(of));
            for remark in remarks {
                let _ = writeln!(page, "#   ! {}", line(remark));
            }
        }
    }
    let _ = write!(page, "\nservice = {}\n", text(&draft.service));
    run(draft, &mut page);
    listen(draft, &mut page);
    database(draft, &mut page);
    page.push_str(
        "\n[deploy]\nstrategy = \"rolling\"                # or \"flip\": a second pool, switched to at one instant; or \"canary\"\n\
         batch    = 1                        # so many instances at a time, or for example \"25%\"\n",
    );
    page
}

/// As it can stand in a comment.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn run(draft: &Draft, page: &mut String) {
    page.push_str("\n[run]\n");
    let command = match &draft.command {
        Some((command, of)) => {
            let _ = writeln!(page, "# As in {}.", line(of));
            command.clone()
        }
        None => {
            page.push_str("# Nothing here says how the service is started: put its command in.\n");
            ["bin/server", "--port", "$PORT"].map(str::to_owned).to_vec()
        }
    };
    page.push_str(
        "# Program and arguments, without a shell; relative to the deliverable. The port is in $PORT.\n",
    );
    let _ = writeln!(page, "command   = {}", list(&command));
    let _ = writeln!(page, "instances = {}", draft.instances.as_ref().map_or(2, |(count, _)| *count));
    page.push_str("# An instance is ready when GET on this path answers with 200 to 299, without a redirect or a login.\n");
    let path = draft.ready.as_ref().map_or("/", |(path, _)| path);
    let _ = writeln!(page, "ready     = {{ http = {}, within = \"60s\" }}", text(path));
    page.push_str("# What is in flight may finish for so long before an instance is stopped.\n");
    page.push_str("stop      = { drain = \"30s\", grace = \"30s\" }\n");
    if draft.environment.is_empty() {
        page.push_str("# env     = { LOG = \"info\", SECRET = \"env:SECRET\" }    # env:NAME is taken from the environment of `tandem up`\n");
    } else {
        page.push_str("\n# env:NAME is taken from the environment of `tandem up`.\n[run.env]\n");
        for (name, value) in &draft.environment {
            let _ = writeln!(page, "{} = {}", key(name), text(value));
        }
    }
}

fn listen(draft: &Draft, page: &mut String) {
    let hosts =
        draft.hosts.as_ref().map(|(hosts, of)| format!("hosts   = {}    # {}\n", list(hosts), line(of)));
    let example =
        format!("# hosts = [\"{}.example.com\"]       # all hosts, unless some are named\n", draft.service);
    let hosts = hosts.unwrap_or(example);
    if draft.encrypted && draft.hosts.is_some() {
        let _ = write!(
            page,
            "\n[[listen]]\naddress = \"0.0.0.0:443\"\nspeaks  = \"https\"\n{hosts}\n\
             [[listen]]\naddress = \"0.0.0.0:80\"\nspeaks  = \"redirect\"             # to https; answers the authority, too\n\n\
             [tls.acme]\nterms   = \"accepted\"              # of Let's Encrypt; or name files: tls.certificates\n"
        );
        return;
    }
    let port = draft.port.as_ref().map_or(8080, |(port, _)| *port);
    let _ = write!(page, "\n[[listen]]\naddress = \"0.0.0.0:{port}\"\n{hosts}");
}

fn database(draft: &Draft, page: &mut String) {
    let Some((migrations, of)) = &draft.migrations else { return };
    let said = match migrations {
        Migrations::Folder(folder) => format!("migrations = {}    # in the deliverable", text(folder)),
        Migrations::Command(command) => format!("migrate = {}", list(command)),
    };
    // Only PostgreSQL is known to Tandem, and only those who have it are asked for its URL.
    let (mark, why) = match &draft.postgres {
        Some(file) => ("", format!("{}; that it is PostgreSQL says {}", line(of), line(file))),
        None => ("# ", format!("{}. If the database is PostgreSQL, uncomment this", line(of))),
    };
    let _ = write!(page, "\n# The schema goes along with the versions: {why}.\n{mark}[database]\n");
    let _ = writeln!(page, "{mark}url = \"env:DATABASE_URL\"    # as the role that owns the tables");
    let _ = writeln!(page, "{mark}{said}");
}
