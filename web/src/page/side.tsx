// One side of a deployment: a version with what it does at this moment.

import type { Status } from "../api/message";
import type { Service } from "../live/service";
import { Panel } from "../view/parts";
import { count, length, plural, rate, share } from "../view/units";
import { condition, Version } from "../view/version";

interface Props {
  title: string;
  version: string | null;
  service: Service;
  status: Status;
}

export function Side({ title, version, service, status }: Props) {
  if (version === null) {
    return (
      <Panel title={title}>
        <p class="empty">there was none before</p>
      </Panel>
    );
  }
  const last = service.samples.last();
  const figures = last?.versions[version];
  const instances = status.instances.filter((one) => one.version === version);
  const serving = instances.filter((one) => condition(one) === "serving").length;
  const held = status.sessions?.[version];
  const rows: [string, string][] = [
    ["instances", `${serving} of ${instances.length} serve`],
    ["requests / s", figures && last ? `${rate(figures.rate)} (${share(figures.rate, last.all.rate)})` : "–"],
    ["5xx", figures ? share(figures.errors, figures.rate) : "–"],
    ["median", figures ? length(figures.p50) : "–"],
    ["p99", figures ? length(figures.p99) : "–"],
    ["in flight", figures ? count(figures.inFlight) : "–"],
    ...(held && held.clients > 0 ? ([["held clients", plural(held.clients, "client")]] as [string, string][]) : []),
  ];
  return (
    <Panel title={title} aside={<Version name={version} looks={service.looks} />}>
      <dl class="table">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
