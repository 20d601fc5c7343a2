// Figures of the traffic out of two looks at the proxy's sums. Pure; the same reckoning as `tandem top`.

import type { Metrics, Requests } from "../api/message";

/** The upper ends of the buckets of durations, in microseconds; one more bucket has none. */
export const BOUNDARIES = [
  5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000, 7_500_000,
  10_000_000,
];

/** What a version, or all of them, did in a stretch of time. */
export interface Figures {
  /** Requests in a second. */
  rate: number;
  /** Of these, answered with 5xx. */
  errors: number;
  /** Durations in milliseconds. None: there were no requests. */
  p50: number | null;
  p99: number | null;
  inFlight: number;
}

/** All of one service at a moment. */
export interface Sample {
  at: number;
  all: Figures;
  versions: Record<string, Figures>;
  /** Failed by the fault of Tandem or an instance, in a second. */
  failed: number;
  connections: number;
}

/** A look at the sums, and when. */
export interface Look {
  at: number;
  metrics: Metrics;
}

/** What happened between two looks; durations are taken from `long` on, since one second has too few of them. None: there
 *  is nothing to subtract, since the proxy was started anew or does not know the service. */
export function sample(service: string, long: Look, before: Look, now: Look): Sample | null {
  const seconds = (now.at - before.at) / 1000;
  const [after, then] = [now.metrics.services[service], before.metrics.services[service]];
  if (!then || !after || seconds <= 0 || before.metrics.run !== now.metrics.run) return null;
  const earlier = long.metrics.run === now.metrics.run ? (long.metrics.services[service] ?? then) : then;
  const all = new Sum(seconds);
  const versions = new Map<string, Sum>();
  for (const [id, instance] of Object.entries(after.instances)) {
    const of = versions.get(instance.version) ?? new Sum(seconds);
    versions.set(instance.version, of);
    for (const sum of [all, of]) {
      // One that is new has its sums from nothing; one that the proxy has forgotten by now did nothing lately.
      sum.add(instance.requests, then.instances[id]?.requests, earlier.instances[id]?.requests);
      sum.inFlight += instance.now ? total(instance.now.in_flight) : 0;
    }
  }
  all.add(after.own, then.own, earlier.own);
  return {
    at: now.at,
    all: all.figures(),
    versions: Object.fromEntries([...versions].map(([version, sum]) => [version, sum.figures()])),
    failed: Math.max(0, after.counts.failed - then.counts.failed) / seconds,
    connections: now.metrics.connections.open,
  };
}

/** What came together in a stretch of time. */
class Sum {
  inFlight = 0;
  private count = 0;
  private errors = 0;
  private readonly buckets: number[] = new Array(BOUNDARIES.length + 1).fill(0);

  constructor(private readonly seconds: number) {}

  add(now: Requests, then: Requests | undefined, earlier: Requests | undefined): void {
    for (const [method, classes] of Object.entries(now.ended)) {
      for (const [name, count] of Object.entries(classes)) {
        const more = count - (then?.ended[method]?.[name] ?? 0);
        this.count += more;
        if (name === "5xx") this.errors += more;
      }
    }
    now.durations.buckets.forEach((count, at) => {
      this.buckets[at] = (this.buckets[at] ?? 0) + count - (earlier?.durations.buckets[at] ?? 0);
    });
  }

  figures(): Figures {
    return {
      rate: this.count / this.seconds,
      errors: this.errors / this.seconds,
      p50: quantile(this.buckets, 0.5),
      p99: quantile(this.buckets, 0.99),
      inFlight: this.inFlight,
    };
  }
}

function total(inFlight: { requests: number; uploads: number; streams: number; websockets: number }): number {
  return inFlight.requests + inFlight.uploads + inFlight.streams + inFlight.websockets;
}

/** The length in milliseconds that the given share of them did not exceed, as if they lay evenly in their bucket. */
export function quantile(buckets: readonly number[], share: number): number | null {
  const count = buckets.reduce((all, one) => all + one, 0);
  if (count === 0) return null;
  const rank = share * count;
  let below = 0;
  let start = 0;
  for (const [at, end] of BOUNDARIES.entries()) {
    const here = buckets[at] ?? 0;
    if (here > 0 && below + here >= rank) return (start + ((rank - below) / here) * (end - start)) / 1000;
    below += here;
    start = end;
  }
  return start / 1000;
}
