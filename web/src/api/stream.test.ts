import { expect, test } from "vitest";
import { pause } from "./stream";

test("pauses grow, never without measure, and are drawn by lot", () => {
  const longest = Array.from({ length: 30 }, (_, failures) => pause(failures, 1));
  expect(longest[0]).toBe(400);
  expect(longest[3]).toBe(3200);
  expect(Math.max(...longest)).toBe(15_000);
  expect([...longest].sort((a, b) => a - b)).toEqual(longest);
  expect(pause(3, 0)).toBe(1600);
});
