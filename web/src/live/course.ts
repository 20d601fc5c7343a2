// The course of one deployment, folded from its events: phases with their times, and how many instances of each side
// served when. It is the same for one that runs and for one of last month. Pure but for its own state.

import type { JournalEvent, Phase, Receipt, StrategyName, Table } from "../api/message";
import { type Line, members, reason, Story } from "./story";

/** From one change of the routes to the next. */
export interface Standing {
  at: number;
  /** Instances that are given requests. */
  new: number;
  old: number;
}

/** A moment at which requests moved. */
export interface Move {
  at: number;
  text: string;
}

export interface Passed {
  phase: Phase;
  at: number;
}

/** So many lines are kept. */
const LINES = 2000;
/** So many changes of the routes are kept: a thousand instances, one at a time. */
const STANDINGS = 4000;

export class Course {
  version = "";
  strategy: StrategyName = "rolling";
  requestedAt = 0;
  finishedAt: number | null = null;
  turnedBack: { at: number; reason: string } | null = null;
  receipt: Receipt | null = null;
  phases: Passed[] = [];
  standings: Standing[] = [];
  moves: Move[] = [];
  lines: Line[] = [];
  private readonly story = new Story();
  private ordered: Table | null = null;
  private seen = 0;

  /** Takes the next event; one that was seen before is passed over. */
  take(event: JournalEvent): void {
    if (event.seq <= this.seen) return;
    this.seen = event.seq;
    const line = this.story.tell(event);
    if (line && this.lines.length < LINES) this.lines.push(line);
    const { recorded: e } = event;
    if (e.event === "requested") this.begin(e);
    if (e.event === "entered") this.phases.push({ phase: e.phase, at: e.at });
    if (e.event === "turned_back") {
      this.turnedBack = { at: e.at, reason: reason(e.reason) };
      // Going back begins with shifting again.
      this.phases.push({ phase: "shifting", at: e.at });
    }
    if (e.event === "capacity_fell" && this.standings.length === 0) {
      this.standings.push({ at: this.requestedAt, new: 0, old: e.serving });
    }
    if (e.event === "begun" && e.action.do === "route") this.ordered = e.action.table;
    if (e.event === "done" && e.outcome.done === "routed" && this.ordered) this.route(e.at, this.ordered, line);
    if (e.event === "finished") {
      this.finishedAt = e.at;
      this.receipt = e.receipt;
    }
  }

  /** How long it was in a phase, up to `now` if it is there still. None: it never was. */
  spent(phase: Phase, now: number): number | null {
    const until = (at: number) => this.phases[at + 1]?.at ?? this.finishedAt ?? now;
    const spans = this.phases.flatMap((one, at) => (one.phase === phase ? [until(at) - one.at] : []));
    return spans.length === 0 ? null : spans.reduce((all, one) => all + one, 0);
  }

  private begin(e: JournalEvent["recorded"]): void {
    this.version = e.version;
    this.strategy = Object.keys(e.strategy)[0] as StrategyName;
    this.requestedAt = e.at;
    this.phases.push({ phase: "preparing", at: e.at });
  }

  private route(at: number, table: Table, line: Line | null): void {
    this.ordered = null;
    const now = members(table);
    const serving = now.filter((member) => member.role === "serve");
    const fresh = serving.filter((member) => member.version === this.version).length;
    const standing = { at, new: fresh, old: serving.length - fresh };
    const last = this.standings.at(-1);
    const moved = last?.new !== standing.new || last?.old !== standing.old;
    if (!moved || this.standings.length >= STANDINGS) return;
    this.standings.push(standing);
    this.moves.push({ at, text: line?.text ?? "" });
  }
}
