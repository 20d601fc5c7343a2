// The way from a browser to the Unix sockets of a state folder, as `tandem admin` will be it: serves `dist`, passes
// `/v1/services/NAME/REST` on to that service's controller, and answers `/v1/me`, login and audit by itself.
//
//   node dev/bridge.mjs STATE [--port 7443] [--token TOKEN] [--role viewer|deployer|admin]
//
// For developing and for the browser tests, on loopback only. Without --token everybody is logged in.

import { readdirSync, readFileSync } from "node:fs";
import { request as ask, createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));

/** What the pages may do; the real admin process sends the same. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const KINDS = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const TITLES = { 401: "who are you?", 403: "not with this role", 404: "there is no such thing", 502: "not now" };

/** So many lines of the audit are kept. */
const AUDITED = 500;

/** Starts a bridge; `close` ends it and everything that goes through it. */
export function bridge({ state, port = 0, token = null, role = "admin" }) {
  const audit = [];
  const server = createServer((request, response) => {
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("x-content-type-options", "nosniff");
    const { pathname, search } = new URL(request.url, "http://bridge");
    const world = { state, token, role, audit };
    if (pathname.startsWith("/v1/")) return void answer(request, response, pathname, search, world);
    file(pathname, response);
  });
  return new Promise((ready) => {
    server.listen(port, "127.0.0.1", () => {
      ready({
        url: `http://127.0.0.1:${server.address().port}`,
        /** Cuts every connection, as a network does. */
        cut: () => server.closeAllConnections(),
        close: () => {
          server.closeAllConnections();
          return new Promise((closed) => server.close(closed));
        },
      });
    });
  });
}

/** The admin sockets of a state folder, by service. */
function sockets(state) {
  const services = join(state, "services");
  try {
    return readdirSync(services).map((name) => ({ name, socket: join(services, name, "admin.sock") }));
  } catch {
    return [{ name: null, socket: join(state, "admin.sock") }];
  }
}

async function answer(request, response, path, search, world) {
  const { state, token, role, audit } = world;
  if (path === "/v1/login" && request.method === "POST") {
    const asked = JSON.parse((await body(request)) || "{}");
    if (token !== null && asked.token !== token && asked.ticket !== token) {
      return problem(
        response,
        401,
        "this token is not known, or it is over: ask for a new one with `tandem token create`",
      );
    }
    response.setHeader("set-cookie", `tandem=${token}; HttpOnly; SameSite=Strict; Path=/`);
    return json(response, {});
  }
  const known = token === null || request.headers.cookie?.includes(`tandem=${token}`);
  if (!known) return problem(response, 401, "log in with a token");
  if (path === "/v1/logout") {
    response.setHeader("set-cookie", "tandem=; Max-Age=0; Path=/");
    return json(response, {});
  }
  if (path === "/v1/me") {
    return json(response, { name: "bridge", role, services: [], expires: null });
  }
  if (path === "/v1/audit") {
    return role === "admin" ? json(response, audit) : problem(response, 403, "the audit is for admins");
  }
  const found = await named(sockets(state));
  if (path === "/v1/services")
    return json(
      response,
      found.map(({ name }) => ({ name })),
    );
  const [, name, rest] = path.match(/^\/v1\/services\/([^/]+)\/(.+)$/) ?? [];
  const service = found.find((one) => one.name === name);
  if (!service) return problem(response, 404, "there is no such service");
  const changes = request.method !== "GET" && rest !== "plan";
  if (changes && role === "viewer") return problem(response, 403, "a viewer may look and not change anything");
  pass(request, response, service.socket, `/v1/${rest}${search}`, (status) => {
    if (!changes) return;
    const at = Date.now();
    audit.unshift({ at, who: "bridge", role, from: "127.0.0.1", method: request.method, path, status });
    audit.length = Math.min(audit.length, AUDITED);
  });
}

/** A service that is alone is asked for its name; while it does not answer it keeps the one that it had. */
const names = new Map();
async function named(all) {
  for (const one of all.filter(({ name }) => name === null)) {
    one.name = (await serviceAt(one.socket)) ?? names.get(one.socket) ?? null;
    names.set(one.socket, one.name);
  }
  return all.filter(({ name }) => name !== null);
}

function serviceAt(socketPath) {
  return new Promise((told) => {
    const asked = ask({ socketPath, path: "/v1/status" }, async (answered) => {
      told(JSON.parse(await body(answered)).service);
    });
    asked.on("error", () => told(null));
    asked.end();
  });
}

function pass(request, response, socketPath, path, done) {
  const { "content-type": type, "last-event-id": last, "idempotency-key": key } = request.headers;
  const headers = Object.fromEntries(
    Object.entries({ "content-type": type, "last-event-id": last, "idempotency-key": key }).filter(([, v]) => v),
  );
  const asked = ask({ socketPath, path, method: request.method, headers }, (answered) => {
    done(answered.statusCode);
    response.writeHead(answered.statusCode, { "content-type": answered.headers["content-type"] ?? "text/plain" });
    response.flushHeaders();
    answered.pipe(response);
    answered.on("error", () => response.destroy());
  });
  asked.on("error", () => {
    if (response.headersSent) return response.destroy();
    problem(response, 502, "the controller of this service does not answer at the moment");
  });
  response.on("close", () => asked.destroy());
  request.pipe(asked);
}

function file(path, response) {
  const name = path === "/" || !extname(path) ? "index.html" : normalize(path).replace(/^(\.\.[/\\])+/, "");
  try {
    const content = readFileSync(join(DIST, name));
    response.writeHead(200, { "content-type": KINDS[extname(name)] ?? "application/octet-stream" });
    response.end(content);
  } catch {
    response.writeHead(404).end("not here: npm run build");
  }
}

async function body(stream) {
  let text = "";
  for await (const part of stream) text += part;
  return text;
}

function json(response, value) {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function problem(response, status, detail) {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ type: "about:blank", title: TITLES[status], status, detail, code: "bridge" }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { port: { type: "string" }, token: { type: "string" }, role: { type: "string" } },
  });
  const [state] = positionals;
  if (!state) {
    console.error("bridge: name the state folder: node dev/bridge.mjs .tandem");
    process.exit(2);
  }
  const { url } = await bridge({ state, ...values, port: Number(values.port ?? 7443) });
  console.log(url);
}
