import { expect, test } from "vitest";
import type { Metrics, Requests } from "../api/message";
import { BOUNDARIES, quantile, sample } from "./figures";

const requests = (good: number, bad = 0): Requests => {
  const buckets = new Array(BOUNDARIES.length + 1).fill(0);
  buckets[0] = good + bad;
  return { ended: { GET: { "2xx": good, "5xx": bad } }, durations: { buckets, micros: 0 }, received: 0, sent: 0 };
};

const look = (at: number, instances: Record<string, [string, Requests]>, run = 1) => {
  const counts = { requests: 0, failed: 0, retried: 0, websockets_moved: 0, cut: 0 };
  const known = Object.entries(instances).map(([id, [version, requests]]) => [id, { version, requests, now: null }]);
  const shop = { counts, own: requests(0), instances: Object.fromEntries(known) };
  const metrics: Metrics = { run, connections: { open: 3 }, services: { shop } };
  return { at, metrics };
};

test("rates are the differences of sums, by version and in all", () => {
  const before = look(0, { 1: ["v1", requests(100)] });
  const now = look(2000, { 1: ["v1", requests(110, 2)], 2: ["v2", requests(8)] });
  const seen = sample("shop", before, before, now);
  expect(seen?.versions.v1).toMatchObject({ rate: 6, errors: 1 });
  expect(seen?.versions.v2).toMatchObject({ rate: 4, errors: 0 });
  expect(seen?.all).toMatchObject({ rate: 10, errors: 1 });
});

test("an instance that the proxy has forgotten takes nothing away from the others", () => {
  const before = look(0, { 1: ["v1", requests(100_000)], 2: ["v2", requests(10)] });
  const now = look(1000, { 2: ["v2", requests(15)] });
  expect(sample("shop", before, before, now)?.all.rate).toBe(5);
});

test("nothing is subtracted from another run of the proxy, nor from an unknown service", () => {
  const before = look(0, { 1: ["v1", requests(100)] });
  const anew = look(1000, { 1: ["v1", requests(3)] }, 2);
  expect(sample("shop", before, before, anew)).toBeNull();
  expect(sample("mail", before, before, look(1000, {}))).toBeNull();
  // A long look back that ends at an older run is cut short.
  const after = look(2000, { 1: ["v1", requests(5)] }, 2);
  expect(sample("shop", before, anew, after)?.all).toMatchObject({ rate: 2, p50: 2.5 });
});

test("quantiles are found within their bucket, as `tandem top` finds them", () => {
  const buckets = (...at: number[]) => {
    const all = new Array(BOUNDARIES.length + 1).fill(0);
    for (const one of at) all[one] += 1;
    return all;
  };
  expect(quantile(buckets(), 0.5)).toBeNull();
  expect(quantile(buckets(0, 0, 0, 0), 0.5)).toBe(2.5);
  expect(quantile(buckets(0, 0, 0, 4), 0.75)).toBe(5);
  expect(quantile(buckets(0, 0, 0, 4), 1)).toBe(75);
  expect(quantile(buckets(14), 0.5), "no more is known").toBe(10_000);
});
