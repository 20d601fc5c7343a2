import { expect, test } from "vitest";
import type { JournalEvent, Recorded } from "../api/message";
import { configured, measured } from "./pace";

const journal = (...events: Recorded[]): JournalEvent[] =>
  events.map((recorded, seq) => ({ seq, deployment: 1, recorded }));
const drained = (instance: number) => ({
  do: "route",
  table: { generation: 1, routes: [{ members: [{ instance, version: "v1", role: "drain" }] }] },
});

test("the middle of what was measured counts", () => {
  const started = (at: number, instance: number) => ({ at, event: "done", outcome: { done: "started", instance } });
  const pace = measured(
    journal(
      { at: 0, event: "requested", version: "v2", deployment: 1, strategy: { rolling: {} } },
      { at: 900, event: "prepared", version: "v2" },
      started(1000, 5),
      started(1000, 6),
      started(1000, 7),
      { at: 1200, event: "ready", instance: 5 },
      { at: 1300, event: "ready", instance: 6 },
      { at: 9000, event: "ready", instance: 7 },
      { at: 9000, event: "begun", action: drained(1) },
      { at: 9080, event: "ended", instance: 1, exit: { code: 0 }, crashes: 0 },
    ),
  );
  expect(pace).toEqual({ prepare: 900, ready: 300, leave: 80 });
  expect(measured([])).toBeNull();
});

test("lengths are read in their own table", () => {
  const shown = 'within = "1s"\n[deploy]\nbake = "10s"   # default. …\n\n[deploy.flip]\nwarm = "1m 30s"\n';
  expect(configured(shown, "deploy", "bake")).toBe(10_000);
  expect(configured(shown, "deploy.flip", "warm")).toBe(90_000);
  expect(configured(shown, "deploy", "warm")).toBeNull();
});
