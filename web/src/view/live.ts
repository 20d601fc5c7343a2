// Hooks: a service that changes, the time that passes, an answer that comes.

import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Service } from "../live/service";
import { service as known } from "../live/services";

const again = (count: number) => count + 1;

/** A service; the component is drawn anew when it changes. */
export function useService(name: string): Service {
  const found = known(name);
  const [, draw] = useReducer(again, 0);
  useEffect(() => found.subscribe(() => draw(undefined as never)), [found]);
  return found;
}

/** Draws anew every second, while something counts down. */
export function useSeconds(counts: boolean): void {
  const [, draw] = useReducer(again, 0);
  useEffect(() => {
    if (!counts) return;
    const timer = setInterval(() => draw(undefined as never), 1000);
    return () => clearInterval(timer);
  }, [counts]);
}

export interface Asked<T> {
  value: T | null;
  problem: string | null;
  /** Asks once more; the value from before stays until then. */
  again: () => void;
}

/** What `ask` answers, asked anew when one of `keys` changes. */
export function useAnswer<T>(ask: () => Promise<T>, keys: readonly unknown[]): Asked<T> {
  const [answer, set] = useState<{ value: T | null; problem: string | null }>({ value: null, problem: null });
  const [turn, next] = useReducer(again, 0);
  const latest = useRef(0);
  useEffect(() => {
    latest.current += 1;
    const mine = latest.current;
    const current = () => latest.current === mine;
    ask().then(
      (value) => current() && set({ value, problem: null }),
      (error: Error) => current() && set((before) => ({ ...before, problem: error.message })),
    );
    return () => {
      latest.current += 1;
    };
  }, [...keys, turn]);
  return { ...answer, again: () => next(undefined as never) };
}
