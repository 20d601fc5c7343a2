// Pictures of every page, light, dark and as wide as a phone, for looking at: node test/screens.mjs URL FOLDER [PAGE …]

import { join } from "node:path";
import { browser } from "./browser.mjs";

const [url, folder, ...only] = process.argv.slice(2);
const SIGHTS = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, colorScheme: "light", isMobile: true, hasTouch: true },
};
const pages = only.length > 0 ? only : ["now", "deployment", "plan", "database", "history", "settings"];

const started = await browser();
for (const [sight, options] of Object.entries(SIGHTS)) {
  const page = await started.newPage(options);
  page.on("console", (message) => console.log(sight, message.type(), message.text()));
  page.on("pageerror", (error) => console.log(sight, error.message));
  for (const name of pages) {
    await page.goto(`${url}/#/shop/${name}`);
    await page.waitForTimeout(name === "now" ? 6000 : 1500);
    await page.screenshot({ path: join(folder, `${sight}-${name.replaceAll("/", "-")}.png`), fullPage: true });
  }
  await page.close();
}
await started.close();
