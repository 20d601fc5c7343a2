//! Configurations as people write them, and what they are told.

use proptest::prelude::*;

use super::super::key::{FILE, Key};
use super::super::show;
use super::*;

mod acme;
mod admin;
mod deploy;
mod docker;
mod hook;
mod messages;
mod reference;
mod rule;
mod shown;
mod source;

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
price = "0.048 EUR"
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

[run.docker]
hosts = ["unix:///run/docker.sock", "tcp://10.0.0.5:2376"]
certificates = "certs/docker"
port = 3000
reach = "port"
network = "shop"
memory = "512MiB"
cpus = "1.5"
volumes = ["uploads:/data", "/srv/shop:/srv:ro"]
pull_within = "5m"

[run.docker.registry]
host = "registry.example.com"
user = "deploy"
password = "env:REGISTRY_PASSWORD"

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

[deploy.canary]
steps = ["0% for 1m", "2.5% 10m", "50% for 1h"]
headers = { X-Canary = "1" }
cookies = { beta = "*" }
warm = "2m"

[deploy.guard]
crashes = 0
errors = "< 2%"
p50 = "1.25x"
p95 = "< 300ms"
p99 = "<2x"
sample = 50
extend = "1h"
unclear = "back"
patience = "1h"

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

[source]
folder = "incoming"
settle = "10s"
max_size = "200MiB"
checksum = true
public_key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
hotfix = "*-hotfix*"
windows = ["Mon-Thu 09:00-16:00 Europe/Berlin", "sat,sun"]
freezes = ["2026-12-20 to 2027-01-03 12:00 Europe/Berlin"]
interval = "30m"
check = ["bin/may-deploy", "$DIGEST"]
check_within = "5m"
approve = true

[hooks]
begin = ["bin/may-deploy"]
release = ["bin/migrate-cache"]
ready = ["bin/smoke-test"]
watch = ["bin/metrics-are-good"]
watch_every = "10s"
watch_fails = 3
serving = ["bin/verify"]
within = "2m"

[[notify]]
url = "env:SLACK_URL"
format = "slack"
on = ["turned-back", "asks"]

[[notify]]
command = ["bin/mail-team"]
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
            shown.contains_key(
                &leaf
                    .replace("listen.", "listen[0].")
                    .replace("rule.", "rule[0].")
                    .replace("notify.", "notify[0].")
            ),
            "{leaf} has no field"
        );
    }
}

fn collect(path: &str, keys: &[Key], leaves: &mut Vec<String>) {
    for key in keys {
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
        for key in keys {
            let path = if table.is_empty() { key.name.to_owned() } else { format!("{table}.{}", key.name) };
            if path.starts_with("listen") || path.starts_with("rule.") || path.starts_with("notify.") {
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
            ("run.docker.certificates", "\"certs\""),
            ("run.docker.registry.host", "\"registry.example\""),
            ("run.docker.registry.user", "\"deploy\""),
            ("run.docker.registry.password", "\"env:A\""),
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
