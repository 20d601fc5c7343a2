import { expect, test } from "vitest";
import type { Figures, Forecast, Strategy, Way } from "../api/message";
import { basis, choice, course } from "./tradeoff";

const FIGURES: Figures = {
  took: "29s",
  served: "11s",
  back: "8s",
  first: 1_000_000,
  mixed_state: "9s",
  peak: 6,
  lowest_capacity: 4,
  extra: "0ms",
};

const way = (strategy: Strategy): Way => ({
  name: "rolling, 2 at a time",
  strategy,
  figures: FIGURES,
  steps: [
    { at: "0ms", what: "make v2 ready to run", new: 0, old: 4, running: 4 },
    { at: "3s", what: "start 2 of v2 (i5 to i6)", new: 0, old: 4, running: 6 },
    { at: "8s 200ms", what: "route to 2, drain 2", new: 2, old: 2, running: 6 },
    { at: "11s", what: "route to 2, drain 2", new: 4, old: 0, running: 6 },
  ],
  unbeaten: true,
});

const rolling = (surge: string | null) => way({ rolling: { batch: "2", surge, floor: null } });

test("what happens when follows from the steps", () => {
  const { begins, mixed, served, ends } = course(rolling(null));
  expect({ begins, mixed, served, ends }).toEqual({ begins: 3000, mixed: 8200, served: 11_000, ends: 12_000 });
});

test("a way is asked for as it was weighed", () => {
  expect(choice(rolling("0"))).toEqual({ strategy: "rolling", batch: "2", surge: "0" });
  expect(choice(rolling(null))).toEqual({ strategy: "rolling", batch: "2" });
  expect(choice(way({ flip: { warm: "30s" } }))).toEqual({ strategy: "flip" });
  expect(choice(way({ canary: { steps: [] } }))).toEqual({ strategy: "canary" });
});

test("what the times are reckoned from is said", () => {
  const estimate = (typical: string, measured: number) => ({ typical, measured });
  const forecast = (measured: number, judged: { foreseen: string; took: string }[]): Forecast => ({
    ...FIGURES,
    from: "v1",
    to: "v2",
    steps: [],
    wanted: 4,
    basis: {
      prepare: estimate("1s", measured),
      ready: estimate("5s", measured),
      drain: estimate("100ms", measured),
      stop: estimate("1s", measured),
      judged,
    },
  });
  expect(basis(forecast(0, []))).toBe("nothing was measured yet; reckoned with ready after 5.0 s, gone after 1.1 s");
  expect(basis(forecast(4, [{ foreseen: "40s", took: "50s" }]))).toBe(
    "as measured here: ready after 5.0 s, gone after 1.1 s; the last forecast was off by 20 %",
  );
});
