//! A configuration with every default written out.

use super::*;

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
# price =                         # default. What an instance costs in an hour, for `tandem plan` to reckon with.

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

[deploy.canary]
steps = ["10% for 5m", "50% for 5m"]  # default. What part of the clients the new version gets, and for how long at least; all of them follow after the last step.
headers = {}                      # default. Requests with any of these header fields get the new version from the first step on; *: with any value.
cookies = {}                      # default. Requests with any of these cookies get the new version from the first step on; *: with any value.
warm = "30s"                      # default. How long the old pool is kept running after the last step.

[deploy.guard]
crashes = 1                       # default. So many new instances may die after having been ready.
errors = "< +1%"                  # default. How many answers of the new version may be failures (5xx, or none); < +1%: so much more than the old version's; any: no limit.
p50 = "any"                       # default. The same as p99, of half of the answers.
p95 = "any"                       # default. The same as p99, of 95 % of the answers.
p99 = "any"                       # default. How long 99 % of the new version's answers may take, to the head; 1.5x: of what the old version takes; any: no limit.
sample = 200                      # default. canary: a step is passed when so many answers of the new version were counted in it.
extend = "30m"                    # default. canary: how much longer than it should a step may last until it is clear whether the new version is good.
unclear = "ask"                   # default. canary: what is done if there was too little traffic by then: ask (wait for `tandem promote`), pass or back.
patience = "24h"                  # default. canary: how long somebody who is asked may take; then the deployment goes back.

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

[source]
# folder =                        # default. The folder in which archives appear that are deployed by themselves. Not set: they are only pushed.
settle = "3s"                     # default. A file there that has not changed for so long is complete.
max_size = "1GiB"                 # default. No archive that comes by itself is larger.
checksum = false                  # default. Whether each archive must bring its SHA-256: X.sha256 beside X. One that is there is looked at in any case.
# public_key =                    # default. By which each archive must be signed: X.minisig beside X, made by minisign. Not set: signatures are not looked at.
# hotfix =                        # default. What archives are called that wait for no window and no interval; * stands for any text.
windows = []                      # default. Only in these times a deployment begins by itself. Empty: at any time.
freezes = []                      # default. In these times none begins by itself.
interval = "0s"                   # default. So long after the beginning of a deployment the next one begins by itself at the earliest.
# check =                         # default. A command that must succeed before an archive is deployed. $DIGEST, $VERSION and $FILE stand for those of the archive.
check_within = "10m"              # default. How long it may take.
approve = false                   # default. Whether each archive waits until somebody has approved it: tandem approve.

[hooks]
# begin =                         # default. A command that must succeed before anything is done. It gets JSON on its stdin.
# release =                       # default. A command of the deliverable that must succeed before its first instance is started. It finds what an instance does.
# ready =                         # default. A command that must succeed before the new version gets its first request; the JSON has the addresses of its instances.
# watch =                         # default. A command that is run again and again while the new version has requests and the old one can come back: by metrics of your own.
watch_every = "30s"               # default. The pause between two times.
watch_fails = 2                   # default. When it failed so often in a row, the deployment goes back.
# serving =                       # default. A command that must succeed when all clients are at the new version; else the deployment goes back.
within = "5m"                     # default. How long each may take.
"###);
    let full = show(FULL).unwrap();
    assert_eq!(
        full.matches("default. ").count(),
        34,
        "only the second address, the rules and those who are told are not wholly written: {full}"
    );
}
