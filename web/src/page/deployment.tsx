// *Deployment*: one deployment from its request to its receipt: where it stands, what it waits for, old and new side by
// side, and every step. The one under way, or any of the history.

import { useEffect, useMemo, useReducer } from "preact/hooks";
import { get, serviceAt } from "../api/client";
import type { DeploymentRecord, JournalEvent, Me, Phase, Status } from "../api/message";
import { Stream } from "../api/stream";
import { Rail, type Stop } from "../figure/rail";
import { Sides } from "../figure/sides";
import { Ribbon } from "../figure/traffic";
import { Course } from "../live/course";
import type { Service } from "../live/service";
import { address } from "../route";
import { Contract } from "../view/contract";
import { Rollback, Steering } from "../view/deeds";
import { useAnswer, useSeconds, useService } from "../view/live";
import { Notice, Notices, Panel, Tag, Waits } from "../view/parts";
import { Findings, Outcome, Slip } from "../view/receipt";
import { clean } from "../view/text";
import { clock, length, moment } from "../view/units";
import { Version } from "../view/version";
import { Instances } from "./now";
import { Side } from "./side";

export function DeploymentPage({ name, id, me }: { name: string; id: number | null; me: Me }) {
  const service = useService(name);
  const { status } = service;
  const history = useAnswer(
    () => get<DeploymentRecord[]>(`${serviceAt(name)}/deployments`),
    [name, status?.deployment?.id, status?.deployment?.phase],
  );
  const shown = id ?? status?.deployment?.id ?? history.value?.[0]?.id ?? null;
  if (!status || (!history.value && !history.problem)) return <p class="empty">one moment …</p>;
  if (shown === null) {
    return (
      <p class="empty">
        Nothing was deployed yet. <code>tandem deploy PATH</code>, or the page{" "}
        <a href={address({ page: "plan", service: name, deployment: null })}>Plan</a>.
      </p>
    );
  }
  const record = history.value?.find((one) => one.id === shown) ?? null;
  return <One key={shown} service={service} status={status} id={shown} record={record} me={me} />;
}

/** The course of a deployment, as it comes in. */
function useCourse(name: string, id: number): Course {
  const course = useMemo(() => new Course(), [name, id]);
  const [, draw] = useReducer((turn: number) => turn + 1, 0);
  useEffect(() => {
    let drawing = 0;
    const path = `${serviceAt(name)}/deployments/${id}/events`;
    const stream = new Stream(
      path,
      {
        message: ({ event, data }) => {
          if (event !== "journal") return;
          course.take(JSON.parse(data) as JournalEvent);
          cancelAnimationFrame(drawing);
          drawing = requestAnimationFrame(() => draw(undefined as never));
        },
        connection: () => {},
      },
      () => course.finishedAt !== null,
    );
    const seen = () => (document.hidden ? stream.stop() : stream.start());
    document.addEventListener("visibilitychange", seen);
    seen();
    return () => {
      document.removeEventListener("visibilitychange", seen);
      cancelAnimationFrame(drawing);
      stream.stop();
    };
  }, [course]);
  return course;
}

interface Props {
  service: Service;
  status: Status;
  id: number;
  record: DeploymentRecord | null;
  me: Me;
}

function One({ service, status, id, record, me }: Props) {
  const course = useCourse(service.name, id);
  const live = status.deployment?.id === id ? status.deployment : null;
  useSeconds(live !== null);
  const now = service.now();
  const version = record?.version ?? live?.version ?? course.version;
  const old = live?.from ?? course.receipt?.from ?? record?.receipt?.from ?? null;
  const receipt = record?.receipt ?? course.receipt;
  const over = live === null && receipt !== null;
  const strategy = live?.strategy ?? record?.strategy ?? course.strategy;
  return (
    <div class="page deployment">
      <header class="top">
        <h1>d{id}</h1>
        <p class="serves">
          {old && <Version name={old} looks={service.looks} />}
          <span aria-hidden="true">→</span>
          {version && <Version name={version} looks={service.looks} />}
          {receipt && over ? <Outcome receipt={receipt} /> : live && <Stands live={live} />}
          <span class="quiet">
            {strategy}
            {record?.kind === "rollback" ? ", a rollback" : ""}
            {record ? `, asked for ${moment(record.requested_at)}` : ""}
          </span>
        </p>
        {live && <Steering me={me} status={status} deployment={live} />}
        {over && receipt?.verdict === "settled" && status.current === receipt.to && (
          <div class="acts">
            <Rollback me={me} status={status} />
          </div>
        )}
      </header>
      {live && <Notices status={status} />}
      {live?.turned_back && <Notice tone="bad">goes back: {clean(live.turned_back)}</Notice>}
      <Rail stops={stops(course, live?.phase ?? null, now)} label="phases" />
      {live && <Waits waits={status.waits} at={status.at} now={now} />}
      <Queue status={status} />
      {live && <Judged live={live} />}
      {live?.comparison && <Contract comparison={live.comparison} />}
      {receipt && over && <Slip receipt={receipt} />}
      {record?.diagnosis && <Findings found={record.diagnosis} />}
      <Panel title="Instances with requests, new above old">
        <Sides course={course} old={old} looks={service.looks} wanted={live?.wanted ?? status.wanted} now={now} />
      </Panel>
      {live && (
        <>
          <div class="pair">
            <Side title="Old" version={old} service={service} status={status} />
            <Side title="New" version={version} service={service} status={status} />
          </div>
          <Panel title="Requests a second, by version">
            <Ribbon service={service} />
          </Panel>
          <Instances service={service} status={status} me={me} />
        </>
      )}
      <Steps course={course} />
    </div>
  );
}

function Stands({ live }: { live: NonNullable<Status["deployment"]> }) {
  if (live.turned_back) return <Tag tone="bad">goes back, {live.phase}</Tag>;
  return live.paused ? <Tag tone="care">paused while {live.phase}</Tag> : <Tag tone="plain">{live.phase}</Tag>;
}

/** The steps of a canary, and what was found of the new version so far. */
function Judged({ live }: { live: NonNullable<Status["deployment"]> }) {
  const { canary, findings = [] } = live;
  if (!canary && findings.length === 0) return null;
  return (
    <Panel title={canary ? "Canary" : "What was found of the new version"}>
      {canary && (
        <ol class="plain" aria-label="steps">
          {canary.steps.map((step, at) => (
            <li key={step} aria-current={at + 1 === canary.step ? "step" : undefined}>
              <span aria-hidden="true">{at + 1 < canary.step ? "✔" : at + 1 === canary.step ? "▸" : "·"}</span> {step}
              {at + 1 === canary.step && canary.reached_at === null && (
                <span class="quiet">, its clients are to come</span>
              )}
            </li>
          ))}
        </ol>
      )}
      <ul class="plain">
        {findings.map(({ sentence }) => (
          <li key={sentence}>{clean(sentence)}</li>
        ))}
      </ul>
    </Panel>
  );
}

const PHASES: Phase[] = ["preparing", "expanding", "shifting", "baking", "retiring"];

/** The phases of a course. One that was passed over was not needed. */
function stops(course: Course, phase: Phase | null, now: number): Stop[] {
  const { finishedAt, receipt } = course;
  const over = finishedAt !== null;
  const reached = Math.max(-1, ...course.phases.map((one) => PHASES.indexOf(one.phase)));
  const all = PHASES.map((name, at): Stop => {
    const took = course.spent(name, now);
    if (took === null) return { name, took, state: at < reached || over ? "left out" : "to come" };
    return { name, took, state: !over && phase === name ? "on" : "passed" };
  });
  const good = receipt?.verdict === "settled" || (!over && !course.turnedBack);
  const name = good ? "settled" : (receipt?.verdict.replace("_", " ") ?? "turned back");
  const took = over ? finishedAt - course.requestedAt : null;
  return [...all, { name, took, state: !over ? "to come" : good ? "passed" : "bad" }];
}

function Queue({ status }: { status: Status }) {
  if (!status.queue || status.queue.length === 0) return null;
  return (
    <Panel title="Waits in the queue">
      <ul class="plain">
        {status.queue.map((one) => (
          <li key={one.version}>
            <code>{clean(one.version)}</code> <span class="quiet">{clean(one.why ?? "")}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Steps({ course }: { course: Course }) {
  return (
    <Panel title="Steps" aside={<span class="quiet">{course.lines.length}</span>}>
      <ol class="story tall" tabIndex={0} aria-live="polite" aria-label="steps">
        {course.lines.map((line) => (
          <li key={line.seq} class={line.tone}>
            <time title={clock(line.at)}>+{length(line.at - course.requestedAt)}</time> <span>{clean(line.text)}</span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
