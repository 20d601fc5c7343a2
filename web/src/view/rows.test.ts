import { expect, test } from "vitest";
import { drawn, ROW } from "./rows";

test("only what is seen is drawn, however many there are", () => {
  for (const top of [0, 5000, 339_000]) {
    const [first, end] = drawn(10_000, top, 600, null, 0);
    expect(first * ROW).toBeLessThanOrEqual(top);
    expect(Math.min(end, 10_000) * ROW).toBeGreaterThanOrEqual(Math.min(10_000 * ROW, top + 600));
    expect(end - first).toBeLessThan(40);
  }
});

test("an open row pushes those after it down", () => {
  // Row 2 is open, with 500 pixels below it: at 700 pixels the row 5 is seen.
  const [first, end] = drawn(10_000, 700, 100, 2, 500);
  expect(first).toBe(0);
  expect(end).toBeGreaterThan(7);
  expect(end).toBeLessThan(20);
});

test("a list that became shorter is still within its bounds", () => {
  expect(drawn(3, 90_000, 600, null, 0)).toEqual([2, 3]);
});
