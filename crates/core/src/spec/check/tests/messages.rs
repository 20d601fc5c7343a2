//! What people are told of each kind of mistake.

use super::*;

/// What is said of one changed line at the end of a file that is otherwise good.
fn said_of(table: &str, line: &str) -> String {
    let text = match table {
        "listen" => format!("service = \"shop\"\nrun.command = [\"bin/shop\"]\n[[listen]]\n{line}\n"),
        "run" => format!("service = \"shop\"\nlisten = [{{ address = \"[::]:80\" }}]\n[run]\n{line}\n"),
        "run with a command" => {
            format!(
                "service = \"shop\"\nlisten = [{{ address = \"[::]:80\" }}]\n[run]\ncommand = [\"a\"]\n{line}\n"
            )
        }
        table => format!("{SMALL}[{table}]\n{line}\n"),
    };
    let said = problems(&text);
    said.lines().map(|line| line.strip_prefix("tandem.toml:").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

pub(super) fn said_of_all(lines: &[(&str, &str)]) -> String {
    lines.iter().map(|(table, line)| format!("{line}\n{}\n\n", said_of(table, line))).collect()
}

#[test]
fn an_empty_file_names_all_that_is_missing() {
    insta::assert_snapshot!(problems(""), @r###"
tandem.toml:1:1: `service` is missing
  help: add for example
        service = "shop"
tandem.toml:1:1: `run` is missing
  help: add for example
        [run]
        command = ["bin/shop", "--port", "$PORT"]
tandem.toml:1:1: `listen` is missing
  help: add for example
        [[listen]]
        address = "0.0.0.0:8080"
"###);
}

#[test]
fn several_problems_are_told_in_the_order_of_the_file() {
    let text = r#"
servce = "shop"
instances = 3
[run]
command = "bin/shop --port $PORT"
instances = "four"
ready = { path = "/up", every = "1 fortnight", timeout = 5 }
[[listen]]
port = 8080
[deploy]
strategy = "rollling"
batch = 0
"#;
    insta::assert_snapshot!(problems(text), @r###"
tandem.toml:2:1: unknown key `servce` at the top
  help: did you mean `service`? Known here: service, run, listen, rule, deploy, timeouts, limits, balance, sessions, assets, database, contract, tls, metrics, log, admin, source, hooks, notify
tandem.toml:3:1: unknown key `instances` at the top
  help: `instances` belongs in [run]. Known here: service, run, listen, rule, deploy, timeouts, limits, balance, sessions, assets, database, contract, tls, metrics, log, admin, source, hooks, notify
tandem.toml:5:11: `run.command` is the text "bin/shop --port $PORT", but a list of program and arguments is expected
  help: write command = ["bin/shop", "--port", "$PORT"]
tandem.toml:6:13: `run.instances` is the text "four", but a whole number is expected
  help: write for example instances = 4
tandem.toml:7:11: unknown key `path` in [run.ready]
  help: did you mean `http`? Known here: http, grpc, host, every, timeout, within, rise, fall
tandem.toml:7:33: `run.ready.every` is "1 fortnight", which is not a length of time
  help: write for example "500ms", "30s", "5m" or "1h 30m"
tandem.toml:7:58: `run.ready.timeout` is the number 5, but a length of time in quotes is expected
  help: add a unit: timeout = "5s" or "5ms"
tandem.toml:9:1: unknown key `port` in [[listen]]
  help: did you mean `address`? Known here: address, hosts, paths, speaks, trusted, told
tandem.toml:11:12: `deploy.strategy` is "rollling", which is not known here
  help: did you mean "rolling"? Possible are "rolling", "flip", "canary"
"###);
}

#[test]
fn text_that_is_not_toml_has_one_problem() {
    insta::assert_snapshot!(problems("service = \"shop\n[run]\ncommand = ["), @r###"
tandem.toml:1:16: this is not TOML: invalid basic string, expected `"`
"###);
    insta::assert_snapshot!(problems("service = \"a\"\nservice = \"b\"\n"), @r###"
tandem.toml:2:1: this is not TOML: duplicate key
"###);
}

#[test]
fn commands_are_lists() {
    insta::assert_snapshot!(said_of_all(&[
        ("run", r#"command = "cd app && npm start""#),
        ("run", r#"command = "python3 -m http.server ${PORT}""#),
        ("run", r#"command = ["python3 -m http.server"]"#),
        ("run", "command = []"),
        ("run", r#"command = ["a", 1]"#),
        ("run with a command", r#"env = { PORT = "1" }"#),
        ("run with a command", "env = { WORKERS = 4 }"),
        ("run with a command", r#"env = { A = "env:" }"#),
    ]), @r###"
command = "cd app && npm start"
4:11: `run.command` is the text "cd app && npm start", but a list of program and arguments is expected
  help: write command = ["sh", "-c", "cd app && npm start"]

command = "python3 -m http.server ${PORT}"
4:11: `run.command` is the text "python3 -m http.server ${PORT}", but a list of program and arguments is expected
  help: write command = ["python3", "-m", "http.server", "$PORT"]

command = ["python3 -m http.server"]
4:11: `run.command` is one word, "python3 -m http.server", and no shell will split it
  help: write command = ["python3", "-m", "http.server"]

command = []
4:11: `run.command` is empty, so there is nothing to run
  help: write for example command = ["bin/shop", "--port", "$PORT"]

command = ["a", 1]
4:11: `run.command` holds the number 1, but only texts in quotes are expected
  help: write for example command = ["bin/shop", "--port", "$PORT"]

env = { PORT = "1" }
5:7: `run.env` holds PORT, which Tandem sets
  help: leave it out: each instance gets its own

env = { WORKERS = 4 }
5:7: `run.env` holds WORKERS, which is the number 4, but a text in quotes is expected
  help: write for example WORKERS = "1"

env = { A = "env:" }
5:7: `run.env` refers to the variable ""
  help: write for example A = "env:A"
"###);
}

#[test]
fn addresses_and_hosts() {
    insta::assert_snapshot!(said_of_all(&[
        ("listen", "address = 8080"),
        ("listen", r#"address = ":8080""#),
        ("listen", r#"address = "localhost:8080""#),
        ("listen", r#"address = "0.0.0.0""#),
        ("listen", r#"address = "::1:80""#),
        ("listen", r#"address = "0.0.0.0:0""#),
        ("listen", r#"address = "shop.example.com:443""#),
        ("listen", "address = \"[::]:80\"\nhosts = \"shop.example.com\""),
        ("listen", "address = \"[::]:80\"\nhosts = [\"https://shop.example.com/\"]"),
        ("listen", "address = \"[::]:80\"\nhosts = [\"a.*.com\"]"),
        ("listen", "address = \"[::]:80\"\n[[listen]]\naddress = \"[::]:80\""),
    ]), @r###"
address = 8080
4:11: `listen.address` is the number 8080, but a text in quotes is expected
  help: write address = "0.0.0.0:8080"

address = ":8080"
4:11: `listen.address` is ":8080", a port without an address
  help: write "0.0.0.0:8080" for all addresses of this machine

address = "localhost:8080"
4:11: `listen.address` is "localhost:8080", a name
  help: write "127.0.0.1:8080" for this machine only

address = "0.0.0.0"
4:11: `listen.address` is "0.0.0.0", an address without a port
  help: add the port, for example "0.0.0.0:8080"

address = "::1:80"
4:11: `listen.address` is "::1:80", an IPv6 address without brackets
  help: write "[::1]:80"

address = "0.0.0.0:0"
4:11: `listen.address` is "0.0.0.0:0", and port 0 means none in particular
  help: name the port that clients connect to

address = "shop.example.com:443"
4:11: `listen.address` is "shop.example.com:443", not an IP address and a port
  help: write the address in numbers, for example "0.0.0.0:443"; names go into `hosts`

address = "[::]:80"
hosts = "shop.example.com"
5:9: `listen.hosts` is the text "shop.example.com", but a list of texts is expected
  help: put it in brackets: hosts = ["shop.example.com"]

address = "[::]:80"
hosts = ["https://shop.example.com/"]
5:9: `listen.hosts` holds "https://shop.example.com/", a URL
  help: give only the name: "shop.example.com"

address = "[::]:80"
hosts = ["a.*.com"]
5:9: `listen.hosts` holds "a.*.com", with the star in the wrong place
  help: a star stands for the whole first label: "*.example.com"

address = "[::]:80"
[[listen]]
address = "[::]:80"
6:11: `listen.address` [::]:80 is there twice
  help: put all `hosts` of one address into one [[listen]]
"###);
    insta::assert_snapshot!(problems("service = \"a\"\nrun.command = [\"a\"]\n[listen]\naddress = \"[::]:80\""), @r###"
tandem.toml:3:1: `listen` is a table, but a list of tables is expected
  help: write [[listen]] with two brackets: there may be several
"###);
}

#[test]
fn metrics_have_an_address_of_their_own() {
    let text = format!("{SMALL}[metrics]\nlisten = \"0.0.0.0:8080\"\n");
    insta::assert_snapshot!(problems(&text), @r###"
tandem.toml:7:10: `metrics.listen` is an address at which requests arrive
  help: give metrics a port of their own
"###);
}

#[test]
fn logs_have_a_path_and_a_share() {
    insta::assert_snapshot!(said_of_all(&[
        ("log", "access = \"access.log\""),
        ("log", "format = \"apache\""),
        ("log", "sample = \"1\""),
        ("log", "sample = 0.01"),
    ]), @r###"
access = "access.log"
7:10: `log.access` is "access.log", which is not the absolute path of a file
  help: write for example "/var/log/shop/access.log", or "-" for the standard output

format = "apache"
7:10: `log.format` is "apache", which is not known here
  help: possible are "json", "combined"

sample = "1"
7:10: `log.sample` is "1", which is not a share
  help: write a percentage from "0%" to "100%"

sample = 0.01
7:10: `log.sample` is the number 0.01, but a text in quotes is expected
  help: write for example sample = "1%"
"###);
}

#[test]
fn lengths_sizes_and_numbers() {
    insta::assert_snapshot!(said_of_all(&[
        ("timeouts", "head = 10"),
        ("timeouts", r#"head = "10""#),
        ("timeouts", r#"head = "-5s""#),
        ("timeouts", r#"head = "0s""#),
        ("timeouts", "hed = \"1s\""),
        ("limits", r#"head = "1GiB""#),
        ("limits", r#"head = "much""#),
        ("limits", "fields = 1.5"),
        ("limits", r#"fields = "100""#),
        ("limits", "fields = -1"),
        ("limits", "fields = 99999999999999999999"),
    ]), @r###"
head = 10
7:8: `timeouts.head` is the number 10, but a length of time in quotes is expected
  help: add a unit: head = "10s" or "10ms"

head = "10"
7:8: `timeouts.head` is "10", a number without a unit
  help: add a unit: "10s" or "10ms"

head = "-5s"
7:8: `timeouts.head` is "-5s", which is not a length of time
  help: write for example "500ms", "30s", "5m" or "1h 30m"

head = "0s"
7:8: `timeouts.head` is "0s", less than 1ms
  help: possible are 1ms to 24h

hed = "1s"
7:1: unknown key `hed` in [timeouts]
  help: did you mean `head`? Known here: head, body, connect, answer, stream, idle, pool_idle, hold

head = "1GiB"
7:8: `limits.head` is "1GiB", more than "1MiB"
  help: possible are "1KiB" to "1MiB"

head = "much"
7:8: `limits.head` is "much", which is not a size
  help: write a number of bytes, or for example "32KiB", "16MiB", "2GiB"

fields = 1.5
7:10: `limits.fields` is the number 1.5, but a whole number is expected
  help: write for example fields = 100

fields = "100"
7:10: `limits.fields` is the text "100", but a whole number is expected
  help: leave out the quotes: fields = 100

fields = -1
7:10: `limits.fields` is -1, less than 1
  help: possible are 1 to 10000

fields = 99999999999999999999
7:10: `limits.fields` is 99999999999999999999, more than 10000
  help: possible are 1 to 10000
"###);
}

#[test]
fn ports_signals_paths_and_words() {
    insta::assert_snapshot!(said_of_all(&[
        ("run with a command", "instances = 0"),
        ("run with a command", r#"ports = "80-90""#),
        ("run with a command", r#"ports = "29999-20000""#),
        ("run with a command", r#"stop = { signal = "KILL" }"#),
        ("run with a command", r#"stop = { signal = "TREM" }"#),
        ("run with a command", r#"stop = { drain = 30 }"#),
        ("run with a command", r#"ready = { http = "http://localhost:3000/up" }"#),
        ("run with a command", r#"ready = { http = "up" }"#),
        ("run with a command", r#"ready = "/up""#),
        ("run with a command", "replicas = 3"),
        ("deploy", r#"strategy = "blue-green""#),
        ("deploy", r#"batch = "125%""#),
        ("deploy", "warm = \"10s\""),
    ]), @r###"
instances = 0
5:13: `run.instances` is 0, less than 1
  help: possible are 1 to 1000

ports = "80-90"
5:9: `run.ports` is "80-90", and ports below 1024 are reserved
  help: write the lowest and the highest port, for example "20000-29999"

ports = "29999-20000"
5:9: `run.ports` is "29999-20000": it ends before it begins
  help: write "20000-29999"

stop = { signal = "KILL" }
5:19: `run.stop.signal` is "KILL", which no app can catch
  help: leave it out: Tandem itself kills an app that is still there after `grace`

stop = { signal = "TREM" }
5:19: `run.stop.signal` is "TREM", which is not known here
  help: did you mean "TERM"? Possible are "TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH"

stop = { drain = 30 }
5:18: `run.stop.drain` is the number 30, but a length of time in quotes, or a table, is expected
  help: add a unit: drain = "30s" or "30ms"

ready = { http = "http://localhost:3000/up" }
5:18: `run.ready.http` is "http://localhost:3000/up", a whole URL
  help: give only the path: "/up"; Tandem asks each instance on its own port

ready = { http = "up" }
5:18: `run.ready.http` is "up", which is not a path
  help: begin with a slash: "/up"

ready = "/up"
5:9: `run.ready` is the text "/up", but a table is expected
  help: write for example ready = { http = "/up" }

replicas = 3
5:1: unknown key `replicas` in [run]
  help: did you mean `instances`? Known here: command, instances, env, protocol, ports, ready, stop, restart, price, docker

strategy = "blue-green"
7:12: `deploy.strategy` is "blue-green", another name
  help: Tandem calls that "flip"

batch = "125%"
7:9: `deploy.batch` is "125%", which is not an amount
  help: write a number of instances such as 2, or a percentage from "0%" to "100%"

warm = "10s"
7:1: unknown key `warm` in [deploy]
  help: `warm` belongs in [deploy.flip]. Known here: strategy, batch, surge, floor, bake, flip, canary, guard
"###);
}

#[test]
fn values_that_are_good_alone_but_not_together() {
    insta::assert_snapshot!(said_of_all(&[
        ("deploy", "batch = \"0%\""),
        ("deploy", "surge = 0\nfloor = 2"),
        ("deploy", "surge = 0\nfloor = \"100%\""),
        ("deploy", "floor = 3"),
        ("deploy", "surge = 0\nbatch = \"100%\""),
        ("run with a command", "instances = 4\nports = \"20000-20006\""),
        ("run with a command", "restart = { first = \"2m\" }"),
    ]), @r###"
batch = "0%"
7:9: `deploy.batch` is 0%, so nothing would ever be replaced
  help: replace at least one at a time: batch = 1

surge = 0
floor = 2
8:9: `deploy.floor` keeps all 2 instances and `deploy.surge` allows no more
  help: nothing could ever be replaced: allow surge = 1, or one less in `floor`

surge = 0
floor = "100%"
8:9: `deploy.floor` keeps all 2 instances and `deploy.surge` allows no more
  help: nothing could ever be replaced: allow surge = 1, or one less in `floor`

floor = 3
7:9: `deploy.floor` is 3, more than the 2 instances of `run.instances`
  help: write at most floor = 2

surge = 0
batch = "100%"
7:9: `deploy.surge` is 0 and `deploy.batch` is 100%: all 2 instances would stop at once
  help: leave `surge` out, take a smaller `batch`, or write floor = 0 if the gap is meant

instances = 4
ports = "20000-20006"
6:9: `run.ports` holds 7 ports, too few for two pools of 4 instances
  help: give at least 8 ports

restart = { first = "2m" }
5:21: `run.restart.first` is 2m, longer than `run.restart.longest`, which is 1m
  help: make `first` the shorter of the two
"###);
    assert!(read(&format!("{SMALL}[deploy]\nsurge = 0\nbatch = 2\nfloor = 0")).is_ok());
}

#[test]
fn databases_are_checked_and_urls_are_not_shown() {
    let text = format!(
        "{SMALL}[database]\nurl = \"mysql://me:secret@db/x\"\nmigrations = \"\"\nschema = \"x\"\nhome = \"tandem_x\"\n\
         scratch_url = \"env:1\"\nrows = [\"a\", \"b.c.d\"]\n"
    );
    insta::assert_snapshot!(problems(&text), @r###"
tandem.toml:7:7: `database.url` is not the URL of a PostgreSQL database
  help: write "env:DATABASE_URL", or for example "postgres://owner@127.0.0.1:5432/shop"
tandem.toml:8:14: `database.migrations` is "", which is not a folder
  help: write for example "db/migrations"
tandem.toml:9:1: unknown key `schema` in [database]
  help: did you mean `home`? Known here: url, app_url, variable, migrations, migrate, texts, rows, within, home, names, access, application_name, wal, scratch_url, keep
tandem.toml:10:8: `database.home` is "tandem_x", which is Tandem's own
  help: name the schema where the app's tables are, such as "public"
tandem.toml:11:15: `database.scratch_url` refers to the variable "1"
  help: write for example "env:DATABASE_URL"
tandem.toml:12:8: `database.rows` is "b.c.d", which is no table
  help: write its name as PostgreSQL keeps it, such as "settings" or "app.settings"
"###);
}

#[test]
fn a_file_may_hold_nothing_but_a_database() {
    let alone = read_database("[database]\nhome = \"shop\"\n[run]\nnothing = 1\n").unwrap();
    assert_eq!((alone.home.as_str(), alone.url.as_deref()), ("shop", None));
    assert!(read_database("[database]\nhome = 1").is_err());
    assert!(read_database("database = 1").is_err() && read_database("[[").is_err());
}

#[test]
fn sessions_and_assets() {
    let text = r#"
service = "shop"
[run]
command = ["bin/shop"]
[[listen]]
address = "127.0.0.1:8080"
[sessions]
pin = "stay"
cookie = "a b"
[assets]
folders = { "assets" = "public", "/b" = "../secrets", "/c" = 7 }
"#;
    insta::assert_snapshot!(problems(text), @r###"
tandem.toml:8:7: `sessions.pin` keeps clients with the old version, and `deploy.strategy` takes its instances away one after the other
  help: write deploy.strategy = "flip", which keeps the whole old pool, or pin = "forward"
tandem.toml:9:10: `sessions.cookie` is "a b", which can't be the name of a cookie
  help: use letters, digits, '_', '-' and '.', at most 64 of them
tandem.toml:11:11: `assets.folders` is "../secrets", which does not lie within the deliverable
  help: write for example "public/assets"
"###);
    let text = text.replace("\"stay\"", "\"sticky\"").replace("\"/b\" = \"../secrets\", ", "");
    insta::assert_snapshot!(problems(&text), @r###"
tandem.toml:8:7: `sessions.pin` is "sticky", another name
  help: Tandem calls that "stay"
tandem.toml:9:10: `sessions.cookie` is "a b", which can't be the name of a cookie
  help: use letters, digits, '_', '-' and '.', at most 64 of them
tandem.toml:11:11: `assets.folders` holds "/c", which is the number 7, but a folder in quotes is expected
  help: write for example "/c" = "public/assets"
"###);
}
