// What the page *Plan* asks for: the ways in which something could be deployed, and what each would cost.

import { useEffect, useState } from "preact/hooks";
import { post, serviceAt } from "../api/client";
import type { Forecast } from "../api/message";

/** What is to be deployed; empty: something new. */
export interface Wanted {
  source: string;
  version: string;
}

export interface Foreseen {
  forecast: Forecast | null;
  problem: string | null;
}

/** Asks anew when something else is to be deployed, and when a deployment is over. */
export function useForecast(name: string, wanted: number, asked: Wanted, busy: number | null): Foreseen {
  const [foreseen, set] = useState<Foreseen>({ forecast: null, problem: null });
  useEffect(() => {
    let over = false;
    const tell = (told: Foreseen) => over || set(told);
    if (wanted === 0 || busy !== null) {
      tell({ forecast: null, problem: null });
    } else {
      const request = { ways: true, source: asked.source || undefined, version: asked.version || undefined };
      post<Forecast>(`${serviceAt(name)}/plan`, request)
        .then((forecast) => tell({ forecast, problem: null }))
        .catch((error) => {
          tell({ forecast: null, problem: error instanceof Error ? error.message : "it can't be planned" });
        });
    }
    return () => {
      over = true;
    };
  }, [name, wanted, asked, busy]);
  return foreseen;
}
