// A real PostgreSQL in a folder of its own, reached by TCP on a free port; gone at `stop`.

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** Where Debian keeps the newest server's programs. */
function programs() {
  const versions = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
  return join("/usr/lib/postgresql", versions[0], "bin");
}

export function freePort() {
  return new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

/** PostgreSQL refuses to run as root, so root lends it the user `postgres`. */
function user() {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

export async function postgres(folder) {
  const bin = programs();
  const as = user();
  const data = join(folder, "pg");
  mkdirSync(data);
  chmodSync(folder, 0o755);
  if (as.uid) chownSync(data, as.uid, as.gid);
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"], {
    ...as,
    cwd: "/",
    stdio: "ignore",
  });
  const port = await freePort();
  const options = ["-D", data, "-p", String(port), "-k", "", "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"];
  const server = spawn(join(bin, "postgres"), options, { ...as, cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  await new Promise((ready, failed) => {
    let log = "";
    server.stderr.on("data", (text) => {
      log += text;
      if (log.includes("ready to accept connections")) ready();
    });
    server.on("exit", () => failed(new Error(`postgres ended: ${log}`)));
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return {
    url,
    run: (sql) => execFileSync("psql", [url, "-v", "ON_ERROR_STOP=1", "-qAtc", sql], { encoding: "utf8" }),
    stop: () => new Promise((gone) => server.on("exit", gone).kill("SIGQUIT")),
  };
}
