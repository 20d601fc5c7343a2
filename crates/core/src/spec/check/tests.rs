//! Configurations as people write them, and what they are told.

use proptest::prelude::*;

use super::super::key::{FILE, Key};
use super::super::show;
use super::*;

mod acme;
mod admin;
mod messages;
mod rule;

const SMALL: &str = r#"
service = "shop"
run.command = ["bin/shop"]
[[listen]]
address = "0.0.0.0:8080"
"#;

/// Every key, each with a value that is not its default.
const FULL: &str = r#"
service = "shop"
x-owner = "team blue"

[run]
command = ["bin/shop", "--port", "$PORT"]
instances = 5
env = { A = "1", B = "env:B" }
ports = "21000 - 21999"
protocol = "http2"
restart = { first = "1s", longest = "5m", forget = "2m" }
stop.signal = "sigint"
stop.grace = "10s"

[run.stop.drain]
requests = "1s"
uploads = "2s"
streams = "3s"
websockets = "4s"

[run.ready]
http = "/health?deep=1"
grpc = "shop.Orders"
host = "shop.example.com"
every = "2s"
timeout = "3s"
within = "2m"
rise = 1
fall = 5

[[listen]]
address = "0.0.0.0:8080"
hosts = ["Shop.Example.com", "*.shop.example.com"]
paths = ["/shop"]
speaks = "https"
trusted = ["10.0.0.0/8", "192.168.1.5"]
told = "proxy"

[[listen]]
address = "[::1]:8081"

[[rule]]
name = "beta"
path = "/api"
hosts = ["Beta.Shop.example.com"]
methods = ["GET"]
headers = { X-Beta = "1", x-trace = "*" }
rewrite = "/v2{rest}"
request = { set = { X-Env = "prod" }, remove = ["x-debug"] }
response = { set = { strict-transport-security = "max-age=1" }, remove = ["Server"] }

[[rule]]
path = "=/old"
redirect = "https://new.example{path}"
status = 301

[[rule]]
path = "/gone"
answer = "gone\n"
status = 410
type = "text/html"

[deploy]
strategy = "flip"
batch = "50%"
surge = 0
floor = "50%"
bake = "0s"
flip.warm = "1m"
guard.crashes = 0

[timeouts]
head = "1s"
body = "2s"
connect = "3s"
answer = "4s"
stream = "5s"
idle = "6s"
pool_idle = "7s"
hold = "8s"

[limits]
head = "16KiB"
fields = 50
body = "100MiB"
connections = 500

[balance]
policy = "hash"
by = "cookie:session"
slow_start = "20s"
concurrent = 100
eject = { errors = "40%", requests = 30, within = "15s", rest = "1m", most = "30%" }

[sessions]
pin = "stay"
cookie = "shop_version"
idle = "5m"
limit = "2h"

[assets]
folders = { "/assets" = "public/assets" }
size = "2GiB"
keep = "24h"

[database]
url = "env:OWNER_URL"
app_url = "env:APP_URL"
variable = "APP_DATABASE"
migrations = "migrations"
migrate = ["rails", "db:migrate"]
texts = "db/tandem.sql"
rows = ["settings", "audit.levels"]
within = "1m"
home = "shop"
names = "qualified"
access = "role"
application_name = "own"
wal = "50MiB"
scratch_url = "postgres://scratch@127.0.0.1/postgres"
keep = "1h"

[contract]
document = "api/openapi.json"
caller = "X-Client"
window = "1h"
needs = { orders = "contracts/orders.json" }
shared = "/var/lib/tandem/contracts"

[tls]
certificates = { "shop.pem" = "shop.key" }
oldest = "TLSv1.3"
client_ca = "clients.pem"
client = "optional"

[tls.acme]
terms = "accepted"
directory = "https://authority.example/dir"
contact = "mailto:ops@example.com"
hosts = ["Shop.Example.com"]
challenge = "tls"
eab_kid = "kid-1"
eab_key = "env:ACME_KEY"
ca = "authority.pem"

[metrics]
listen = "127.0.0.1:9090"

[log]
access = "/var/log/shop/access.log"
format = "combined"
sample = "0.5%"
slow = "2s"
queries = "shown"

[admin]
listen = "0.0.0.0:7443"
hosts = ["Deploy.Example.com"]
certificate = "admin.pem"
key = "admin.key"
"#;

/// The problems of a text as they are printed without a terminal.
fn problems(text: &str) -> String {
    match read(text) {
        Ok(spec) => format!("no problem: {spec:?}"),
        Err(problems) => problems.iter().map(|problem| problem.plain("tandem.toml", text)).collect(),
    }
}

#[test]
fn a_small_file_is_enough() {
    let spec = read(SMALL).unwrap();
    assert_eq!(spec.service.as_str(), "shop");
    assert_eq!(spec.run.command, ["bin/shop"]);
    assert_eq!(spec.listen[0].address.port(), 8080);
}

#[test]
fn every_key_changes_its_field() {
    let full = check(FULL).unwrap();
    let mut shown = BTreeMap::new();
    let mut spec = full.spec;
    visit(&mut spec, &mut |path, field| {
        shown.insert(path.to_owned(), field.show());
    });
    let mut defaults = read(SMALL).unwrap();
    visit(&mut defaults, &mut |path, field| {
        let same = shown.get(path) == Some(&field.show());
        let is_fixed = ["service", "run.stop.drain", "listen[0].address"].contains(&path);
        assert!(!same || is_fixed, "{path} is at its default or was not read");
    });
    let mut leaves = Vec::new();
    collect("", FILE, &mut leaves);
    for leaf in leaves {
        assert!(
            shown.contains_key(&leaf.replace("listen.", "listen[0].").replace("rule.", "rule[0].")),
            "{leaf} has no field"
        );
    }
}

fn collect(path: &str, keys: &[Key], leaves: &mut Vec<String>) {
    for key in keys.iter().filter(|key| !key.is_not_yet()) {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        match key.inner() {
            [] => leaves.push(path),
            inner => collect(&path, inner, leaves),
        }
    }
}

/// The examples that are shown to people are read without a complaint.
#[test]
fn every_example_is_good() {
    fn examples(table: &str, keys: &[Key], lines: &mut Vec<String>) {
        for key in keys.iter().filter(|key| !key.is_not_yet()) {
            let path = if table.is_empty() { key.name.to_owned() } else { format!("{table}.{}", key.name) };
            if path.starts_with("listen") || path.starts_with("rule.") {
                continue;
            }
            if !key.example.is_empty() {
                lines.push(format!("{path} = {}", key.example));
            }
            examples(&path, key.inner(), lines);
        }
    }
    let mut lines = Vec::new();
    examples("", FILE, &mut lines);
    for line in lines {
        let secure = "{ address = \"[::]:443\", speaks = \"https\", hosts = [\"a.example\"] }";
        let mut text = format!("{line}\nlisten = [{{ address = \"[::]:80\" }}, {secure}]\n");
        for (key, value) in [
            ("service", "\"shop\""),
            ("run.command", "[\"a\"]"),
            ("contract.shared", "\"/tmp\""),
            ("tls.acme.terms", "\"accepted\""),
            ("tls.acme.eab_kid", "\"kid-1\""),
            ("tls.acme.eab_key", "\"abc\""),
            ("admin.listen", "\"127.0.0.1:7443\""),
            ("admin.certificate", "\"admin.pem\""),
            ("admin.key", "\"admin.key\""),
        ] {
            if !line.starts_with(key) {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        assert!(read(&text).is_ok(), "{}", problems(&text));
    }
}

#[test]
fn one_drain_length_is_for_all_classes() {
    let spec = read(&format!("run.stop.drain = \"7s\"{SMALL}")).unwrap();
    assert_eq!(spec.run.stop.drain.uploads, spec.run.stop.drain.requests);
    assert_eq!(spec.run.stop.drain.longest().to_string(), "7s");
}

#[test]
fn what_is_written_by_strangers_can_not_paint_the_terminal() {
    let said = problems("\"\\u001b[31mred\\n\" = 1\nservice = \"\\u001b[2J\\n\"\n");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(!problems(&format!("service = {}", "x".repeat(100_000))).contains(&"x".repeat(1000)));
}

#[test]
#[allow(clippy::too_many_lines, reason = "it is one snapshot")]
fn the_whole_configuration_is_shown() {
    insta::assert_snapshot!(show(SMALL).unwrap(), @r###"
service = "shop"                  # The name of the service.

[run]
command = ["bin/shop"]            # Program and arguments, without a shell. $PORT stands for the instance's port.
instances = 2                     # default. How many instances serve.
env = {}                          # default. More environment for the instances; env:NAME is read from the environment of `tandem up`.
protocol = "http1"                # default. What instances speak: http1, or http2 in clear text, as gRPC servers do.
ports = "20000-29999"             # default. From which ports instances get theirs.

[run.ready]
http = "/up"                      # default. This path must answer GET with 200 to 299.
# grpc =                          # default. This service must be healthy by gRPC's own check (grpc.health.v1), in place of the path. "": the whole server.
# host =                          # default. The Host that checks send. Not set: the instance's address.
every = "1s"                      # default. From one check to the next.
timeout = "5s"                    # default. The longest that one check may take.
within = "1m"                     # default. How long a new instance may take to become ready.
rise = 2                          # default. So many good answers in a row make it healthy.
fall = 3                          # default. So many bad answers in a row make it unhealthy.

[run.stop]
signal = "TERM"                   # default. The signal that asks the app to stop.
grace = "30s"                     # default. How long the app may take to exit after the signal.

[run.stop.drain]
requests = "30s"                  # default. Ordinary requests.
uploads = "10m"                   # default. Requests whose body is still arriving.
streams = "1m"                    # default. Answers that are being sent.
websockets = "1m"                 # default. Connections that were upgraded.

[run.restart]
first = "100ms"                   # default. The wait before the first replacement; it doubles each time.
longest = "1m"                    # default. The longest wait.
forget = "1m"                     # default. A run of this length begins the count anew.

[[listen]]
address = "0.0.0.0:8080"          # The address and port to listen on.
hosts = []                        # default. Host names that are served; *.example.com matches one label. Empty: all.
paths = []                        # default. What paths begin with, by whole segments; where services share a host, the longest one decides. Empty: all.
speaks = "http"                   # default. http, https (with the certificates of [tls]), or redirect, which sends clients to https.
trusted = []                      # default. Networks of proxies of your own, which are believed what they tell of clients.
told = "fields"                   # default. How they tell it: fields (X-Forwarded-*, Forwarded), or proxy (PROXY protocol, version 1 or 2).

[deploy]
strategy = "rolling"              # default. The strategy of deployments that name none.
batch = 1                         # default. rolling: how many instances are replaced at a time.
# surge =                         # default. rolling: how many instances there may be beyond the wanted number. Not set: as many as batch.
# floor =                         # default. rolling: how many instances must serve at all times. Not set: all that surge allows to keep.
bake = "10s"                      # default. How long the new version is watched under traffic before it counts as done.

[deploy.flip]
warm = "30s"                      # default. How long the old pool is kept running after the switch.

[deploy.guard]
crashes = 1                       # default. So many new instances may die after having been ready.

[timeouts]
head = "10s"                      # default. From the first byte of a request until its head is complete.
body = "30s"                      # default. The longest silence while a request's body arrives.
connect = "2s"                    # default. Opening a connection to an instance.
answer = "1m"                     # default. From the end of the request until the head of the answer.
stream = "5m"                     # default. The longest silence while an answer's body is sent.
idle = "1m"                       # default. How long a client's connection may stay open between requests.
pool_idle = "4s"                  # default. How long an unused connection to an instance is kept.
hold = "5s"                       # default. How long a request is held while no instance can take it, before it is answered with 503.

[limits]
head = "32KiB"                    # default. The request line and all header fields together.
fields = 100                      # default. The number of header fields.
body = 0                          # default. The body of a request. 0: no limit.
connections = 20000               # default. Connections from clients, for the whole proxy.

[balance]
policy = "least"                  # default. least (the less loaded of two that are drawn), round-robin, or hash (the same for the same key).
by = "client"                     # default. Of hash: client, path, cookie:NAME or header:NAME. Requests without it go anywhere.
slow_start = "0s"                 # default. Over how long a new instance gets its full part. 0s: at once.
concurrent = 0                    # default. So many requests at once on one instance; more wait for as long as timeouts.hold says. 0: any number.

[balance.eject]
errors = "0%"                     # default. The part of its requests that failed (5xx, or no answer), at least twice that of the others. 0%: none is ejected.
requests = 20                     # default. Of so many requests at least.
within = "10s"                    # default. Within this time; whole seconds count.
rest = "30s"                      # default. For so long the first time; each time longer, up to ten times.
most = "50%"                      # default. No more than this part of the instances at once.

[sessions]
pin = "forward"                   # default. none, forward (never back to the old version), or stay (after a flip with it, too).
cookie = "tandem"                 # default. By which a client is known again. Set only while two versions serve, or with stay.
idle = "15m"                      # default. stay: a session without a request for so long is over.
limit = "1h"                      # default. stay: how long sessions may hold the old version after the switch.

[assets]
folders = {}                      # default. From the path in the URL to the folder in the deliverable. Those of Next.js and SvelteKit are found without it.
size = "1GiB"                     # default. How many bytes are kept, of all versions together. 0: none.
keep = "168h"                     # default. How long files are kept after the last deployment of a version that had them.

[database]
# url =                           # default. The database, as the role that owns the tables; env:NAME is read from the environment. Not set: deployments carry no schema.
# app_url =                       # default. The database, as the role of the instances. Not set: that of `url`.
variable = "DATABASE_URL"         # default. The variable in which an instance finds the URL of its own revision.
migrations = "db/migrations"      # default. The folder of migrations: in the deliverable; for `tandem schema` beside this file.
# migrate =                       # default. The framework's own command, where migrations are no SQL files: tried in a scratch copy, and written down.
# texts =                         # default. A file in the deliverable with `-- @up` and `-- @down` for what the command does.
rows = []                         # default. Small tables whose rows the command looks at. If they change before its work begins, it is tried anew.
within = "10m"                    # default. How long the command may take.
home = "public"                   # default. The schema where the tables live.
names = "bare"                    # default. How the app writes the names of tables: bare, or qualified with the schema of its URL, as Prisma does.
access = "url"                    # default. How an instance is told its revision: by its url, or by a role of each revision's own, for poolers that share sessions.
application_name = "url"          # default. Who says what the app's sessions are called: url, by which each is known, or own, where the app sets a name itself.
wal = 0                           # default. How much write-ahead log the server may write in a second while rows are filled. 0: no limit.
# scratch_url =                   # default. Another server for scratch copies. Not set: the same server.
keep = "10m"                      # default. How long after a deployment the old revision is kept, so that going back is possible.

[contract]
# document =                      # default. The OpenAPI document (3.0 or 3.1, JSON or YAML): a file in the deliverable, or a path ("/openapi.json") at which instances have it. Not set: there is no contract.
caller = "User-Agent"             # default. The header field whose first word tells callers apart.
window = "24h"                    # default. What was called within this time is taken to be in use.
needs = {}                        # default. From services that are called to the OpenAPI documents in the deliverable for which it was written; parts will do.
# shared =                        # default. A folder, the same for services that call each other: there each tells what its live versions promise and need.

[tls]
certificates = {}                 # default. From the file with a certificate and its chain to the file with its key. The first one serves unknown names.
oldest = "1.2"                    # default. The oldest version of TLS that is spoken.
# client_ca =                     # default. A file with the authorities that vouch for clients. Not set: clients are not asked for a certificate.
client = "required"               # default. With client_ca: whether clients must show a certificate (required) or may (optional).

[tls.acme]
# terms =                         # default. That you accept the authority's terms. Nothing is asked of it before.
directory = "letsencrypt"         # default. The authority: letsencrypt, letsencrypt-staging (for trials), or the URL of its directory.
# contact =                       # default. A mail address by which the authority can reach you.
hosts = []                        # default. The names to have certificates for, one each. Empty: those of the addresses where https is spoken.
# challenge =                     # default. How a name is shown to be yours: http (asked on port 80) or tls (on port 443). Not set: tls if https is on port 443.
# eab_kid =                       # default. Where the authority wants an account that it knows already: its number.
# eab_key =                       # default. The key of that account (base64url); env:NAME is read from the environment.
# ca =                            # default. A file with the authorities that vouch for the directory itself. Not set: those of the system.

[metrics]
# listen =                        # default. Where Prometheus finds them, under /metrics; nothing else is there. Not set: only at the admin socket.

[log]
# access =                        # default. The file, by an absolute path, or - for the standard output of `tandem up`. Not set: there is no log.
format = "json"                   # default. How a line looks: json, or combined, as other servers have it.
sample = "100%"                   # default. Which part is logged of the requests that went well and were quick; the others are in any case.
slow = "1s"                       # default. Requests that took longer than this are logged in any case.
queries = "hidden"                # default. Whether what follows the ? of a path is logged: hidden or shown.

[admin]
# listen =                        # default. Where people with a token, and the dashboard, are answered. Not set: only at the Unix sockets.
hosts = []                        # default. The names under which it is asked for, beside its address; others are refused.
# certificate =                   # default. The file with its certificate and chain. Needed unless it listens on loopback.
# key =                           # default. The file with the key of the certificate.
"###);
    let full = show(FULL).unwrap();
    assert_eq!(
        full.matches("default. ").count(),
        30,
        "only the second address and the rules are not wholly written: {full}"
    );
}

#[test]
fn what_is_shown_is_read_back() {
    for text in [SMALL, FULL] {
        let shown = show(text).unwrap();
        assert_eq!(read(&shown), read(text), "{shown}");
        assert_eq!(
            read(&shown).and_then(|_| show(&shown)).map(|again| again.replace("default. ", "")),
            Ok(shown.replace("default. ", ""))
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC*") {
        let _ = read(&text);
    }

    /// Files that are nearly right reach further into the reader than noise does.
    #[test]
    fn no_change_of_a_good_file_makes_reading_panic(
        at in 0..FULL.len(), length in 0usize..40, put in "[\\[\\]{}=\"'#.\\n0-9a-zé\u{0}\u{1b} -]{0,12}",
    ) {
        let end = (at + length).min(FULL.len());
        let text = format!("{}{put}{}", FULL.get(..at).unwrap_or(""), FULL.get(end..).unwrap_or(""));
        match read(&text) {
            Ok(spec) => prop_assert_eq!(read(&show(&text).unwrap()), Ok(spec)),
            Err(problems) => for problem in problems {
                prop_assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
                let plain = problem.plain("f", &text);
                prop_assert!(!plain.contains('\u{1b}'), "{}", plain);
            }
        }
    }

    #[test]
    fn any_texts_are_shown_so_that_they_are_read_back(
        words in prop::collection::vec("[^\u{0}]{1,12}", 1..4),
        env in prop::collection::btree_map("[A-OQ-S_][A-Za-z0-9_]{0,8}", "[^\u{0}]{0,12}", 0..4),
    ) {
        let mut table = toml::Table::new();
        table.insert("command".into(), toml::Value::from(words));
        table.insert("env".into(), toml::Value::from(env));
        let text = format!("service = \"a\"\nlisten = [{{ address = \"[::]:80\" }}]\n[run]\n{table}");
        if let Ok(spec) = read(&text) {
            let shown = show(&text).unwrap();
            prop_assert_eq!(read(&shown), Ok(spec), "{}", shown);
        }
    }
}
