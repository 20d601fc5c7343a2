// The way through phases: which are passed and in what time, which one is on, which are to come.

import { length } from "../view/units";

export interface Stop {
  name: string;
  /** When it was begun. None: not yet. */
  at: number | null;
  /** When it was left. */
  end: number | null;
  state: "passed" | "on" | "to come" | "left out" | "bad";
}

const SIGNS: Record<Stop["state"], string> = { passed: "✔", on: "●", "to come": "○", "left out": "–", bad: "✘" };

export function Rail({ stops, now, label }: { stops: readonly Stop[]; now: number; label: string }) {
  return (
    <ol class="rail" aria-label={label}>
      {stops.map((stop) => (
        <li
          key={stop.name}
          class={`is-${stop.state.replace(" ", "-")}`}
          aria-current={stop.state === "on" ? "step" : undefined}
        >
          <span class="bead" aria-hidden="true">
            {SIGNS[stop.state]}
          </span>
          <span class="name">{stop.name}</span>
          <span class="took">{stop.at === null ? stop.state : length((stop.end ?? now) - stop.at)}</span>
        </li>
      ))}
    </ol>
  );
}
