import { expect, test } from "vitest";
import { Ring } from "./ring";

test("the last ones stay, in order, and no more of them", () => {
  const ring = new Ring<number>(8);
  for (let number = 0; number < 1003; number += 1) {
    ring.push(number);
    expect(ring.all().length).toBe(Math.min(8, number + 1));
  }
  expect(ring.all()).toEqual([995, 996, 997, 998, 999, 1000, 1001, 1002]);
  expect((ring as unknown as { items: number[] }).items.length).toBeLessThan(10);
  expect(ring.last()).toBe(1002);
});
