// The size budget: all that a browser fetches, gzipped, stays below it. Run after `vite build`.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET = 80_000;
const dist = fileURLToPath(new URL("../dist/", import.meta.url));

const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const sizes = files.map((file) => gzipSync(readFileSync(`${file.parentPath ?? file.path}/${file.name}`)).length);
const sum = sizes.reduce((all, size) => all + size, 0);
console.log(`${sum} bytes gzipped of ${BUDGET}`);
if (sum > BUDGET) {
  console.error("the dashboard is over its size budget: find out what grew with `npx vite build`");
  process.exit(1);
}
