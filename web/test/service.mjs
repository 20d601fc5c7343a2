// A service for the tests: answers on PORT, keeps a session on the database if it is given one, and misbehaves as the
// file `release.json` beside it says: {"slow": MS, "sick": true, "silent": true}.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const { slow = 5, sick = false, silent = false } = JSON.parse(readFileSync("release.json", "utf8"));
const { PORT, DATABASE_URL, TANDEM_VERSION, TANDEM_INSTANCE } = process.env;

// psql holds the session: this way the tests need no driver.
const session = DATABASE_URL && spawn("psql", [DATABASE_URL, "-q"], { stdio: ["pipe", "ignore", "inherit"] });
session?.stdin.write("SELECT 1;\n");

const server = createServer((request, response) => {
  if (request.url === "/up") return response.writeHead(sick ? 500 : 200).end(sick ? "the cellar is flooded" : "up");
  const answer = () => response.end(`${TANDEM_VERSION} ${TANDEM_INSTANCE}\n`);
  setTimeout(answer, slow * (0.5 + Math.random()));
});
if (!silent) server.listen(Number(PORT), "127.0.0.1");
console.log(`shop ${TANDEM_VERSION}: open on port ${PORT} <b>not bold</b>`);
if (silent) setInterval(() => {}, 1000);

process.on("SIGTERM", () => {
  console.log("closing");
  session?.stdin.end();
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
