import { expect, test } from "vitest";
import { count, later, left, length, millis, plural, rate, share } from "./units";

/** The narrow spaces as plain ones. */
const plain = (text: string) => text.replaceAll("\u202f", " ");

test("digits are grouped", () => {
  expect([0, 7, 1234, 1_234_567].map(count).map(plain)).toEqual(["0", "7", "1 234", "1 234 567"]);
  expect(count(null)).toBe("–");
  expect([0, 0.44, 9.96, 12.4].map(rate)).toEqual(["0", "0.4", "10.0", "12"]);
  expect(plain(plural(1, "row"))).toBe("1 row");
  expect(plain(plural(2000, "row"))).toBe("2 000 rows");
});

test("shares are as exact as matters", () => {
  const shares = [share(0, 10), share(1, 2500), share(34, 1000), share(1, 2), share(1, 0)];
  expect(shares.map(plain)).toEqual(["0 %", "0.04 %", "3.4 %", "50 %", "–"]);
});

test("lengths of time have the unit that fits", () => {
  const lengths = [0, 0.4, 7, 999, 1240, 9990, 41_300, 59_700, 60_000, 192_000, 7_500_000, 273_600_000];
  expect(lengths.map(length).map(plain)).toEqual([
    "0 s",
    "< 1 ms",
    "7 ms",
    "999 ms",
    "1.2 s",
    "10 s",
    "41 s",
    "1 m",
    "1 m",
    "3 m 12 s",
    "2 h 5 m",
    "3 d 4 h",
  ]);
  expect(length(null)).toBe("–");
});

test("lengths are read as Tandem writes them", () => {
  expect([millis("16s 241ms"), millis("1h 30m"), millis("0s"), millis("soon")]).toEqual([16_241, 5_400_000, 0, null]);
});

test("a sentence that was told a while ago tells the time that is left now", () => {
  const told = "i7 was asked to stop; it is killed in 30s if it has not ended by then";
  expect(plain(later(told, 130_000, 100_500, 112_000))).toContain("killed in 18 s if");
  const other = "about 4 sessions stay with v1, the last request came 7s ago; it is kept for 1m 30s more";
  expect(plain(later(other, 190_000, 100_000, 120_000))).toContain("came 7s ago; it is kept for 1 m 10 s more");
  expect(plain(left(1000, 5000))).toBe("0 s");
});
