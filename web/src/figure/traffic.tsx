// The traffic of a service over time: requests by version as a ribbon, errors, and how long answers take.

import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import type { Figures, Sample } from "../live/figures";
import type { Service } from "../live/service";
import { count, length, rate } from "../view/units";
import { colour, pattern } from "./paint";
import { Plot, type Values } from "./plot";

/** Between two samples that are further apart nothing is known. */
const GAP = 3500;

interface Props {
  service: Service;
}

/** The times of samples in seconds, with a hole where nothing was seen. */
function times(samples: readonly Sample[]): { at: number; sample: Sample | null }[] {
  return samples.flatMap((sample, at) => {
    const before = samples[at - 1];
    const here = { at: sample.at / 1000, sample };
    const hole = before && sample.at - before.at > GAP;
    return hole ? [{ at: before.at / 1000 + 1, sample: null }, here] : [here];
  });
}

function versionsOf(samples: readonly Sample[]): string[] {
  const served = new Set<string>();
  for (const { versions } of samples) {
    for (const [version, figures] of Object.entries(versions)) if (figures.rate > 0) served.add(version);
  }
  return [...served];
}

/** Requests a second by version, one upon the other. */
export function Ribbon({ service }: Props) {
  const samples = service.samples.all();
  const last = samples.at(-1);
  const versions = versionsOf(samples);
  const values = useMemo(() => stacked(samples, versions), [last]);
  const now = last ? versions.map((one) => `${one} ${rate(last.versions[one]?.rate ?? 0)}`).join(", ") : "nothing yet";
  return (
    <Plot
      shape={versions.join("\n")}
      series={() => ({
        series: versions.map((version, at) => {
          const look = service.looks.of(version);
          // No line above: it would run on where the version had nothing.
          const edge = { width: 0, points: { show: false } };
          return at === 0 ? { ...edge, fill: pattern(look, uPlot.pxRatio) } : edge;
        }) as uPlot.Series[],
        bands: versions.slice(1).map((version, at) => ({
          series: [at + 2, at + 1] as [number, number],
          fill: pattern(service.looks.of(version), uPlot.pxRatio) as CanvasPattern,
        })) as unknown as uPlot.Band[],
      })}
      values={values}
      marks={service.marks.all()}
      height={168}
      unit={count}
      least={4}
      label={`requests a second by version over the last minutes; now: ${now}`}
    />
  );
}

function stacked(samples: readonly Sample[], versions: string[]): Values {
  const points = times(samples);
  const rows = versions.map((_, upto) =>
    points.map(({ sample }) => {
      if (!sample) return null;
      return versions.slice(0, upto + 1).reduce((sum, one) => sum + (sample.versions[one]?.rate ?? 0), 0);
    }),
  );
  return [points.map(({ at }) => at), ...rows];
}

/** A line over time for each row. */
function lines(samples: readonly Sample[], rows: ((sample: Sample) => number | null)[]): Values {
  const points = times(samples);
  return [points.map(({ at }) => at), ...rows.map((row) => points.map(({ sample }) => (sample ? row(sample) : null)))];
}

const inkOf = (name: string, dash?: number[]) => ({
  stroke: colour(name),
  width: 1.25,
  points: { show: false },
  spanGaps: false,
  ...(dash ? { dash } : {}),
});

/** The median and the 99th of a hundred. */
export function Latency({ service }: Props) {
  const samples = service.samples.all();
  const last = samples.at(-1);
  const values = useMemo(() => lines(samples, [(one) => one.all.p50, (one) => one.all.p99]), [last]);
  const words = (figures?: Figures) =>
    figures ? `median ${length(figures.p50)}, p99 ${length(figures.p99)}` : "unknown";
  return (
    <Plot
      shape="latency"
      series={() => ({ series: [inkOf("ink"), inkOf("accent", [5, 3])] })}
      values={values}
      marks={service.marks.all()}
      height={112}
      unit={(value) => length(value)}
      least={10}
      label={`how long answers take over the last minutes; now: ${words(last?.all)}`}
    />
  );
}

/** Answers with 5xx, and requests that failed by the fault of Tandem or an instance, in a second. */
export function Errors({ service }: Props) {
  const samples = service.samples.all();
  const last = samples.at(-1);
  const values = useMemo(() => lines(samples, [(one) => one.all.errors, (one) => one.failed]), [last]);
  return (
    <Plot
      shape="errors"
      series={() => ({
        series: [{ ...inkOf("bad"), fill: colour("bad-soft") }, inkOf("ink", [5, 3])],
      })}
      values={values}
      marks={service.marks.all()}
      height={112}
      unit={rate}
      least={1}
      label={`answers with 5xx a second over the last minutes; now: ${last ? rate(last.all.errors) : "unknown"}`}
    />
  );
}
