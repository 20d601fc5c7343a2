// What goes over the API, as far as it is shown: the counterpart of `server/src/message.rs`. Times are milliseconds since
// 1970 on Tandem's clock; lengths of time (`Span`) are texts as people write them. Readers ignore what they don't know.

/** A length of time as text: `16s 241ms`. */
export type Span = string;
/** Milliseconds since 1970. */
export type Time = number;

export type StrategyName = "rolling" | "flip" | "canary";
export type Phase = "preparing" | "expanding" | "shifting" | "baking" | "retiring";
export type Stage = "starting" | "standby" | "serving" | "draining" | "stopping" | "ended";
export type Role = "standby" | "serve" | "drain";
export type ChangePhase = "expanding" | "mixed" | "contracting" | "undoing";
export type Exit = { code: number } | { signal: number } | { not_executed: string } | "out_of_memory" | "unknown";

export interface Me {
  name: string;
  role: "viewer" | "deployer" | "admin";
  services: string[];
  expires: Time | null;
}

export interface Health {
  state: "unknown" | "failing" | "up" | "down";
  last?: string;
}

export interface InFlight {
  requests: number;
  uploads: number;
  streams: number;
  websockets: number;
}

export interface Counts {
  requests: number;
  failed: number;
  retried: number;
  websockets_moved: number;
  cut: number;
}

export interface Instance {
  instance: number;
  version: string;
  revision?: string;
  stage: Stage;
  since: Time;
  address: string | null;
  health: Health | null;
  in_flight: InFlight | null;
  requests: number | null;
  failed: number | null;
  exit: string | null;
}

export interface Deployment {
  id: number;
  kind: "deploy" | "rollback";
  version: string;
  from: string | null;
  strategy: StrategyName;
  requested_at: Time;
  phase: Phase;
  phase_since: Time;
  paused: boolean;
  turned_back: string | null;
  ready: number | null;
  wanted: number;
  comparison?: Comparison;
  /** How far a canary is. */
  canary?: { steps: string[]; step: number; reached_at: Time | null };
  /** What was found of the new version so far. */
  findings?: { sentence: string }[];
}

export interface Break {
  operation: string;
  changes: string[];
  counted?: { calls: { total: number }; over: Span; complete: boolean };
  between?: { caller: Party; called: Party };
}

export interface Party {
  service: string;
  version: string;
}

export interface Comparison {
  broken: Break[];
  ahead: Break[];
  more: number;
}

export interface Wait {
  sentence: string;
  until: Time | null;
  wait: { wait: string; [field: string]: unknown };
}

export type QueueStanding =
  | { standing: "waiting" }
  | { standing: "superseded"; by: string }
  | { standing: "refused"; why: string }
  | { standing: "deploying" | "settled"; deployment: number }
  | { standing: "went_back"; deployment: number; why: string };

/** A deliverable that came by itself. */
export interface QueueEntry {
  digest: string;
  version: string;
  hotfix: boolean;
  arrived_at: Time;
  standing: QueueStanding;
  since: Time;
  waits?: Wait[];
}

export interface QueueStatus {
  at: Time;
  paused: { why: string; since: Time } | null;
  entries: QueueEntry[];
  declined: { name: string; why: string; at: Time }[];
}

export interface Standing {
  revision: string | null;
  change: { from: string | null; to: string; phase: ChangePhase } | null;
}

export interface Job {
  job: "expand" | "contract" | "undo";
  to: string;
}

export type Work =
  | { work: "idle" }
  | { work: "running"; job: Job; progress: string }
  | { work: "failed"; job: Job; error: string; at: Time; attempts: number; again: boolean };

export interface Session {
  pid: number;
  user: string;
  application: string;
  age: Span;
  revision: string | null;
}

export interface Database {
  standing: Standing;
  rows: number;
  work: Work;
  operator: string | null;
  old_clients: number;
  new_clients: number;
  sessions: Record<string, Session[]>;
  strangers: number;
  at: Time;
}

export interface Status {
  service: string;
  at: Time;
  listen: string[];
  current: string | null;
  previous: string | null;
  wanted: number;
  healthy: number | null;
  instances: Instance[];
  deployment: Deployment | null;
  maintenance?: { since: Time; message: string; allow?: string[] };
  waits: Wait[];
  remarks?: string[];
  counts: Counts | null;
  sessions?: Record<string, { clients: number; quiet: Span }>;
  database?: Database;
  config_changed: boolean;
  trouble: string | null;
  /** Only where deliverables can wait. */
  queue?: { version: string; why?: string; since?: Time }[];
}

export interface Findings {
  exit: Exit | null;
  log: string[];
  listens: string[];
  stranger: string | null;
}

export interface Diagnosis {
  deployment: number;
  instance: number;
  health: Health;
  findings: Findings;
  cause: string;
}

export interface Receipt {
  verdict: "settled" | "rolled_back" | "failed";
  reason?: string;
  from: string | null;
  to: string;
  took: Span;
  counts: Counts | null;
  lowest_capacity: number | null;
  wanted: number;
  mixed_state: Span;
  expanded?: { to: string; rows: number; took: Span };
  stray?: { instance: number; revision: string };
  broken: number;
  foreseen?: Figures;
}

export interface DeploymentRecord {
  id: number;
  kind: "deploy" | "rollback";
  version: string;
  strategy: StrategyName;
  requested_at: Time;
  finished_at: Time | null;
  turned_back: string | null;
  diagnosis: Diagnosis | null;
  receipt: Receipt | null;
  who: "somebody" | "source";
}

export interface Member {
  instance: number;
  version: string;
  role: Role;
}

export interface Table {
  generation: number;
  routes: { members: Member[] }[];
}

/** An event of the journal: `event` says which, the other fields are its own. */
export interface Recorded {
  at: Time;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: there are thirty kinds, and each reader names the fields that it needs.
  [field: string]: any;
}

export interface JournalEvent {
  seq: number;
  deployment: number | null;
  recorded: Recorded;
}

export interface Histogram {
  buckets: number[];
  micros: number;
}

export interface Requests {
  ended: Record<string, Record<string, number>>;
  durations: Histogram;
  received: number;
  sent: number;
}

export interface Metrics {
  run: number;
  connections: { open: number };
  services: Record<string, ServiceMetrics>;
}

export interface ServiceMetrics {
  counts: Counts;
  own: Requests;
  instances: Record<string, { version: string; requests: Requests; now: { in_flight: InFlight } | null }>;
}

export interface Step {
  at: Span;
  what: string;
  new: number;
  old: number;
  running: number;
}

/** What a deployment costs in time and instances. */
export interface Figures {
  took: Span;
  served: Span;
  back: Span | null;
  first: number;
  mixed_state: Span;
  peak: number;
  lowest_capacity: number | null;
  extra: Span;
}

export interface Estimate {
  typical: Span;
  measured: number;
}

export interface Rolling {
  batch: string;
  surge: string | null;
  floor: string | null;
}

export type Strategy = { rolling: Rolling } | { flip: object } | { canary: object };

/** One way to deploy. */
export interface Way {
  name: string;
  strategy: Strategy;
  figures: Figures;
  steps: Step[];
  unbeaten: boolean;
}

export interface Forecast extends Figures {
  from: string | null;
  to: string;
  steps: Step[];
  wanted: number;
  basis: {
    prepare: Estimate;
    ready: Estimate;
    drain: Estimate;
    stop: Estimate;
    judged: { foreseen: Span; took: Span }[];
  };
  ways?: Way[];
  contract?: Comparison;
  asked?: string;
}

export interface StrategyChoice {
  strategy?: StrategyName;
  batch?: string;
  surge?: string;
  floor?: string;
  warm?: Span;
}

export interface ConfigInForce {
  shown: string;
  path: string;
  changed: boolean;
}

/** A line of the audit. */
export interface Audited {
  at: Time;
  who: string;
  role?: string;
  from?: string;
  method: string;
  path: string;
  status: number;
}
