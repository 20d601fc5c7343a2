// Ways to deploy, weighed against each other: how long each takes, how many instances it needs, how long two versions
// serve at once. The steps are the controller's forecast; their times come from the pace. Pure.

import type { Forecast, StrategyChoice } from "../api/message";
import type { Pace } from "./pace";

/** A way to deploy. */
export interface Way {
  name: string;
  how: StrategyChoice;
}

/** When what happens, in milliseconds from the request. */
export interface Course {
  /** The first new instance is started: from here on two versions run. */
  begins: number;
  /** The new version has its first requests: from here on two versions serve. */
  mixed: number;
  /** The new version has all requests. */
  served: number;
  /** The last old instance is gone. */
  ends: number;
}

/** A way with what it costs. */
export interface Weighed extends Course {
  way: Way;
  forecast: Forecast;
  /** No other way is at least as good in all that counts, and better in something. */
  unbeaten: boolean;
}

/** The ways that are asked for, by the number of instances that are wanted. */
export function ways(wanted: number): Way[] {
  const rolling = (batch: number, more: StrategyChoice = {}): Way => ({
    name: `rolling, ${batch} at a time${more.surge === "0" ? ", none extra" : ""}`,
    how: { strategy: "rolling", batch: String(batch), ...more },
  });
  const some = (...batches: number[]) => [...new Set(batches.map(Math.ceil))];
  return [
    ...some(1, wanted / 4)
      .filter((batch) => batch < wanted)
      .map((batch) => rolling(batch, { surge: "0" })),
    ...some(1, wanted / 4, wanted / 2, wanted).map((batch) => rolling(batch)),
    { name: "flip", how: { strategy: "flip" } },
  ];
}

/** When things happen in a forecast at a pace. */
export function timed(forecast: Forecast, pace: Pace): Course {
  let now = 0;
  const when: { [moment in keyof Course]?: number } = {};
  for (const { what, new: fresh, old } of forecast.steps) {
    const does = (verb: string) => what.split(", ").some((part) => part.startsWith(verb));
    if (does("make ")) now += pace.prepare;
    if (does("start ")) when.begins ??= now;
    now += Math.max(does("start ") ? pace.ready : 0, does("stop ") ? pace.leave : 0);
    if (fresh > 0) when.mixed ??= now;
    if (fresh > 0 && old === 0) when.served ??= now;
    if (does("keep warm ")) now += Math.max(pace.warm, pace.bake);
    if (does("stop ")) when.ends = now;
  }
  const served = when.served ?? now;
  return { begins: when.begins ?? now, mixed: when.mixed ?? served, served, ends: Math.max(when.ends ?? 0, served) };
}

/** Marks the ways that no other one beats. */
export function weigh(all: readonly [Way, Forecast][], pace: Pace): Weighed[] {
  const weighed = all.map(([way, forecast]) => ({ way, forecast, ...timed(forecast, pace) }));
  const costs = ({ forecast, mixed, served }: (typeof weighed)[number]) => [
    served,
    served - mixed,
    forecast.peak,
    -forecast.lowest_capacity,
  ];
  const beats = (a: number[], b: number[]) =>
    a.every((cost, at) => cost <= (b[at] as number)) && a.some((cost, at) => cost < (b[at] as number));
  return weighed.map((one) => ({ ...one, unbeaten: !weighed.some((other) => beats(costs(other), costs(one))) }));
}
