// The way through phases: which are passed and in what time, which one is on, which are to come.

import { length } from "../view/units";

export interface Stop {
  name: string;
  /** How long it took, up to now if it is on. None: that is not known, or it was never begun. */
  took: number | null;
  state: "passed" | "on" | "to come" | "left out" | "bad";
}

const SIGNS: Record<Stop["state"], string> = { passed: "✔", on: "●", "to come": "○", "left out": "–", bad: "✘" };

export function Rail({ stops, label }: { stops: readonly Stop[]; label: string }) {
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
          <span class="took">{stop.took === null ? stop.state : length(stop.took)}</span>
        </li>
      ))}
    </ol>
  );
}
