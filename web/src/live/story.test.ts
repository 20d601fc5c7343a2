import { expect, test } from "vitest";
import type { Recorded } from "../api/message";
import { exit, Story, stands } from "./story";

const tell = (recorded: Omit<Recorded, "at">) => {
  const line = new Story().tell({ seq: 1, deployment: 1, recorded: { at: 0, ...recorded } as Recorded });
  return line && [line.tone, line.text];
};

test("events are told in the words of the command line", () => {
  expect(tell({ event: "ended", instance: 7, exit: { code: 0 }, crashes: 0 })).toEqual(["plain", "i7 has ended"]);
  expect(tell({ event: "ended", instance: 7, exit: { signal: 9 }, crashes: 2 })).toEqual([
    "bad",
    "i7 was killed by signal 9, unasked (crash 2 in a row)",
  ]);
  const health = { state: "failing", last: "connection refused" };
  const reason = { reason: "not_ready", instance: 5, within: "30s", health };
  expect(tell({ event: "turned_back", deployment: 3, reason })).toEqual([
    "bad",
    "d3 goes back: i5 was not ready within 30s: connection refused",
  ]);
  expect(tell({ event: "capacity_fell", deployment: 3, serving: 4 })).toBeNull();
  expect(tell({ event: "something_new" })).toBeNull();
  const digest = "0123456789abcdef";
  expect(tell({ event: "superseded", digest, by: "v9" })).toEqual([
    "care",
    "what waits with the digest 0123456789ab is superseded by v9",
  ]);
  expect(tell({ event: "requested", deployment: 3, version: "v9", strategy: { flip: {} }, queued: digest })).toEqual([
    "plain",
    "d3 to v9 by flip begins by itself",
  ]);
});

test("a kind of reason that is not known yet is told by its name", () => {
  const [, text] = tell({ event: "turned_back", deployment: 3, reason: { reason: "too_many_errors" } }) ?? [];
  expect(text).toBe("d3 goes back: too many errors");
});

test("ends and standings are told", () => {
  expect(exit("unknown")).toBe("ended without a witness");
  expect(exit("out_of_memory")).toContain("memory");
  expect(exit({ not_executed: "no such file" })).toBe("could not be executed: no such file");
  expect(stands({ revision: null, change: null })).toBe("the schema is at the empty schema");
  expect(stands({ revision: "1_a", change: { from: "1_a", to: "2_b", phase: "mixed" } })).toBe(
    "the schema serves both 1_a and 2_b",
  );
});
