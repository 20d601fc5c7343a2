// A version, an instance: how they look everywhere. A look is a colour and a pattern, a state is a shape and a sign.

import { useRef, useState } from "preact/hooks";
import type { Instance } from "../api/message";
import type { Looks } from "../live/versions";
import { clean } from "./text";
import { length, plural } from "./units";

/** The label of a version beside its look. */
export function Version({ name, looks }: { name: string; looks: Looks }) {
  return (
    <span class="version" title={name}>
      <span class={`swatch look-${looks.of(name)}`} aria-hidden="true" />
      <span class="label">{clean(name)}</span>
    </span>
  );
}

/** What is wrong or going on with an instance, in a word. */
export function condition(instance: Instance): string {
  const { stage, health } = instance;
  if (stage === "serving" && health && health.state !== "up") return "unwell";
  return stage;
}

const SIGNS: Record<string, string> = {
  starting: "…",
  standby: "‖",
  serving: "",
  unwell: "!",
  draining: "↓",
  stopping: "×",
  ended: "✘",
};

/** Instances as squares; arrow keys go from one to the next, and one can be picked. */
export function Squares(props: {
  instances: readonly Instance[];
  looks: Looks;
  picked: number | null;
  pick: (instance: number | null) => void;
  label: string;
}) {
  const { instances, looks, picked, pick, label } = props;
  const row = useRef<HTMLDivElement>(null);
  const [at, go] = useState(0);
  const here = Math.min(at, Math.max(0, instances.length - 1));
  const move = (event: KeyboardEvent) => {
    const to = target(event.key, here, instances.length);
    if (to === null) return;
    event.preventDefault();
    go(to);
    row.current?.querySelectorAll("button")[to]?.focus();
  };
  return (
    <div class="squares" role="toolbar" aria-label={label} ref={row} onKeyDown={move}>
      {instances.map((instance, index) => (
        <button
          type="button"
          key={instance.instance}
          class={`square look-${looks.of(instance.version)} is-${condition(instance)}`}
          tabIndex={index === here ? 0 : -1}
          aria-pressed={picked === instance.instance}
          aria-label={`i${instance.instance}, ${instance.version}, ${condition(instance)}`}
          title={`i${instance.instance} · ${clean(instance.version)} · ${condition(instance)}`}
          onFocus={() => go(index)}
          onClick={() => pick(picked === instance.instance ? null : instance.instance)}
        >
          {SIGNS[condition(instance)]}
        </button>
      ))}
    </div>
  );
}

function target(key: string, at: number, count: number): number | null {
  if (key === "ArrowRight" || key === "ArrowDown") return Math.min(count - 1, at + 1);
  if (key === "ArrowLeft" || key === "ArrowUp") return Math.max(0, at - 1);
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}

/** What the squares mean, as far as it is to be seen now. */
export function Signs({ instances }: { instances: readonly Instance[] }) {
  const seen = [...new Set(instances.map(condition))].filter((one) => one !== "serving");
  if (seen.length === 0) return null;
  const order = Object.keys(SIGNS);
  return (
    <ul class="signs">
      {seen
        .sort((a, b) => order.indexOf(a) - order.indexOf(b))
        .map((one) => (
          <li key={one}>
            <span class={`square small is-${one}`} aria-hidden="true">
              {SIGNS[one]}
            </span>
            {one}
          </li>
        ))}
    </ul>
  );
}

/** How an instance is, in a few words. */
export function describe(instance: Instance, now: number): string[] {
  const { health, in_flight: f } = instance;
  const flying = f ? f.requests + f.uploads + f.streams + f.websockets : null;
  return [
    `${condition(instance)} for ${length(now - instance.since)}`,
    ...(health?.last ? [clean(health.last)] : []),
    ...(instance.address ? [`at ${instance.address}`] : []),
    ...(flying === null ? [] : [`${flying} in flight`]),
    ...(instance.requests === null ? [] : [`${plural(instance.requests, "request")}, ${instance.failed} failed`]),
    ...(instance.revision ? [`schema ${clean(instance.revision)}`] : []),
    ...(instance.exit ? [clean(instance.exit)] : []),
  ];
}
