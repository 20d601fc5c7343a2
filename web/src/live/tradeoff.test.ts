import { expect, test } from "vitest";
import type { Forecast } from "../api/message";
import type { Pace } from "./pace";
import { timed, type Way, ways, weigh } from "./tradeoff";

const PACE: Pace = { prepare: 1000, ready: 200, leave: 50, bake: 10_000, warm: 30_000 };

/** As `POST /plan` answered for a pool of four. */
const forecast = (peak: number, steps: [string, number, number, number][]): Forecast => ({
  from: "v1",
  to: "new",
  peak,
  lowest_capacity: 4,
  wanted: 4,
  steps: steps.map(([what, fresh, old, running]) => ({ what, new: fresh, old, running })),
});
const ROLLING = forecast(6, [
  ["make new ready to run", 0, 4, 4],
  ["start 2 of new", 0, 4, 6],
  ["route to 2, drain 2", 2, 2, 6],
  ["stop 2 that are drained", 2, 2, 6],
  ["start 2 of new", 2, 2, 6],
  ["route to 2, drain 2", 4, 0, 6],
  ["stop 2 that are drained", 4, 0, 6],
]);
const FLIP = forecast(8, [
  ["make new ready to run", 0, 4, 4],
  ["start 4 of new", 0, 4, 8],
  ["route to 4, keep warm 4", 4, 0, 8],
  ["drain 4", 4, 0, 8],
  ["stop 4 that are drained", 4, 0, 8],
]);

test("times follow from the steps and the pace", () => {
  expect(timed(ROLLING, PACE)).toEqual({ begins: 1000, mixed: 1200, served: 1450, ends: 1500 });
  expect(timed(FLIP, PACE)).toEqual({ begins: 1000, mixed: 1200, served: 1200, ends: 31_250 });
});

test("a way is unbeaten if no other is as good in everything and better in something", () => {
  const way = (name: string): Way => ({ name, how: {} });
  const costly = { ...ROLLING, peak: 9 };
  const weighed = weigh(
    [
      [way("rolling"), ROLLING],
      [way("flip"), FLIP],
      [way("costly"), costly],
    ],
    PACE,
  );
  expect(weighed.map((one) => [one.way.name, one.unbeaten])).toEqual([
    ["rolling", true],
    ["flip", true],
    ["costly", false],
  ]);
});

test("the ways fit the number of instances, and none is asked for twice", () => {
  expect(ways(1).map((way) => way.name)).toEqual(["rolling, 1 at a time", "flip"]);
  const names = ways(200).map((way) => way.name);
  expect(names).toContain("rolling, 50 at a time, none extra");
  expect(new Set(names).size).toBe(names.length);
});
