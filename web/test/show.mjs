// A real Tandem at the bridge, for looking at the dashboard by hand: node test/show.mjs [PORT]
// Deploys a first version under load, and then whatever is asked on standard input: `v2`, `v3 flip`, `bad sick`, `v4 2`
// (with the second migration), `restart`, `end`.

import { createInterface } from "node:readline";
import { bridge } from "../dev/bridge.mjs";
import { world } from "./world.mjs";

process.once("SIGTERM", () => process.exit(0));
process.once("SIGINT", () => process.exit(0));
const shown = await world({ keep: "30s" });
const { url } = await bridge({ state: shown.state, port: Number(process.argv[2] ?? 7443) });
console.log(url, shown.folder);
console.log((await shown.tandem("deploy", shown.deliverable("v1"))).stderr);
shown.database.run(
  "INSERT INTO orders SELECT n, 'customer ' || n, CASE WHEN n % 3 = 0 THEN 'gift' END FROM generate_series(1, 200000) n",
);
shown.load(60);
console.log("v1 serves");

for await (const line of createInterface({ input: process.stdin })) {
  const [version, ...words] = line.split(" ");
  if (version === "end") break;
  if (version === "restart") {
    shown.kill();
    await shown.up();
    continue;
  }
  const release = { sick: words.includes("sick"), slow: words.includes("slow") ? 40 : 5 };
  const path = shown.deliverable(version, release, words.includes("2") ? 2 : 1);
  const how = words.includes("flip") ? ["--strategy", "flip"] : [];
  shown.tandem("deploy", path, ...how).then(({ code, stderr }) => console.log(code, stderr));
}
await shown.stop();
process.exit(0);
