// How long things take here: measured in the events of a deployment that was, and read in the configuration. Pure.

import type { JournalEvent } from "../api/message";
import { millis } from "../view/units";
import { members } from "./story";

/** Lengths in milliseconds. */
export interface Pace {
  /** From the request to a version that can be run. */
  prepare: number;
  /** From an instance's start until it is ready. */
  ready: number;
  /** From the last new request until an instance is gone. */
  leave: number;
  /** How long the new version is watched. */
  bake: number;
  /** How long the old pool of a flip is kept. */
  warm: number;
}

/** What can be measured in a deployment's events. */
export function measured(events: readonly JournalEvent[]): Pick<Pace, "prepare" | "ready" | "leave"> | null {
  const started = new Map<number, number>();
  const leaving = new Map<number, number>();
  const [ready, leave]: [number[], number[]] = [[], []];
  let [requested, prepared] = [null as number | null, 0];
  for (const { recorded: e } of events) {
    if (e.event === "requested") requested = e.at;
    if (e.event === "prepared" && requested !== null) prepared = e.at - requested;
    if (e.event === "done" && e.outcome.done === "started") started.set(e.outcome.instance, e.at);
    if (e.event === "ready") take(started, e.instance, e.at, ready);
    if (e.event === "ended") take(leaving, e.instance, e.at, leave);
    if (e.event === "begun" && e.action.do === "route") {
      for (const { instance, role } of members(e.action.table)) {
        if (role === "drain" && !leaving.has(instance)) leaving.set(instance, e.at);
      }
    }
  }
  if (ready.length === 0) return null;
  return { prepare: prepared, ready: middle(ready), leave: leave.length > 0 ? middle(leave) : 0 };
}

function take(begun: Map<number, number>, instance: number, at: number, lengths: number[]): void {
  const since = begun.get(instance);
  if (since !== undefined) lengths.push(at - since);
  begun.delete(instance);
}

function middle(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

/** A length that the shown configuration sets, in milliseconds. */
export function configured(shown: string, table: string, key: string): number | null {
  let here = "";
  for (const line of shown.split("\n")) {
    const head = /^\[+([\w.-]+)\]+/.exec(line);
    if (head) here = head[1] as string;
    const value = new RegExp(`^${key}\\s*=\\s*"([^"]*)"`).exec(line);
    if (here === table && value) return millis(value[1] as string);
  }
  return null;
}
