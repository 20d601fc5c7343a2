// A page that is watched: what it wrote to the console, what the content policy refused, what axe finds.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Answers that are no good (401, a daemon that is away) are told by the browser itself and are no fault of the page. */
const ANSWERS = /^Failed to load resource: /;

export async function witness(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const bad = ["error", "warning"].includes(message.type()) && !ANSWERS.test(message.text());
    if (bad) complaints.push(`${message.type()}: ${message.text()}`);
  });
  await page.exposeFunction("refusedByPolicy", (what) => complaints.push(`policy: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.refusedByPolicy(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return {
    page,
    close: () => context.close(),
    /** Fails if the page complained of anything. */
    calm: () => assert.deepEqual(complaints, []),
    /** Fails if axe finds anything on the page as it is. */
    accessible: async () => {
      await page.evaluate(AXE);
      const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
      assert.deepEqual(told, [], page.url());
    },
    /** Fails if something is wider than the screen. */
    fits: async () => {
      const [wide, screen, widest] = await page.evaluate(() => {
        const beyond = [...document.querySelectorAll("body *")].filter(
          (one) => one.getBoundingClientRect().right > innerWidth,
        );
        return [
          document.documentElement.scrollWidth,
          innerWidth,
          beyond.map((one) => `${one.tagName}.${one.className}`),
        ];
      });
      assert.ok(wide <= screen, `${page.url()} is ${wide} pixels wide on a screen of ${screen}: ${widest.join(", ")}`);
    },
  };
}
