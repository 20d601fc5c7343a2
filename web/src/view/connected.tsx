// Whether what is shown is true now: connected, or since when not, and when it is tried again.

import { useEffect, useState } from "preact/hooks";
import type { Service } from "../live/service";
import { useSeconds, useService } from "./live";
import { clean } from "./text";
import { clock, left } from "./units";

/** A short gap is no news. */
const PATIENCE = 1500;

export function Connected({ service }: { service: Service }) {
  const { connection, status, retry } = useService(service.name);
  const open = connection.state === "open";
  const [lost, lose] = useState(false);
  useEffect(() => {
    if (open) return lose(false);
    const timer = setTimeout(() => lose(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [open]);
  useSeconds(lost);
  if (!lost) {
    return (
      <span class={open ? "connected" : "connected calm"} role="status">
        <span aria-hidden="true">●</span> {open ? "live" : "connecting"}
      </span>
    );
  }
  const words = connection.state === "waiting" ? `again in ${left(connection.until, Date.now())}` : "trying";
  return (
    <span
      class="connected lost"
      role="status"
      title={connection.state === "waiting" ? clean(connection.why) : undefined}
    >
      <span aria-hidden="true">○</span> disconnected{status ? `, as of ${clock(status.at)}` : ""}, {words}
      <button type="button" class="plain" onClick={() => retry.call(service)}>
        Now
      </button>
    </span>
  );
}
