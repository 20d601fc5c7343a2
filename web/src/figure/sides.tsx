// Old and new, side by side over the time of a deployment: how many instances of each were given requests, and the
// moments at which that changed. The new side stands above the line, the old one hangs below it.

import type { Course } from "../live/course";
import type { Looks } from "../live/versions";
import { length } from "../view/units";
import { useWidth } from "../view/width";
import { Patterns } from "./patterns";

const HALF = 64;
const LEFT = 34;
const FOOT = 22;

interface Props {
  course: Course;
  old: string | null;
  looks: Looks;
  wanted: number;
  now: number;
}

export function Sides({ course, old, looks, wanted, now }: Props) {
  const [place, width] = useWidth<HTMLElement>(720);
  const start = course.requestedAt;
  const end = Math.max(course.finishedAt ?? now, start + 1);
  const most = Math.max(wanted, 1, ...course.standings.map((one) => Math.max(one.new, one.old)));
  const x = (at: number) => LEFT + ((width - LEFT - 2) * (at - start)) / (end - start);
  const middle = HALF + 6;
  const path = (side: "new" | "old", way: 1 | -1) => {
    const steps = course.standings.map((one, at) => {
      const y = middle + (way * (HALF * one[side])) / most;
      const until = course.standings[at + 1]?.at ?? end;
      return `L${x(one.at).toFixed(1)} ${y.toFixed(1)}L${x(until).toFixed(1)} ${y.toFixed(1)}`;
    });
    const first = course.standings[0];
    return first ? `M${x(first.at).toFixed(1)} ${middle}${steps.join("")}L${x(end).toFixed(1)} ${middle}Z` : "";
  };
  return (
    <figure class="sides" ref={place}>
      <svg viewBox={`0 0 ${width} ${2 * HALF + 12 + FOOT}`} role="img" aria-label={words(course, old, start)}>
        <Patterns />
        <path
          d={path("new", -1)}
          class={`side look-${looks.of(course.version)}`}
          fill={`url(#look-${looks.of(course.version)})`}
        />
        {old && <path d={path("old", 1)} class={`side look-${looks.of(old)}`} fill={`url(#look-${looks.of(old)})`} />}
        <line class="axis" x1={LEFT} x2={width} y1={middle} y2={middle} />
        {course.moves.map(({ at }) => (
          <line key={at} class="move" x1={x(at)} x2={x(at)} y1={6} y2={2 * HALF + 6} />
        ))}
        {course.turnedBack && (
          <g class="back">
            <line x1={x(course.turnedBack.at)} x2={x(course.turnedBack.at)} y1={0} y2={2 * HALF + 12} />
            <text
              x={x(course.turnedBack.at) + (x(course.turnedBack.at) > width - 90 ? -6 : 6)}
              y={10}
              text-anchor={x(course.turnedBack.at) > width - 90 ? "end" : "start"}
            >
              turned back
            </text>
          </g>
        )}
        <text class="scale" x={LEFT - 6} y={14}>
          {most}
        </text>
        <text class="scale" x={LEFT - 6} y={middle + 4}>
          0
        </text>
        <text class="scale" x={LEFT - 6} y={2 * HALF + 8}>
          {most}
        </text>
        <Times course={course} x={x} end={end} y={2 * HALF + 26} />
      </svg>
    </figure>
  );
}

/** Below: the beginning, and how long it took up to the end. */
function Times({ course, x, end, y }: { course: Course; x: (at: number) => number; end: number; y: number }) {
  return (
    <g class="times">
      <text x={x(course.requestedAt)} y={y}>
        asked for
      </text>
      <text x={x(end)} y={y} text-anchor="end">
        {course.finishedAt === null ? "now, " : ""}
        {length(end - course.requestedAt)}
      </text>
    </g>
  );
}

function words(course: Course, old: string | null, start: number): string {
  const moved = course.moves.map(({ at, text }) => `after ${length(at - start)} ${text}`);
  return [`instances of ${course.version} above, of ${old ?? "nothing"} below, over time`, ...moved.slice(0, 20)].join(
    "; ",
  );
}
