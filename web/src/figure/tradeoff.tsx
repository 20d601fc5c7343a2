// The trade-off of ways to deploy: each lies at the height of the instances that it needs. Left is quicker, low is
// cheaper; the thick part is the time in which two versions serve, the thin one that in which both still run.

import type { Course } from "../live/tradeoff";
import { length } from "../view/units";
import { useWidth } from "../view/width";

/** Where letters have no room beside a line, they stand above it. */
const NARROW = 560;
const GAP = 14;
const RIGHT = 36;

interface Frame {
  width: number;
  narrow: boolean;
  left: number;
  lane: number;
  x: (at: number) => number;
}

export function Tradeoff({ courses, chosen }: { courses: readonly Course[]; chosen: string | null }) {
  const [place, width] = useWidth<HTMLElement>(720);
  const end = horizon(courses);
  const narrow = width < NARROW;
  const left = narrow ? 34 : 96;
  const x = (at: number) => left + ((width - left - RIGHT) * Math.min(at, end)) / end;
  const frame: Frame = { width, narrow, left, lane: narrow ? 36 : 26, x };
  let y = 8;
  const bands = [...new Set(courses.map((one) => one.way.figures.peak))]
    .sort((a, b) => b - a)
    .map((peak) => {
      const ways = courses.filter((one) => one.way.figures.peak === peak).sort((a, b) => a.served - b.served);
      const band = { peak, ways, top: y, height: ways.length * frame.lane + GAP };
      y += band.height;
      return band;
    });
  return (
    <figure class="tradeoff" ref={place}>
      <svg viewBox={`0 0 ${width} ${y + 30}`} role="img" aria-label={words(courses)}>
        {bands.map(({ peak, ways, top, height }) => (
          <g key={peak}>
            <line class="grid" x1={left} x2={width} y1={top + height - GAP / 2} y2={top + height - GAP / 2} />
            <text class="peak" x={left - 12} y={top + (ways.length * frame.lane) / 2 + 4}>
              {peak}
              {narrow ? "" : " instances"}
            </text>
            {ways.map((one, at) => (
              <Lane
                key={one.way.name}
                one={one}
                y={top + at * frame.lane + frame.lane / 2}
                frame={frame}
                end={end}
                chosen={chosen === one.way.name}
              />
            ))}
          </g>
        ))}
        <line class="axis" x1={left} x2={width} y1={y} y2={y} />
        <g class="times">
          {ticks(end).map((at) => (
            <text key={at} x={x(at)} y={y + 18} text-anchor={at === 0 ? "start" : "middle"}>
              {length(at)}
            </text>
          ))}
        </g>
      </svg>
      <figcaption>
        <span>
          <span class="key mixed" /> two versions serve
        </span>
        <span>
          <span class="key thin" /> the old one is kept
        </span>
        <span>
          <span class="key mark" /> the new one has all requests; filled: no other way is better
        </span>
      </figcaption>
    </figure>
  );
}

/** How far to the right it goes: what keeps the old pool for long must not press the rest together. */
export function horizon(courses: readonly Course[]): number {
  const served = Math.max(1, ...courses.map((one) => one.served));
  return Math.min(Math.max(1, ...courses.map((one) => one.ends)), served * 2);
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].flatMap((s) => [s * 100, s * 1000]);

/** Round times, five or so. */
function ticks(end: number): number[] {
  const step = STEPS.sort((a, b) => a - b).find((one) => end / one <= 6) ?? end;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, at) => at * step);
}

function Lane(props: { one: Course; y: number; frame: Frame; end: number; chosen: boolean }) {
  const { one, y, frame, end, chosen } = props;
  const { x, narrow, left, width } = frame;
  const at = x(one.served);
  const beyond = one.ends > end;
  const name = beyond ? `${one.way.name} (old one kept until ${length(one.ends)})` : one.way.name;
  const line = narrow ? y + 7 : y;
  const behind = Math.max(at, x(one.ends)) + 12;
  const before = behind + name.length * 6.2 > width;
  const kind = [one.way.unbeaten ? "unbeaten" : "beaten", chosen ? "chosen" : ""].join(" ");
  return (
    <g class={`lane ${kind}`}>
      <line class="kept" x1={x(one.begins)} x2={x(one.ends)} y1={line} y2={line} />
      {beyond && <path class="kept" d={`M${x(end)} ${line - 4}l7 4l-7 4`} />}
      <line class="mixed" x1={x(one.mixed)} x2={at} y1={line} y2={line} />
      {"flip" in one.way.strategy ? (
        <path class="mark" d={`M${at} ${line - 7}l7 7l-7 7l-7 -7Z`} />
      ) : (
        <circle class="mark" cx={at} cy={line} r={5.5} />
      )}
      {narrow ? (
        <text x={left + 2} y={line - 11}>
          {name}
        </text>
      ) : (
        <text x={before ? x(one.begins) - 12 : behind} y={line + 4} text-anchor={before ? "end" : "start"}>
          {name}
        </text>
      )}
    </g>
  );
}

function words(courses: readonly Course[]): string {
  return courses
    .map((one) => {
      const costs = `two versions serve for ${length(one.served - one.mixed)}, ${one.way.figures.peak} instances`;
      return `${one.way.name}: ${length(one.served)}, ${costs}${one.way.unbeaten ? ", unbeaten" : ""}`;
    })
    .join("; ");
}
