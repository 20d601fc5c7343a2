// A way to deploy as it is drawn: what happens when. Pure.

import type { Forecast, StrategyChoice, Way } from "../api/message";
import { millis } from "../view/units";

/** A way, with when what happens, in milliseconds from the request. */
export interface Course {
  way: Way;
  /** The first new instance is started: from here on two versions run. */
  begins: number;
  /** The new version has its first requests: from here on two versions serve. */
  mixed: number;
  /** The new version has all requests. */
  served: number;
  /** The last old instance is gone. */
  ends: number;
}

const at = (span: string | undefined) => millis(span ?? "") ?? 0;

/** When things happen. */
export function course(way: Way): Course {
  const { steps, figures } = way;
  const begins = at(steps.find(({ what }) => what.startsWith("start "))?.at);
  const mixed = at(steps.find((step) => step.new > 0)?.at);
  const served = at(figures.served);
  return { way, begins, mixed, served, ends: Math.max(served, begins + at(figures.mixed_state)) };
}

/** How such a deployment is asked for. */
export function choice({ strategy }: Way): StrategyChoice {
  if ("rolling" in strategy) {
    const { batch, surge } = strategy.rolling;
    return { strategy: "rolling", batch, ...(surge === null ? {} : { surge }) };
  }
  return { strategy: "flip" in strategy ? "flip" : "canary" };
}

/** What the times are reckoned from, and how good that was so far. */
export function basis({ basis }: Forecast): string {
  const known = basis.ready.measured > 0 ? "as measured here: " : "nothing was measured yet; reckoned with ";
  const gone = at(basis.drain.typical) + at(basis.stop.typical);
  const last = basis.judged.at(-1);
  const off = last
    ? Math.round((Math.abs(at(last.foreseen) - at(last.took)) / Math.max(1, at(last.took))) * 100)
    : null;
  const judged = off === null ? "" : `; the last forecast was off by ${off} %`;
  return `${known}ready after ${seconds(at(basis.ready.typical))}, gone after ${seconds(gone)}${judged}`;
}

const seconds = (length: number) => `${(length / 1000).toFixed(1)} s`;
