import { expect, test } from "vitest";
import { clean } from "./text";

test("text from outside can't move letters about or hide them", () => {
  expect(clean("v1\u202e2v")).toBe("v1\ufffd2v");
  expect(clean("a\u001b[2Jb\u001b[31;1mc")).toBe("abc");
  expect(clean("zero\u200bwidth\u0007")).toBe("zero\ufffdwidth\ufffd");
  expect(clean("tab\tand\nline")).toBe("tab\tand\nline");
  expect(clean("<b>bold</b>")).toBe("<b>bold</b>");
});

test("a long text is cut, and says so", () => {
  expect(clean("x".repeat(1_000_000))).toBe(`${"x".repeat(4000)}…`);
});
