// All services, each made once: what was gathered of one is there when a page comes back to it.

import { Service } from "./service";

const known = new Map<string, Service>();

export function service(name: string): Service {
  const found = known.get(name) ?? new Service(name);
  known.set(name, found);
  return found;
}

/** A page that nobody sees asks for nothing, and catches up when it is seen again. */
export function followVisibility(): void {
  document.addEventListener("visibilitychange", () => {
    for (const service of known.values()) {
      if (document.hidden) service.rest();
      else service.wake();
    }
  });
}
