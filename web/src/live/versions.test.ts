import { expect, test } from "vitest";
import { LOOKS, Looks } from "./versions";

test("a version keeps its look, and neighbours differ", () => {
  const looks = new Looks();
  const given = Array.from({ length: 12 }, (_, at) => looks.of(`v${at}`));
  expect(looks.of("v11")).toBe(given[11]);
  for (const [at, look] of given.entries()) expect(given.slice(at + 1, at + LOOKS)).not.toContain(look);
});
