// A real Tandem in a folder of its own: `tandem up` with a service and its PostgreSQL, deliverables for it, and load.
// The program is named by TANDEM. The browser tests use it; `node test/show.mjs` does so by hand.

import { execFile, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, postgres } from "./postgres.mjs";
import { endAll, kill, processesOf, signal } from "./processes.mjs";

const TANDEM = process.env.TANDEM ?? "tandem";
const SERVICE = fileURLToPath(new URL("service.mjs", import.meta.url));

const MIGRATIONS = {
  "0001_orders.sql": "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, note text);\n",
  "0002_buyers.sql":
    "ALTER TABLE orders RENAME COLUMN customer TO buyer;\n" +
    "-- @up orders.note: coalesce(note, 'none')\n" +
    "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;\n",
};

const config = ({ port, keep, bake, instances, admin, incoming }) => `# The service of the browser tests.
service = "shop"

[run]
command   = ["node", "service.mjs"]
instances = ${instances}
ready     = { http = "/up", every = "200ms", within = "20s" }
stop      = { signal = "TERM", grace = "5s" }

[[listen]]
address = "127.0.0.1:${port}"

[database]
url        = "env:DATABASE_URL"
migrations = "migrations"
keep       = "${keep}"

[deploy]
strategy = "rolling"
bake     = "${bake}"

[source]
folder  = "${incoming}"
settle  = "200ms"
approve = true

[admin]
listen = "${admin}"
`;

/** Starts one, with the dashboard at `url`. `stop` ends every process of it, whatever happened. */
export async function world({ keep = "20s", bake = "10s", instances = 4 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "tandem-web-"));
  const database = await postgres(folder);
  const [port, admin] = [await freePort(), `127.0.0.1:${await freePort()}`];
  const incoming = join(folder, "incoming");
  mkdirSync(incoming);
  writeFileSync(join(folder, "tandem.toml"), config({ port, keep, bake, instances, admin, incoming }));
  const loads = [];
  // A test that fails, or takes too long and is ended, leaves nothing behind either.
  process.once("SIGTERM", () => process.exit(1));
  process.once("exit", () => {
    endAll(folder);
    rmSync(folder, { recursive: true, force: true });
  });

  const { tandem, status, up } = verbs(folder, database.url);
  const stop = async () => {
    for (const load of loads) load.stop();
    await database.stop();
    endAll(folder);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await up();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    folder,
    state: join(folder, ".tandem"),
    url: `http://${admin}`,
    database,
    tandem,
    status,
    stop,
    /** Makes a deliverable; `release` is how it behaves, `revision` how many of the migrations it brings. */
    deliverable: (version, release, revision) => deliverable(folder, version, release, revision),
    /** Puts a deliverable into the watched folder. */
    drop: (version) => {
      const archive = join(incoming, `${version}.tar.gz`);
      execFileSync("tar", ["-czf", `${archive}.part`, "-C", deliverable(folder, version, {}, 2), "."]);
      renameSync(`${archive}.part`, archive);
    },
    up,
    /** Kills all of Tandem but keepers and instances, until `up`. */
    kill: () => {
      const own = processesOf(folder).filter(({ command }) => / (up|controller|proxy|admin)\b/.test(command));
      for (const { pid } of own) kill(pid);
    },
    /** Kills one kind of process; until what it answers with is called, nobody starts it again. */
    takeAway: (kind) => {
      const [above] = processesOf(folder).filter(({ command }) => / up\b/.test(command));
      signal(above.pid, "SIGSTOP");
      for (const { pid } of processesOf(folder).filter(({ command }) => command.includes(` ${kind} `))) kill(pid);
      return () => signal(above.pid, "SIGCONT");
    },
    /** So many requests a second, until `stop`. */
    load: (rate) => {
      const begun = load(port, rate);
      loads.push(begun);
      return begun;
    },
  };
}

/** What can be asked of the program in a folder. */
function verbs(folder, url) {
  const here = { cwd: folder, env: { ...process.env, DATABASE_URL: url, NO_COLOR: "1" } };
  /** Runs a verb; `code` is its exit code. */
  const tandem = (...args) =>
    new Promise((done) => {
      execFile(TANDEM, args, here, (error, stdout, stderr) => done({ code: error?.code ?? 0, stdout, stderr }));
    });
  const status = async () => {
    const { code, stdout } = await tandem("status", "--json");
    return code === 0 ? JSON.parse(stdout) : null;
  };
  const up = async () => {
    const daemon = spawn(TANDEM, ["up"], { ...here, stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    daemon.stderr.on("data", (text) => {
      log = (log + text).slice(-10_000);
    });
    await until("tandem answers", async () => {
      if (daemon.exitCode !== null) throw new Error(`tandem up ended: ${log}`);
      return status();
    });
  };
  return { tandem, status, up };
}

function deliverable(folder, version, release = {}, revision = 1) {
  const path = join(folder, "build", version);
  mkdirSync(join(path, "migrations"), { recursive: true });
  cpSync(SERVICE, join(path, "service.mjs"));
  writeFileSync(join(path, "release.json"), JSON.stringify(release));
  for (const [name, sql] of Object.entries(MIGRATIONS).slice(0, revision)) {
    writeFileSync(join(path, "migrations", name), sql);
  }
  return path;
}

function load(port, rate) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const timer = setInterval(() => {
    get({ port, host: "127.0.0.1", agent, path: "/" }, (answer) => answer.resume()).on("error", () => {});
  }, 1000 / rate);
  const stop = () => {
    clearInterval(timer);
    agent.destroy();
  };
  return { stop };
}

/** Waits until `look` answers something true, looking again and again; gives up after `within` milliseconds. */
export async function until(what, look, within = 30_000) {
  const end = Date.now() + within;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited ${within} ms in vain until ${what}`);
    await new Promise((again) => setTimeout(again, 50));
  }
}
