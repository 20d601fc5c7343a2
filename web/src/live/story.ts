// The journal told to people: a line for each event that they care about, in the words of `tandem deploy`.
//
// Remembers the last route table, because what people want to know is what a new one changed. Pure but for that.

import type {
  Comparison,
  Diagnosis,
  Exit,
  Health,
  Job,
  JournalEvent,
  Member,
  Role,
  Stage,
  Standing,
  Status,
  Table,
} from "../api/message";
import { count, length, millis, plural } from "../view/units";

export type Tone = "plain" | "good" | "care" | "bad";

export interface Line {
  seq: number;
  at: number;
  tone: Tone;
  text: string;
}

/** The first few are named. */
const NAMED = 6;

export class Story {
  private roles = new Map<number, Role>();
  private ordered: Table | null = null;
  private capacity: number | null = null;
  private coming: string | null = null;

  /** What an event means, if people care about it. */
  tell({ seq, recorded }: JournalEvent): Line | null {
    const told = this.words(recorded);
    return told && { seq, at: recorded.at, tone: told[0], text: told[1] };
  }

  private words(e: JournalEvent["recorded"]): [Tone, string] | null {
    switch (e.event) {
      case "requested":
        this.capacity = null;
        this.coming = e.version;
        return [
          "plain",
          `d${e.deployment} to ${e.version} by ${Object.keys(e.strategy)[0]} begins${e.queued ? " by itself" : ""}`,
        ];
      case "capacity_fell": {
        // The first of these tells where capacity began.
        const before = this.capacity;
        this.capacity = e.serving;
        return before === null ? null : ["care", `capacity fell from ${before} to ${e.serving}`];
      }
      case "begun":
        if (e.action.do === "route") this.ordered = e.action.table;
        return null;
      case "done":
        return this.done(e.outcome);
      default:
        return told(e);
    }
  }

  /** Takes over how things stand, so that the next table can be compared with it. */
  stands(status: Status): void {
    if (this.roles.size > 0) return;
    const roles: Partial<Record<Stage, Role>> = { serving: "serve", standby: "standby", draining: "drain" };
    for (const { instance, stage } of status.instances) {
      const role = roles[stage];
      if (role) this.roles.set(instance, role);
    }
  }

  private done(outcome: { done: string; [field: string]: unknown }): [Tone, string] | null {
    if (outcome.done === "started") return ["plain", `i${outcome.instance} started at ${outcome.address}`];
    if (outcome.done === "stopping") return ["plain", `i${outcome.instance} was asked to stop`];
    if (outcome.done === "working") return ["plain", job(outcome.job as Job)];
    if (outcome.done !== "routed" || !this.ordered) return null;
    const text = this.routed(members(this.ordered));
    this.ordered = null;
    return text === "" ? null : ["plain", text];
  }

  /** What the table that is now in force changed. */
  private routed(now: Member[]): string {
    const before = this.roles;
    if (before.size === 0 && this.coming !== null) {
      // The first table of a deployment: what is not of the version that comes was there before.
      for (const one of now) if (one.version !== this.coming) before.set(one.instance, one.role);
    }
    this.roles = new Map(now.map((member) => [member.instance, member.role]));
    const named = (members: Member[]) => someOf(members.map((one) => `i${one.instance} (${one.version})`));
    const changed = (role: Role) => now.filter((one) => one.role === role && before.get(one.instance) !== role);
    const warm = changed("standby").filter((one) => before.get(one.instance) === "serve");
    const parts: [string, Member[]][] = [
      ["requests go to", changed("serve")],
      ["draining", changed("drain")],
      ["kept warm", warm],
    ];
    return parts
      .filter(([, members]) => members.length > 0)
      .map(([what, members]) => `${what} ${named(members)}`)
      .join("; ");
  }
}

export function members(table: Table): Member[] {
  return table.routes.flatMap((route) => route.members);
}

function told(e: JournalEvent["recorded"]): [Tone, string] | null {
  switch (e.event) {
    case "scaled":
      return ["plain", `${plural(e.instances, "instance is", "instances are")} wanted from now on`];
    case "gated":
      return gated(e.gate);
    case "foreseen":
      return ["plain", `it is foreseen to take about ${length(millis(e.figures.took))}`];
    case "arrived": {
      const hotfix = e.hotfix ? ", a hotfix," : "";
      return ["plain", `${e.version}${hotfix} came by itself (digest ${e.digest.slice(0, 12)})`];
    }
    case "declined":
      return ["bad", `${e.name} is not taken: ${e.why}`];
    case "superseded":
      return ["care", `what waits with the digest ${e.digest.slice(0, 12)} is superseded by ${e.by}`];
    case "refused":
      return ["bad", `what waits with the digest ${e.digest.slice(0, 12)} is refused: ${e.why}`];
    case "checked":
      return ["good", `${e.digest.slice(0, 12)} has passed its check`];
    case "approved":
      return ["good", `${e.digest.slice(0, 12)} is approved`];
    case "source_paused":
      return ["care", `nothing is begun by itself from now on, because ${e.why}`];
    case "source_resumed":
      return ["plain", "what waits is begun by itself again"];
    case "paused":
      return ["care", `d${e.deployment} is paused`];
    case "resumed":
      return ["plain", `d${e.deployment} goes on`];
    case "entered":
      return ["plain", e.phase];
    case "turned_back":
      return ["bad", `d${e.deployment} goes back: ${reason(e.reason)}`];
    case "prepared":
      return ["plain", `${e.version} is ready to run (digest ${String(e.digest).slice(0, 12)})`];
    case "promised":
      return [
        "plain",
        `${e.version} tells its contract: ${count(Object.keys(e.contract.operations ?? {}).length)} operations`,
      ];
    case "compared":
      return compared(e.comparison);
    case "stands":
      return ["plain", stands(e as unknown as Standing)];
    case "expanded":
      return ["good", `the schema is expanded to ${e.to}, ${count(e.rows)} rows filled`];
    case "previewed":
      return ["care", `i${e.instance} was given requests by a link: the new schema is in use`];
    case "strayed":
      return ["care", stray(e.stray)];
    case "agreed":
      return ["good", `the hook "${e.moment}" agrees after ${length(e.took)}`];
    case "promoted":
      return ["plain", `d${e.deployment} is promoted ${e.whole ? "past all its steps" : "and goes on"}`];
    case "reached":
      return ["good", `the clients of step ${e.step + 1} are at the new version`];
    case "stepped":
      return ["good", `step ${e.step} ${PASSED[e.passed] ?? "is passed"}`];
    case "ready":
      return ["good", `i${e.instance} is ready`];
    case "ended":
      return ended(e.instance, e.exit, e.crashes);
    case "failed":
      return ["bad", `could not ${action(e.action)}: ${e.error}`];
    default:
      return null;
  }
}

/** Why a canary goes on. */
const PASSED: Record<string, string> = {
  good: "is good",
  unclear: "may be good or not, which was to be enough",
  asked: "is passed because somebody said so",
};

function gated(gate: { gate: string; longest?: string }): [Tone, string] {
  if (gate.gate === "open") return ["plain", "new requests go on"];
  if (gate.gate === "held") return ["care", `new requests wait for ${gate.longest} at most`];
  return ["care", "maintenance: clients are told to come back"];
}

function ended(instance: number, how: Exit, crashes: number): [Tone, string] {
  if (crashes > 0) return ["bad", `i${instance} ${exit(how)}, unasked (crash ${crashes} in a row)`];
  const asAsked = typeof how === "object" && (("code" in how && how.code === 0) || "signal" in how);
  return ["plain", asAsked ? `i${instance} has ended` : `i${instance} ${exit(how)}`];
}

function compared(comparison: Comparison): [Tone, string] | null {
  const broken = comparison.broken.length;
  return broken === 0 ? null : ["care", `${plural(broken, "operation")} of the contract would not be kept`];
}

/** How an instance ended. */
export function exit(exit: Exit): string {
  if (exit === "unknown") return "ended without a witness";
  if (exit === "out_of_memory") return "took more memory than it may have and was killed";
  if ("code" in exit) return `exited with code ${exit.code}`;
  if ("signal" in exit) return `was killed by signal ${exit.signal}`;
  return `could not be executed: ${exit.not_executed}`;
}

/** Why a deployment goes back. */
export function reason(reason: { reason: string; [field: string]: unknown }): string {
  const { instance, error } = reason;
  switch (reason.reason) {
    case "asked":
      return "somebody asked for it";
    case "not_prepared":
      return `the deliverable can't be used: ${error}`;
    case "breaks_contract":
      return "it would break clients";
    case "no_contract":
      return `the contract of i${instance} can't be used: ${error}`;
    case "objected":
      return `the hook "${reason.moment}" ${error}`;
    case "unwell":
      return `failures in a row of the hook "watch" ${reason.failures} >= ${reason.limit}: it ${error}`;
    case "not_expanded":
      return `the schema can't be expanded: ${error}`;
    case "not_ready":
      return `i${instance} was not ready within ${reason.within}: ${lastAnswer(reason.health as Health)}`;
    case "ended_early":
      return `i${instance} ${exit(reason.exit as Exit)} before it was ready`;
    case "crashed":
      return `crashes ${reason.crashes} > ${reason.limit}: i${instance} was the last`;
    case "unhealthy":
      return `healthy new instances ${reason.healthy}/${reason.of} < half`;
    case "worse":
      return `${found(reason)} beyond the limit`;
    case "unclear":
      return `it was not clear in time whether it is good: ${found(reason)}`;
    case "strayed":
      return stray(reason as never);
    default:
      return reason.reason.replaceAll("_", " ");
  }
}

/** What was compared of a new version, in short: the receipt has it in full. */
function found(finding: { [field: string]: unknown }): string {
  const { compared, ...values } = finding.what as { compared: string; [field: string]: unknown };
  if (compared === "errors") return `errors ${values.failed}/${finding.of}`;
  if (compared === "latency") return `p${values.quantile} of ${finding.of} answers`;
  return `${finding.of} of ${values.needed} answers`;
}

function stray(stray: { instance: number; version: string; revision: string }): string {
  return `i${stray.instance} of ${stray.version} uses the database, and none of its sessions is of ${stray.revision}`;
}

/** What the last health check met. */
export function lastAnswer(health: Health): string {
  if (health.state === "unknown") return "it was never checked";
  return health.state === "up" ? "it is healthy" : (health.last ?? "no answer");
}

/** What a job does to the schema. */
export function job(job: Job): string {
  if (job.job === "undo") return `undo the schema's change to ${job.to}`;
  return `${job.job} the schema to ${job.to}`;
}

function action(action: { do: string; [field: string]: unknown }): string {
  if (action.do === "route") return "route by a new table";
  if (action.do === "schema") return job(action.job as Job);
  return action.do === "prepare" ? `prepare ${action.version}` : `${action.do} i${action.instance}`;
}

/** Which revisions the schema serves. */
export function stands({ revision, change }: Standing): string {
  const named = (name: string | null) => name ?? "the empty schema";
  if (!change) return `the schema is at ${named(revision)}`;
  const { to, phase } = change;
  const from = named(change.from);
  if (phase === "expanding") return `the schema is being expanded from ${from} to ${to}`;
  if (phase === "mixed") return `the schema serves both ${from} and ${to}`;
  return phase === "contracting"
    ? `the schema is being contracted to ${to}`
    : `the schema goes back from ${to} to ${from}`;
}

/** Everything that was found about an instance that failed, but what it wrote. */
export function diagnosis(found: Diagnosis): string[] {
  const { findings, health } = found;
  const lines = [`likely cause: ${found.cause}`];
  if (findings.exit) lines.push(`i${found.instance} ${exit(findings.exit)}`);
  if (health.last) lines.push(`last health answer: ${health.last}`);
  if (findings.listens.length > 0) lines.push(`it listens on ${findings.listens.join(", ")}`);
  if (findings.stranger) lines.push(`on its port listens ${findings.stranger}`);
  return lines;
}

function someOf(all: string[]): string {
  const first = all.slice(0, NAMED).join(", ");
  return all.length > NAMED ? `${first} and ${all.length - NAMED} more` : first;
}
