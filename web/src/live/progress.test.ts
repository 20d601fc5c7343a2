import { expect, test } from "vitest";
import { progress } from "./progress";

test("the controller's line is taken apart", () => {
  expect(progress("step 3/7, fill orders, 1900000 of 3100000 rows, 52000 rows/s, 24 s left")).toEqual({
    step: 3,
    steps: 7,
    what: "fill orders",
    fill: { done: 1_900_000, total: 3_100_000, rate: 52_000, left: 24_000 },
    waits: null,
  });
  expect(progress("step 1/2, fill users, 50 of 100 rows, 10 rows/s")?.fill?.left).toBeNull();
  expect(progress("step 2/7, expand, which waits: a lock of pid 7, role app")).toMatchObject({
    what: "expand",
    fill: null,
    waits: "a lock of pid 7, role app",
  });
});

test("another line is none", () => {
  expect([progress(""), progress("it begins")]).toEqual([null, null]);
});
