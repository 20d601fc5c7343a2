import { expect, test } from "vitest";
import type { Database, Instance, Status, Wait } from "../api/message";
import { obstacles } from "./obstacles";

const instance = (revision: string): Instance => ({
  instance: 1,
  version: "v1",
  revision,
  stage: "serving",
  since: 0,
  address: null,
  health: null,
  in_flight: null,
  requests: null,
  failed: null,
  exit: null,
});

const status = (more: Partial<Status>, seen: Partial<Database> = {}): Status => ({
  service: "shop",
  at: 0,
  listen: [],
  current: "v2",
  previous: "v1",
  wanted: 4,
  healthy: 4,
  instances: [],
  deployment: null,
  waits: [],
  counts: null,
  config_changed: false,
  trouble: null,
  database: {
    standing: { revision: "1_a", change: { from: "1_a", to: "2_b", phase: "mixed" } },
    rows: 0,
    work: { work: "idle" },
    operator: null,
    old_clients: 0,
    new_clients: 0,
    sessions: {},
    strangers: 0,
    at: 0,
    ...seen,
  },
  ...more,
});

const open = (status: Status) =>
  obstacles(status, 0)
    .filter((one) => !one.met)
    .map((one) => one.text);

test("each condition of the contract is told, met or not", () => {
  const kept: Wait = { sentence: "", until: 9000, wait: { wait: "kept" } };
  expect(open(status({}))).toEqual([]);
  expect(open(status({ instances: [instance("1_a"), instance("2_b")] }))).toEqual(["1 instance of 1_a alive"]);
  expect(open(status({}, { old_clients: 3 }))).toEqual(["3 database sessions of 1_a open"]);
  expect(open(status({ waits: [kept] }))).toEqual(["kept for going back, another 9\u202fs"]);
  expect(open(status({}, { operator: "somebody" }))).toEqual(["somebody is at work on the schema"]);
});

test("where nothing is to be contracted there are no conditions", () => {
  expect(obstacles(status({}, { standing: { revision: "2_b", change: null } }), 0)).toEqual([]);
});
