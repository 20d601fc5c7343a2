// A drawing over time by uPlot: made once for a set of series, given new values after that, fitted to its place and to
// the theme. What it shows is said in words for those who don't see it.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock } from "../view/units";
import { colour } from "./paint";

export type Values = (number | null)[][];

export interface Stroke {
  at: number;
  kind: "switch" | "back";
}

interface Props {
  /** Made anew when this changes: what series there are. */
  shape: string;
  /** The series but that of the time, and bands; asked when the drawing is made. */
  series: () => { series: uPlot.Series[]; bands?: uPlot.Band[] };
  /** Seconds first, then a row for each series. */
  values: Values;
  marks: readonly Stroke[];
  height: number;
  /** What numbers on the left axis look like. */
  unit: (value: number) => string;
  label: string;
  /** The highest value that the axis shows at least. */
  least: number;
}

/** So many seconds are shown at least. */
const WIDTH = 60;
/** A moment so near to the left edge would run into the other axis. */
const EDGE = 24;

export function Plot(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const current = useRef(props);
  current.current = props;
  useEffect(() => {
    const at = place.current;
    if (!at) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(at.clientWidth, current), data(current.current.values), at);
    };
    make();
    const fitted = new ResizeObserver(() => {
      plot.current?.setSize({ width: at.clientWidth, height: current.current.height });
    });
    fitted.observe(at);
    window.addEventListener("themed", make);
    return () => {
      window.removeEventListener("themed", make);
      fitted.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [props.shape]);
  useEffect(() => plot.current?.setData(data(props.values)), [props.values]);
  return <div class={`plot plot-${props.height}`} ref={place} role="img" aria-label={props.label} />;
}

function data(values: Values): uPlot.AlignedData {
  return values as uPlot.AlignedData;
}

function options(width: number, current: { current: Props }): uPlot.Options {
  const props = current.current;
  const { series, bands } = props.series();
  const axis = { stroke: colour("faint"), font: "11px system-ui, sans-serif", ticks: { show: false } };
  const grid = { stroke: colour("hair"), width: 1 };
  return {
    width,
    height: props.height,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: true, range: (_, low, high) => [Math.min(low ?? 0, (high ?? 0) - WIDTH), high ?? 0] },
      y: { range: (_, __, high) => [0, Math.max(current.current.least, (high ?? 0) * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 20,
        space: 96,
        values: (plot, ticks) => ticks.map((at) => (plot.valToPos(at, "x") < EDGE ? "" : clock(at * 1000))),
      },
      { ...axis, grid, size: 52, space: 28, values: (_, ticks) => ticks.map((value) => current.current.unit(value)) },
    ],
    series: [{}, ...series],
    ...(bands ? { bands } : {}),
    hooks: { draw: [(plot) => strokes(plot, current.current.marks)] },
  };
}

/** Upright lines where requests moved; a flag tells which way. */
function strokes(plot: uPlot, marks: readonly Stroke[]): void {
  const { ctx: pen, bbox } = plot;
  const scale = uPlot.pxRatio;
  pen.save();
  pen.lineWidth = scale;
  for (const { at, kind } of marks) {
    const x = Math.round(plot.valToPos(at / 1000, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    pen.strokeStyle = colour(kind === "back" ? "bad" : "ink");
    pen.fillStyle = pen.strokeStyle;
    pen.setLineDash(kind === "back" ? [] : [2 * scale, 3 * scale]);
    pen.beginPath();
    pen.moveTo(x, bbox.top);
    pen.lineTo(x, bbox.top + bbox.height);
    pen.stroke();
    const side = (kind === "back" ? -5 : 5) * scale;
    pen.beginPath();
    pen.moveTo(x, bbox.top);
    pen.lineTo(x + side, bbox.top + 3 * scale);
    pen.lineTo(x, bbox.top + 6 * scale);
    pen.fill();
  }
  pen.restore();
}
