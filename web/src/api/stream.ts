// An event stream that lasts: it comes back by itself after the last event that it saw, with growing pauses.
//
// `fetch` and not `EventSource`, which can't be told where to go on after a pause of ours, nor says why it was refused.

import { answer, Problem } from "./client";
import { type Message, Reader } from "./sse";

export type Connection =
  | { state: "connecting" }
  | { state: "open"; since: number }
  | { state: "waiting"; until: number; why: string }
  /** On purpose: the tab is hidden, or the stream has told all. */
  | { state: "resting" };

export interface Listener {
  message(message: Message): void;
  connection(connection: Connection): void;
}

/** The server gives a sign of life every 15 s; without one for so long the connection is dead. */
const SILENCE = 40_000;
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 15_000;

/** How long to wait after so many failures in a row, in milliseconds; `lot` is between 0 and 1. */
export function pause(failures: number, lot: number): number {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures, 16));
  return longest * (0.5 + lot / 2);
}

export class Stream {
  private last: string | null = null;
  private failures = 0;
  private running: AbortController | null = null;
  /** The connection of which there was a sign of life. */
  private alive: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly path: string,
    private readonly listener: Listener,
    /** Whether all is told: then the end of the stream is no loss. */
    private readonly complete: () => boolean = () => false,
  ) {}

  /** Begins, or goes on after the last event that was seen. */
  start(): void {
    if (this.running) return;
    clearTimeout(this.timer);
    const running = new AbortController();
    this.running = running;
    this.listener.connection({ state: "connecting" });
    this.run(running).then(
      () => this.over(running, this.complete() ? null : "the connection was closed"),
      (error: unknown) => this.over(running, error instanceof Problem ? error.message : "the connection broke"),
    );
  }

  /** Stops until `start`. */
  stop(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
    this.listener.connection({ state: "resting" });
  }

  private over(ran: AbortController, why: string | null): void {
    if (this.running !== ran) return;
    this.running = null;
    if (why === null) {
      this.listener.connection({ state: "resting" });
      return;
    }
    const wait = pause(this.failures, Math.random());
    this.failures += 1;
    this.listener.connection({ state: "waiting", until: Date.now() + wait, why });
    this.timer = setTimeout(() => this.start(), wait);
  }

  private async run(running: AbortController): Promise<void> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.last !== null) headers["last-event-id"] = this.last;
    let silent = setTimeout(() => running.abort(), SILENCE);
    try {
      const response = await answer(this.path, { headers, signal: running.signal });
      const body = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      const reader = new Reader();
      for (;;) {
        const part = await body?.read();
        if (!part || part.done || running.signal.aborted) return;
        clearTimeout(silent);
        silent = setTimeout(() => running.abort(), SILENCE);
        this.heard();
        for (const message of reader.take(part.value)) this.tell(message);
      }
    } finally {
      clearTimeout(silent);
    }
  }

  /** The first sign of life of a connection. */
  private heard(): void {
    if (this.alive === this.running) return;
    this.alive = this.running;
    this.failures = 0;
    this.listener.connection({ state: "open", since: Date.now() });
  }

  private tell(message: Message): void {
    if (message.id !== null) this.last = message.id;
    this.listener.message(message);
  }
}
