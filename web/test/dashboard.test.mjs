// The dashboard as `tandem admin` serves it, with real deployments: every page is looked at, every control is used.
//
// TANDEM names the program, which must have been built with a dashboard (`npm run build` before it). Nothing here hurries:
// what would end by itself takes hours, and is ended when it was seen.

import assert from "node:assert/strict";
import * as runner from "node:test";
import { browser } from "./browser.mjs";
import { witness } from "./witness.mjs";
import { until, world } from "./world.mjs";

const PAGES = ["now", "deployment", "plan", "database", "history", "settings"];
const WITHIN = { timeout: 60_000 };

let tandem;
let chromium;
let url;
let token;
let seen;

let failed = null;

/** Each test builds upon those before: after a failure the others would only wait in vain. */
function test(name, run) {
  runner.test(name, async () => {
    assert.equal(failed, null, "a test before this one failed");
    failed = name;
    await run();
    failed = null;
  });
}

runner.before(async () => {
  tandem = await world({ bake: "1h", keep: "1h" });
  url = tandem.url;
  token = await create("browser", "admin");
  const first = await tandem.tandem("deploy", tandem.deliverable("v1"));
  assert.equal(first.code, 0, first.stderr);
  tandem.load(40);
  chromium = await browser();
  seen = await witness(chromium);
});

runner.after(async () => {
  await chromium?.close();
  await tandem?.stop();
});

async function create(name, role) {
  const { stdout, stderr } = await tandem.tandem("token", "create", name, "--role", role);
  return stdout.match(/tdm_\S+/)?.[0] ?? assert.fail(stderr);
}

const go = (page) => seen.page.goto(`${url}/#/shop/${page}`);
const button = (name, where = seen.page) => where.getByRole("button", { name, exact: true });
const text = (words) => seen.page.getByText(words).first();
const shown = (words) => text(words).waitFor(WITHIN);

/** Asks for something, reads what will happen, and has it done. */
async function act(name, says, yes) {
  await button(name).click();
  const dialog = seen.page.getByRole("dialog");
  await dialog.getByText(says).first().waitFor(WITHIN);
  await button(yes, dialog).click();
  await dialog.waitFor({ state: "detached", ...WITHIN });
}

async function logIn(page, by = token) {
  await page.getByLabel("Token").fill(by);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation").waitFor(WITHIN);
}

test("nobody comes in without a token", async () => {
  await seen.page.goto(url);
  await seen.page.getByLabel("Token").fill("wrong");
  await button("Log in").click();
  await seen.page.getByRole("alert").waitFor(WITHIN);
  await seen.accessible();
  await logIn(seen.page);
  await shown("4/4 healthy");
});

test("a link with a ticket comes in, and leaves no ticket in the address", async () => {
  const printed = (await tandem.tandem("dashboard")).stdout;
  const other = await witness(chromium);
  await other.page.goto(printed.match(/http\S+#ticket=\S+/)?.[0] ?? assert.fail(printed));
  await other.page.getByText("4/4 healthy").waitFor(WITHIN);
  assert.doesNotMatch(other.page.url(), /ticket/);
  other.calm();
  await other.close();
});

test("now: figures are counted, and a square shows what its instance wrote, as text", async () => {
  await go("now");
  await until("requests are counted", async () => {
    const figure = await seen.page.locator(".figure dd").first().textContent();
    return Number(figure) > 0;
  });
  const square = seen.page.getByRole("button", { name: /^i\d+, v1, serving$/ });
  assert.equal(await square.count(), 4);
  await square.first().focus();
  await seen.page.keyboard.press("ArrowRight");
  await seen.page.keyboard.press("Enter");
  assert.equal(await square.nth(1).getAttribute("aria-pressed"), "true");
  await seen.page.locator("pre.log").getByText("open on port").first().waitFor(WITHIN);
  assert.match(await seen.page.locator("pre.log").textContent(), /<b>not bold<\/b>/);
  assert.equal(await seen.page.locator("pre.log b").count(), 0);
  await seen.accessible();
});

test("plan: ways are weighed, and the chosen one is deployed", async () => {
  await go("plan");
  await shown("rolling, 4 at a time");
  await seen.page.locator(".ways").getByText("flip").waitFor(WITHIN);
  assert.ok((await seen.page.locator(".ways .tag").getByText("unbeaten").count()) >= 2);
  await shown(/as measured here: ready after/);
  await button("rolling, 2 at a time").click();
  await shown(/route to [12], drain [12]/);
  assert.ok(await button("Deploy so").first().isDisabled(), "nothing is named yet");
  await seen.accessible();
  await seen.page.getByLabel(/Deliverable/).fill(tandem.deliverable("v2", {}, 2));
  await seen.page.getByRole("textbox", { name: "Version" }).fill("v2");
  await button("Plan it").click();
  const way = seen.page.getByRole("row").filter({ has: button("rolling, 2 at a time") });
  await way.getByRole("button", { name: "Deploy so" }).click(WITHIN);
  await shown(/v2 replaces v1/);
  await button("Deploy v2").click();
  await seen.page.waitForURL(/deployment\/2$/, WITHIN);
});

test("deployment: it is paused and resumed, moves are marked, and the receipt is good", async () => {
  await act("Pause", /Nothing new is begun/, "Pause");
  await shown(/paused while/);
  await seen.accessible();
  await act("Resume", /goes on from where/, "Resume");
  await seen.page.locator(".rail .is-on").getByText("baking").waitFor(WITHIN);
  await until("the moves are marked", async () => (await seen.page.locator(".sides .move").count()) >= 2);
  await seen.page.getByRole("region", { name: "New", exact: true }).getByText("4 of 4 serve").waitFor(WITHIN);
  await seen.accessible();
  await act("Promote", /It is not watched any longer/, "Promote");
  await seen.page.getByRole("region", { name: "Receipt" }).waitFor(WITHIN);
  const receipt = await seen.page.getByRole("region", { name: "Receipt" }).textContent();
  assert.match(receipt, /failed0/);
  assert.match(receipt, /schema 0002_buyers expanded/);
  await seen.accessible();
});

test("database: both revisions, who uses them, and what keeps the old one", async () => {
  await go("database");
  await shown("the schema serves both 0001_orders and 0002_buyers");
  await shown(/kept for going back, another/);
  await seen.page
    .getByRole("row", { name: /i\d+ 0002_buyers/ })
    .first()
    .waitFor(WITHIN);
  assert.equal(await seen.page.locator(".conditions .care").count(), 1);
  await seen.accessible();
});

test("roll back and abort: each says what will happen, and it happens", async () => {
  await go("deployment");
  await act("Roll back to v1", /no write is lost/, "Roll back to v1");
  await shown("d3");
  await button("Abort").waitFor(WITHIN);
  await act("Abort", /v2 gets all requests again/, "Abort d3");
  await shown(/goes back: somebody asked for it/);
  await shown("turned back");
  await until("d3 is over", async () => (await tandem.status())?.deployment === null, 60_000);
  await shown("rolled back");
});

test("a version that does not come up is told with its cause", async () => {
  await go("deployment");
  const deployed = tandem.tandem("deploy", tandem.deliverable("bad", { sick: true }, 2));
  await shown("d4");
  await seen.page.getByRole("region", { name: /What was found about i/ }).waitFor(WITHIN);
  await shown(/last health answer: 500/);
  await seen.accessible();
  assert.equal((await deployed).code, 3);
  await go("history");
  const row = seen.page.getByRole("row", { name: /d4.*rolled back.*bad/ });
  await row.getByRole("button").click();
  await shown(/Every step of d4/);
  await seen.accessible();
  await seen.page.getByRole("searchbox").fill("settled");
  await shown("2 deployments");
});

test("now: scale, hold and maintenance", async () => {
  await go("now");
  await button("Scale").click();
  await seen.page.getByRole("spinbutton").fill("5");
  await button("Run 5").click();
  await shown("5/5 healthy");
  await button("Hold").click();
  await seen.page.getByLabel("For at most").selectOption("5m");
  await button("Hold for 5m").click();
  await shown(/new requests wait for another/);
  await act("End hold", /go on at once/, "End hold");
  await button("Hold").waitFor(WITHIN);
  await act("Maintenance", /answered with 503/, "Begin maintenance");
  await shown(/everybody is told “We are back/);
  await seen.accessible();
  await act("End maintenance", /go on to the instances/, "End maintenance");
  await text(/everybody is told/).waitFor({ state: "detached", ...WITHIN });
});

test("settings: what is in force, that the file differs, and who did what", async () => {
  await go("settings");
  await shown("instances = 4");
  await seen.page.getByRole("row", { name: /POST .*\/scale/ }).waitFor(WITHIN);
  await seen.accessible();
  const { appendFileSync } = await import("node:fs");
  appendFileSync(`${tandem.folder}/tandem.toml`, "# changed\n");
  await shown("the file has changed");
});

test("it says that it is disconnected, and comes back by itself when Tandem does", async () => {
  await go("now");
  await shown("5/5 healthy");
  const back = tandem.takeAway("controller");
  await shown(/disconnected, as of/);
  await seen.accessible();
  back();
  await seen.page.locator(".connected").getByText("live").waitFor(WITHIN);
  const scaled = await tandem.tandem("scale", "4");
  assert.equal(scaled.code, 0, scaled.stderr);
  await shown("4/4 healthy");
  await shown("4 instances are wanted from now on");
});

test("a page that nobody sees asks for nothing, and catches up", async () => {
  const hide = (hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  };
  const stream = (request) => request.url().endsWith("/events");
  const ended = seen.page.waitForEvent("requestfailed", { predicate: stream, ...WITHIN });
  await seen.page.evaluate(hide, true);
  await ended;
  await tandem.tandem("scale", "3");
  const begun = seen.page.waitForRequest(stream, WITHIN);
  await seen.page.evaluate(hide, false);
  assert.ok((await begun).headers()["last-event-id"], "it goes on after the last event that it saw");
  await shown("3 instances are wanted from now on");
});

test("whoever is asked to log in anew comes back to the same page", async () => {
  await go("history");
  await seen.page.getByRole("table").waitFor(WITHIN);
  tandem.takeAway("admin")();
  await seen.page.getByLabel("Token").waitFor(WITHIN);
  await logIn(seen.page);
  await seen.page.getByRole("table").waitFor(WITHIN);
  assert.match(seen.page.url(), /history$/);
});

test("now: what comes by itself is approved, and goes on after somebody went back from it", async () => {
  await go("now");
  tandem.drop("v9");
  await shown("v9 came by itself");
  await act("Approve", "as soon as nothing else is in its way", "Approve");
  await shown(/being deployed by d\d+/);
  await seen.accessible();
  const said = await tandem.tandem("abort");
  assert.equal(said.code, 0, said.stderr);
  await shown(/nothing is begun by itself since/);
  await act("Resume", "when nothing is in its way", "Resume");
  await shown(/went back in d\d+/);
  await until("nothing is under way", async () => !(await tandem.status()).deployment);
});

test("dark, and as narrow as a phone: every page fits and is accessible", async () => {
  const storage = await seen.page.context().storageState();
  const phone = { viewport: { width: 360, height: 740 }, colorScheme: "dark", reducedMotion: "reduce" };
  const other = await witness(chromium, { ...phone, storageState: storage });
  for (const page of PAGES) {
    await other.page.goto(`${url}/#/shop/${page}`);
    await other.page.getByRole("heading", { level: 1 }).waitFor({ state: "attached", ...WITHIN });
    await other.fits();
    await other.accessible();
  }
  other.calm();
  await other.close();
});

test("whoever may only look is offered nothing else", async () => {
  const other = await witness(chromium);
  await other.page.goto(url);
  await logIn(other.page, await create("onlooker", "viewer"));
  await other.page.getByText("healthy").waitFor(WITHIN);
  assert.equal(await other.page.locator(".act").count(), 0);
  await other.page
    .getByRole("button", { name: /^i\d+, v2, serving$/ })
    .first()
    .click();
  await other.page.getByRole("region", { name: /^instance i/ }).waitFor(WITHIN);
  assert.equal(await other.page.locator("pre.log").count(), 0);
  const offered = await other.page.getByRole("navigation").getByRole("link").allTextContents();
  assert.deepEqual(offered, ["Now", "Deployment", "Database", "History"]);
  await other.page.goto(`${url}/#/shop/settings`);
  await other.page.getByText("This page is for the role admin; onlooker is viewer.").waitFor(WITHIN);
  await other.accessible();
  other.calm();
  await other.close();
});

test("the keyboard is enough, and logging out shows the door again", async () => {
  await go("now");
  await seen.page.reload();
  await shown(/healthy/);
  await seen.page.keyboard.press("Tab");
  await seen.page.keyboard.press("Enter");
  assert.equal(await seen.page.evaluate(() => document.activeElement?.id), "content");
  await seen.page.getByRole("link", { name: "History" }).focus();
  await seen.page.keyboard.press("Enter");
  await seen.page.getByRole("table").waitFor(WITHIN);
  await button("Log out").click();
  await seen.page.getByLabel("Token").waitFor(WITHIN);
  seen.calm();
});
