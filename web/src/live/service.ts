// One service as it is now: the last status, the traffic of the last minutes, what happened lately. A snapshot first,
// then changes; whoever shows it subscribes and is told at most a few times a second.

import { get, serviceAt } from "../api/client";
import type { JournalEvent, Metrics, Status } from "../api/message";
import type { Message } from "../api/sse";
import { type Connection, Stream } from "../api/stream";
import { type Look, type Sample, sample } from "./figures";
import { Ring } from "./ring";
import { type Line, Story } from "./story";
import { Looks } from "./versions";

/** From one look at the traffic to the next. */
const EVERY = 1000;
/** Durations are told of so many looks together. */
const LONG = 10;
/** A quarter of an hour. */
const SAMPLES = 900;
const LINES = 200;
/** Whoever shows it is told no more often. */
const CALM = 200;

/** What may change the queue. */
const QUEUE = new Set([
  "arrived",
  "declined",
  "superseded",
  "refused",
  "checked",
  "approved",
  "source_paused",
  "source_resumed",
  "requested",
  "finished",
]);

/** A moment that the drawings mark. */
export interface Mark {
  at: number;
  text: string;
  kind: "switch" | "back";
}

export class Service {
  status: Status | null = null;
  connection: Connection = { state: "resting" };
  /** Why there are no figures at the moment. */
  silent: string | null = null;
  readonly samples = new Ring<Sample>(SAMPLES);
  readonly lines = new Ring<Line>(LINES);
  readonly marks = new Ring<Mark>(LINES);
  readonly looks = new Looks();
  /** Grows with all that may have changed the queue. */
  queued = 0;
  private readonly story = new Story();
  private readonly stream: Stream;
  private readonly tellers = new Set<() => void>();
  private readonly taken: Look[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private telling: ReturnType<typeof setTimeout> | undefined;
  private ahead = 0;
  private awake = false;

  constructor(readonly name: string) {
    this.stream = new Stream(`${serviceAt(name)}/events`, {
      message: (message) => this.message(message),
      connection: (connection) => {
        this.connection = connection;
        this.changed();
      },
    });
  }

  /** The time by Tandem's clock. */
  now(): number {
    return Date.now() + this.ahead;
  }

  /** Calls `tell` after changes; the answer ends that. It is alive as long as somebody listens. */
  subscribe(tell: () => void): () => void {
    this.tellers.add(tell);
    this.wake();
    return () => {
      this.tellers.delete(tell);
      if (this.tellers.size === 0) this.rest();
    };
  }

  /** Connects again now and does not wait. */
  retry(): void {
    this.stream.start();
  }

  /** Goes on, if somebody listens and the page is seen. */
  wake(): void {
    if (this.awake || this.tellers.size === 0 || document.hidden) return;
    this.awake = true;
    this.taken.length = 0;
    this.stream.start();
    this.look();
  }

  /** Asks for nothing until `wake`. */
  rest(): void {
    if (!this.awake) return;
    this.awake = false;
    clearTimeout(this.timer);
    this.stream.stop();
  }

  private message({ event, data }: Message): void {
    if (event === "status") this.stands(JSON.parse(data) as Status);
    if (event === "journal") this.happened(JSON.parse(data) as JournalEvent);
    this.changed();
  }

  private stands(status: Status): void {
    this.status = status;
    this.ahead = status.at - Date.now();
    if (status.current) this.looks.of(status.current);
    for (const instance of status.instances) this.looks.of(instance.version);
    this.story.stands(status);
  }

  private happened(event: JournalEvent): void {
    if (QUEUE.has(event.recorded.event)) this.queued += 1;
    const line = this.story.tell(event);
    if (!line) return;
    this.lines.push(line);
    const { event: kind } = event.recorded;
    if (kind === "turned_back") this.marks.push({ at: this.here(line.at), text: line.text, kind: "back" });
    if (kind === "done" && line.text.includes("requests go to")) {
      this.marks.push({ at: this.here(line.at), text: line.text, kind: "switch" });
    }
  }

  private async look(): Promise<void> {
    const begun = Date.now();
    try {
      this.take({ metrics: await get<Metrics>(`${serviceAt(this.name)}/traffic`), at: Date.now() });
      this.silent = null;
    } catch (error) {
      this.silent = error instanceof Error ? error.message : "no figures";
    }
    if (!this.awake) return;
    this.changed();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), Math.max(0, EVERY - (Date.now() - begun)));
  }

  /** Drawings are by the clock of the browser, whose steps are even. */
  private here(at: number): number {
    return at - this.ahead;
  }

  private take(look: Look): void {
    const before = this.taken.at(-1);
    const long = this.taken[0];
    this.taken.push(look);
    if (this.taken.length > LONG) this.taken.shift();
    const seen = before && long && sample(this.name, long, before, look);
    if (!seen) return;
    for (const version of Object.keys(seen.versions)) this.looks.of(version);
    this.samples.push(seen);
  }

  private changed(): void {
    if (this.telling !== undefined) return;
    this.telling = setTimeout(() => {
      this.telling = undefined;
      for (const tell of this.tellers) tell();
    }, CALM);
  }
}
