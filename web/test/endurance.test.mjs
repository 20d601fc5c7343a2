// The dashboard with answers that no test world gives: ten thousand deployments, two hundred instances, texts of people
// who mean no good, a night of events. The answers are made up here; the bridge only serves the files.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bridge } from "../dev/bridge.mjs";
import { browser } from "./browser.mjs";
import { witness } from "./witness.mjs";
import { until } from "./world.mjs";

const WITHIN = { timeout: 60_000 };
const HARM = `<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>\u202e\u001b[2J`;

let files;
let chromium;

before(async () => {
  files = await bridge({ state: "/nowhere" });
  chromium = await browser();
});

after(async () => {
  await chromium?.close();
  await files?.close();
});

const counts = { requests: 48_210, failed: 0, retried: 0, websockets_moved: 312, cut: 0 };

const record = (id, more = {}) => ({
  id,
  kind: "deploy",
  version: `v${id}`,
  strategy: "rolling",
  requested_at: 1_700_000_000_000 + id * 60_000,
  finished_at: 1_700_000_030_000 + id * 60_000,
  turned_back: null,
  diagnosis: null,
  receipt: {
    verdict: "settled",
    from: `v${id - 1}`,
    to: `v${id}`,
    took: "3m 12s",
    counts,
    lowest_capacity: 4,
    wanted: 4,
    mixed_state: "41s",
    broken: 0,
  },
  ...more,
});

const instance = (id, version) => ({
  instance: id,
  version,
  stage: "serving",
  since: Date.now(),
  address: "127.0.0.1:20000",
  health: { state: "up" },
  in_flight: { requests: 0, uploads: 0, streams: 0, websockets: 0 },
  requests: 7,
  failed: 0,
  exit: null,
});

const status = (more = {}) => ({
  service: "shop",
  at: Date.now(),
  listen: ["127.0.0.1:80"],
  current: "v1",
  previous: null,
  wanted: 4,
  healthy: 4,
  instances: [1, 2, 3, 4].map((id) => instance(id, "v1")),
  deployment: null,
  waits: [],
  counts,
  config_changed: false,
  trouble: null,
  ...more,
});

const sse = (...messages) =>
  messages.map((one) => `event: ${one.event}\ndata: ${JSON.stringify(one.data)}\n\n`).join("");
const stands = (more) => sse({ event: "status", data: status(more) });

/** A watched page whose questions are answered by these, by the end of their path. */
async function answered(answers, options) {
  const seen = await witness(chromium, options);
  const all = {
    "/v1/me": { name: "test", role: "admin", services: [], expires: null },
    "/v1/services": [{ name: "shop" }],
    ...answers,
  };
  await seen.page.route("**/v1/**", (route) => {
    const { pathname } = new URL(route.request().url());
    const path = pathname.replace("/v1/services/shop", "");
    const answer = all[path];
    if (answer === undefined) return route.fulfill({ status: 404, json: { detail: HARM } });
    if (typeof answer === "string") return route.fulfill({ contentType: "text/event-stream", body: answer });
    return route.fulfill({ json: answer });
  });
  return seen;
}

test("ten thousand deployments: few rows are drawn, and the keyboard reaches the last", async () => {
  const deployments = Array.from({ length: 10_000 }, (_, at) => record(10_000 - at));
  const seen = await answered({ "/deployments": deployments, "/events": stands() });
  const { page } = seen;
  await page.goto(`${files.url}/#/shop/history`);
  await page.getByText(/^10.000 deployments$/).waitFor(WITHIN);
  const rows = page.locator(".rows .place");
  const few = async () => assert.ok((await rows.count()) < 60, `${await rows.count()} rows are drawn`);
  await few();
  const first = page.getByRole("button", { name: "d10000" });
  await first.click();
  await page.getByText("Every step of d10000").waitFor(WITHIN);
  await first.focus();
  await page.keyboard.press("End");
  await page.getByRole("button", { name: "d1", exact: true }).waitFor(WITHIN);
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  await until("the last row has the focus", async () => (await focused()) === "d1");
  await few();
  await page.keyboard.press("Enter");
  await page.getByText("Every step of d1", { exact: true }).waitFor(WITHIN);
  await page.locator(".rows").evaluate((frame) => {
    frame.scrollTop = frame.scrollHeight / 2;
  });
  await page
    .getByRole("button", { name: /^d50\d\d$/ })
    .first()
    .waitFor(WITHIN);
  await few();
  await page.getByRole("searchbox").fill("v777");
  await page.getByText(/^\d+ deployments$/).waitFor(WITHIN);
  await seen.accessible();
  seen.calm();
  await seen.close();
});

test("two hundred instances are two hundred squares and one stop of the Tab key", async () => {
  const instances = Array.from({ length: 200 }, (_, at) => instance(at + 1, at % 2 ? "v1" : "v2"));
  const seen = await answered({ "/events": stands({ wanted: 200, healthy: 200, instances }) });
  await seen.page.goto(files.url);
  await seen.page.getByText("200/200 healthy").waitFor(WITHIN);
  assert.equal(await seen.page.locator("button.square").count(), 200);
  assert.equal(await seen.page.locator('button.square[tabindex="0"]').count(), 2, "one for each version");
  await seen.accessible();
  seen.calm();
  await seen.close();
});

test("of many services one is shown in full: a browser has only six connections", async () => {
  const names = Array.from({ length: 12 }, (_, at) => `service-${at}`);
  const statuses = names.map((name, at) => [`/v1/services/${name}/status`, status({ service: name, healthy: at % 5 })]);
  const services = names.map((name) => ({ name }));
  const seen = await answered({ "/v1/services": services, ...Object.fromEntries(statuses) });
  const streams = new Set();
  seen.page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith("/events")) streams.add(pathname);
  });
  await seen.page.goto(files.url);
  await seen.page
    .getByRole("row", { name: /service-11/ })
    .getByText("1/4 healthy")
    .waitFor(WITHIN);
  assert.deepEqual([...streams], ["/v1/services/service-0/events"]);
  await seen.accessible();
  seen.calm();
  await seen.close();
});

test("texts from outside are only ever text", async () => {
  const harmful = {
    current: `v1${HARM}`,
    instances: [{ ...instance(1, `v1${HARM}`), health: { state: "down", last: HARM } }],
    waits: [{ sentence: HARM, until: null, wait: { wait: "paused" } }],
    remarks: [HARM.repeat(50)],
    trouble: HARM,
    maintenance: { since: 0, message: HARM },
    config_changed: true,
    database: {
      standing: { revision: HARM, change: { from: HARM, to: `2${HARM}`, phase: "mixed" } },
      rows: 0,
      work: { work: "failed", job: { job: "contract", to: HARM }, error: HARM, at: 0, attempts: 2, again: true },
      operator: HARM,
      old_clients: 1,
      new_clients: 1,
      sessions: { 1: [{ pid: 1, user: HARM, application: HARM, age: "1s", revision: HARM }] },
      strangers: 3,
      at: 0,
    },
  };
  const bad = record(1, {
    version: HARM,
    receipt: { ...record(1).receipt, verdict: "failed", reason: HARM.repeat(1000), to: HARM, from: HARM },
    diagnosis: {
      deployment: 1,
      instance: 1,
      health: { state: "failing", last: HARM },
      findings: { exit: { not_executed: HARM }, log: [HARM, "x".repeat(1_000_000)], listens: [], stranger: HARM },
      cause: HARM,
    },
  });
  const turned = { at: 5, event: "turned_back", deployment: 1, reason: { reason: "not_prepared", error: HARM } };
  const journal = { event: "journal", data: { seq: 1, deployment: 1, recorded: turned } };
  const seen = await answered(
    {
      "/deployments": [bad],
      "/deployments/1/events": sse(journal),
      "/events": stands(harmful),
      "/config": { shown: `service = "shop" # ${HARM}`, path: HARM, changed: true },
      "/v1/audit": [{ at: 1, who: HARM, method: "POST", path: HARM, status: 200 }],
    },
    { viewport: { width: 360, height: 740 } },
  );
  for (const page of ["now", "deployment/1", "plan", "database", "history", "settings"]) {
    await seen.page.goto(`${files.url}/#/shop/${page}`);
    await seen.page.getByRole("heading", { level: 1 }).waitFor({ state: "attached", ...WITHIN });
    await seen.page.getByText("onerror").first().waitFor(WITHIN);
    await seen.fits();
    assert.equal(await seen.page.evaluate(() => window.harmed), undefined, page);
    assert.equal(await seen.page.locator("main img, main script").count(), 0, page);
    const told = await seen.page.locator("main").textContent();
    assert.ok(!told.includes("\u202e") && !told.includes("\u001b"), page);
  }
  seen.calm();
  await seen.close();
});

test("a night of events leaves no more behind than a quarter of an hour", async () => {
  const events = Array.from({ length: 20_000 }, (_, seq) => {
    const recorded = { at: Date.now(), event: "scaled", instances: (seq % 9) + 1 };
    return `event: journal\nid: ${seq}\ndata: ${JSON.stringify({ seq, deployment: null, recorded })}\n\n`;
  });
  const seen = await answered({ "/events": stands() + events.join("") });
  await seen.page.goto(files.url);
  await seen.page.getByText("instances are wanted from now on").first().waitFor(WITHIN);
  await until("the last of them is told", async () => (await seen.page.locator(".story li").count()) === 7);
  const nodes = await seen.page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < 1000, `${nodes} elements`);
  seen.calm();
  await seen.close();
});
