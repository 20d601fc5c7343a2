// What stands between a schema that serves two revisions and the one that is left: each condition of the contract, met
// or not. Pure.

import type { Status } from "../api/message";
import { left, plural } from "../view/units";

export interface Obstacle {
  met: boolean;
  text: string;
}

/** The conditions in the order in which they are met. Empty: nothing is to be contracted. */
export function obstacles(status: Status, now: number): Obstacle[] {
  const database = status.database;
  const change = database?.standing.change;
  if (!database || change?.phase !== "mixed") return [];
  const old = change.from ?? "the empty schema";
  const waits = (kind: string) => status.waits.filter((one) => one.wait.wait === kind);
  const alive = status.instances.filter((one) => one.stage !== "ended" && (one.revision ?? null) === change.from);
  const kept = waits("kept")[0];
  const foreign = waits("foreign_change")[0];
  const conditions: Obstacle[] = [
    status.deployment
      ? { met: false, text: `d${status.deployment.id} is under way` }
      : { met: true, text: "no deployment is under way" },
    { met: alive.length === 0, text: `${plural(alive.length, "instance")} of ${old} alive` },
    { met: database.old_clients === 0, text: `${plural(database.old_clients, "database session")} of ${old} open` },
    kept?.until
      ? { met: false, text: `kept for going back, another ${left(kept.until, now)}` }
      : status.deployment
        ? { met: false, text: `the time for going back begins when d${status.deployment.id} is over` }
        : { met: true, text: "the time for going back is over" },
  ];
  if (database.operator) conditions.push({ met: false, text: `${database.operator} is at work on the schema` });
  if (foreign) conditions.push({ met: false, text: foreign.sentence });
  return conditions;
}
