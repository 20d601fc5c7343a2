// What the page *Plan* asks for: how long things take here, and the forecast of each way, one after the other.

import { useEffect, useState } from "preact/hooks";
import { get, post, serviceAt } from "../api/client";
import type { ConfigInForce, DeploymentRecord, Forecast, JournalEvent } from "../api/message";
import { Stream } from "../api/stream";
import { configured, measured, type Pace } from "../live/pace";
import { type Way, ways } from "../live/tradeoff";

/** Where nothing was measured yet. */
const GUESS: Pace = { prepare: 1000, ready: 5000, leave: 2000, bake: 10_000, warm: 30_000 };

/** What is to be deployed; empty: something new. */
export interface Wanted {
  source: string;
  version: string;
}

export interface Paced {
  pace: Pace;
  /** The deployment that was measured. */
  from: number | null;
}

/** How long things take here, from the last deployment and the configuration. */
export function usePace(name: string): Paced {
  const [paced, set] = useState<Paced>({ pace: GUESS, from: null });
  useEffect(() => {
    let over = false;
    let stream: Stream | null = null;
    const at = serviceAt(name);
    const settle = async () => {
      const [config, history] = await Promise.all([
        // Passwords may stand in it, so it is not for everybody.
        get<ConfigInForce>(`${at}/config`).catch(() => null),
        get<DeploymentRecord[]>(`${at}/deployments`),
      ]);
      const said = config?.shown ?? "";
      const bake = configured(said, "deploy", "bake") ?? GUESS.bake;
      const warm = configured(said, "deploy.flip", "warm") ?? GUESS.warm;
      if (over) return;
      set({ pace: { ...GUESS, bake, warm }, from: null });
      const last = history.find((one) => one.receipt?.verdict === "settled");
      if (!last) return;
      const events: JournalEvent[] = [];
      stream = new Stream(
        `${at}/deployments/${last.id}/events`,
        {
          message: ({ event, data }) => {
            if (event === "journal") events.push(JSON.parse(data) as JournalEvent);
          },
          connection: ({ state }) => {
            const seen = state === "resting" && !over ? measured(events) : null;
            if (seen) set({ pace: { ...seen, bake, warm }, from: last.id });
          },
        },
        () => events.some(({ recorded }) => recorded.event === "finished"),
      );
      stream.start();
    };
    settle().catch(() => {});
    return () => {
      over = true;
      stream?.stop();
    };
  }, [name]);
  return paced;
}

export interface Forecasts {
  all: [Way, Forecast][];
  problem: string | null;
}

/** Asks one way after the other. */
export function useForecasts(name: string, wanted: number, asked: Wanted, busy: number | null): Forecasts {
  const [forecasts, set] = useState<Forecasts>({ all: [], problem: null });
  useEffect(() => {
    let over = false;
    const walk = async () => {
      const all: [Way, Forecast][] = [];
      let problem: string | null = null;
      for (const way of wanted > 0 && busy === null ? ways(wanted) : []) {
        try {
          const request = { how: way.how, source: asked.source || undefined, version: asked.version || undefined };
          const forecast = await post<Forecast>(`${serviceAt(name)}/plan`, request);
          if (forecast.steps.length > 0) all.push([way, forecast]);
        } catch (error) {
          problem = error instanceof Error ? error.message : "it can't be planned";
        }
        if (over) return;
        set({ all: [...all], problem: all.length > 0 ? null : problem });
      }
      if (!over) set({ all, problem: all.length > 0 ? null : problem });
    };
    walk();
    return () => {
      over = true;
    };
  }, [name, wanted, asked, busy]);
  return forecasts;
}
