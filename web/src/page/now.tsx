// *Now*: each service at a glance: who serves, how much, how well, and what is going on.

import { useState } from "preact/hooks";
import type { Me, Status } from "../api/message";
import { Errors, Latency, Ribbon } from "../figure/traffic";
import type { Service } from "../live/service";
import { address } from "../route";
import { Hold, Maintenance, Scale } from "../view/deeds";
import { useSeconds, useService } from "../view/live";
import { Log } from "../view/log";
import { Figure, Level, Notices, Panel, Tag, Waits } from "../view/parts";
import { Queue } from "../view/queue";
import { clean } from "../view/text";
import { clock, count, length, rate, share } from "../view/units";
import { Signs, Squares, Version } from "../view/version";
import { Overview } from "./overview";

const LATELY = 7;

/** So many services are shown in full: each has a stream, and a browser has six connections to one host. */
const IN_FULL = 3;

export function Now({ services, name, me }: { services: readonly string[]; name: string; me: Me }) {
  const full = services.length > IN_FULL ? [name] : services;
  return (
    <div class="page now">
      <h1 class="hidden">Now</h1>
      {services.length > IN_FULL && <Overview services={services} />}
      {full.map((name) => (
        <Level.Provider key={name} value="h3">
          <Card name={name} me={me} />
        </Level.Provider>
      ))}
    </div>
  );
}

function Card({ name, me }: { name: string; me: Me }) {
  const service = useService(name);
  const { status } = service;
  useSeconds((status?.waits.length ?? 0) > 0);
  if (!status) return <p class="empty">{service.connection.state === "waiting" ? "no answer yet" : "one moment …"}</p>;
  return (
    <article class="service" aria-labelledby={`service-${name}`}>
      <header class="top">
        <h2 id={`service-${name}`}>{name}</h2>
        <Serves status={status} service={service} />
        <div class="acts">
          <Scale me={me} status={status} />
          <Hold me={me} status={status} />
          <Maintenance me={me} status={status} />
        </div>
      </header>
      <Notices status={status} />
      <UnderWay status={status} service={service} />
      <Numbers service={service} status={status} />
      <Panel title="Requests a second, by version" aside={<Legend service={service} />}>
        <Ribbon service={service} />
      </Panel>
      <div class="pair">
        <Panel title="Answers take" aside={<Keys keys={["median", "p99"]} />}>
          <Latency service={service} />
        </Panel>
        <Panel title="Errors a second" aside={<Keys keys={["5xx", "failed by us"]} bad />}>
          <Errors service={service} />
        </Panel>
      </div>
      <Instances service={service} status={status} me={me} />
      <Queue service={service} status={status} me={me} />
      <Lately service={service} />
    </article>
  );
}

function Serves({ status, service }: { status: Status; service: Service }) {
  if (!status.current) return <Tag tone="care">nothing is deployed yet</Tag>;
  const { healthy, wanted } = status;
  const tone = healthy === null ? "care" : healthy >= wanted ? "good" : healthy === 0 ? "bad" : "care";
  return (
    <p class="serves">
      <Version name={status.current} looks={service.looks} />
      <Tag tone={tone}>{healthy === null ? "the proxy does not answer" : `${healthy}/${wanted} healthy`}</Tag>
      <span class="quiet">{status.listen.join(", ")}</span>
    </p>
  );
}

/** What is being deployed, in one line that leads on. */
function UnderWay({ status, service }: { status: Status; service: Service }) {
  const deployment = status.deployment;
  const now = service.now();
  if (!deployment && status.waits.length === 0) return null;
  return (
    <section class={deployment?.turned_back ? "underway back" : "underway"} aria-label="what is going on">
      {deployment && (
        <a class="lead" href={address({ page: "deployment", service: status.service, deployment: deployment.id })}>
          <strong>d{deployment.id}</strong>
          {deployment.from && <Version name={deployment.from} looks={service.looks} />}
          <span aria-hidden="true">→</span>
          <Version name={deployment.version} looks={service.looks} />
          <Tag tone={deployment.turned_back ? "bad" : deployment.paused ? "care" : "plain"}>
            {deployment.turned_back ? "goes back" : deployment.paused ? "paused" : deployment.phase}
          </Tag>
          <span class="quiet">
            {deployment.strategy} · {deployment.ready ?? "?"}/{deployment.wanted} ready · for{" "}
            {length(now - deployment.requested_at)}
          </span>
        </a>
      )}
      <Waits waits={status.waits} at={status.at} now={now} />
    </section>
  );
}

function Numbers({ service, status }: { service: Service; status: Status }) {
  const last = service.samples.last();
  const unknown = "–";
  const failing = last && (last.all.errors > 0 || last.failed > 0);
  const clients = Object.values(status.sessions ?? {}).reduce((all, one) => all + one.clients, 0);
  return (
    <dl class="figures">
      <Figure name="requests / s" value={last ? rate(last.all.rate) : unknown} />
      <Figure
        name="5xx"
        value={last ? share(last.all.errors, last.all.rate) : unknown}
        tone={last ? (failing ? "bad" : "good") : "plain"}
      />
      <Figure name="median" value={last ? length(last.all.p50) : unknown} />
      <Figure name="p99" value={last ? length(last.all.p99) : unknown} />
      <Figure name="in flight" value={last ? count(last.all.inFlight) : unknown} />
      <Figure name="connections" value={last ? count(last.connections) : unknown} />
      {clients > 0 && <Figure name="held clients" value={count(clients)} />}
    </dl>
  );
}

function Legend({ service }: { service: Service }) {
  const last = service.samples.last();
  const now = Object.entries(last?.versions ?? {}).filter(([, figures]) => figures.rate > 0);
  return (
    <span class="legend">
      {service.silent ? (
        <span class="quiet">{clean(service.silent)}</span>
      ) : (
        now.map(([name, figures]) => (
          <span key={name}>
            <Version name={name} looks={service.looks} /> {share(figures.rate, last?.all.rate ?? 0)}
          </span>
        ))
      )}
    </span>
  );
}

export function Keys({ keys, bad = false }: { keys: [string, string]; bad?: boolean }) {
  return (
    <span class="legend">
      <span>
        <span class={bad ? "key line bad" : "key line"} aria-hidden="true" /> {keys[0]}
      </span>
      <span>
        <span class={bad ? "key line dashed" : "key line dashed accent"} aria-hidden="true" /> {keys[1]}
      </span>
    </span>
  );
}

export function Instances({ service, status, me }: { service: Service; status: Status; me: Me }) {
  const [picked, pick] = useState<number | null>(null);
  const instance = status.instances.find((one) => one.instance === picked);
  const versions = [...new Set(status.instances.map((one) => one.version))];
  return (
    <Panel title="Instances" aside={<Signs instances={status.instances} />}>
      {status.instances.length === 0 && <p class="empty">none runs</p>}
      {versions.map((version) => {
        const instances = status.instances.filter((one) => one.version === version);
        return (
          <div class="pool" key={version}>
            <Version name={version} looks={service.looks} />
            <Squares
              instances={instances}
              looks={service.looks}
              picked={picked}
              pick={pick}
              label={`instances of ${version}`}
            />
          </div>
        );
      })}
      {instance && <Log service={service} instance={instance} me={me} />}
    </Panel>
  );
}

function Lately({ service }: { service: Service }) {
  const lines = service.lines.all().slice(-LATELY).reverse();
  if (lines.length === 0) return null;
  return (
    <Panel title="Lately">
      <ol class="story">
        {lines.map((line) => (
          <li key={line.seq} class={line.tone}>
            <time>{clock(line.at)}</time> <span>{clean(line.text)}</span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
