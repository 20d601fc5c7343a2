// All services in a table, where they are too many to be shown in full: asked one after the other, again and again.

import { useEffect, useState } from "preact/hooks";
import { get, serviceAt } from "../api/client";
import type { Status } from "../api/message";
import { address } from "../route";
import { Panel, Table, Tag } from "../view/parts";
import { clean } from "../view/text";

/** From one round to the next. */
const EVERY = 3000;

/** What each service says of itself; null: it does not answer. */
function useStatuses(services: readonly string[]): Record<string, Status | null> {
  const [statuses, set] = useState<Record<string, Status | null>>({});
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const round = async () => {
      for (const name of document.hidden ? [] : services) {
        const status = await get<Status>(`${serviceAt(name)}/status`).catch(() => null);
        if (over) return;
        set((before) => ({ ...before, [name]: status }));
      }
      if (!over) timer = setTimeout(round, EVERY);
    };
    round();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [services]);
  return statuses;
}

export function Overview({ services }: { services: readonly string[] }) {
  const statuses = useStatuses(services);
  return (
    <Panel title="Services">
      <Table label="services, one a line" heads={["service", "serves", "instances", "under way"]}>
        {services.map((name) => (
          <Line key={name} name={name} status={statuses[name]} />
        ))}
      </Table>
    </Panel>
  );
}

function Line({ name, status }: { name: string; status: Status | null | undefined }) {
  const deployment = status?.deployment;
  return (
    <tr>
      <th scope="row">
        <a href={address({ page: "now", service: name, deployment: null })}>{name}</a>
      </th>
      <td class="mono">{status?.current ? clean(status.current, 24) : "–"}</td>
      <td>{status === undefined ? "…" : <Healthy status={status} />}</td>
      <td>{deployment ? `d${deployment.id} to ${clean(deployment.version, 24)}, ${deployment.phase}` : ""}</td>
    </tr>
  );
}

function Healthy({ status }: { status: Status | null }) {
  if (status === null) return <Tag tone="bad">does not answer</Tag>;
  const { healthy, wanted } = status;
  if (healthy === null) return <Tag tone="care">the proxy does not answer</Tag>;
  return <Tag tone={healthy >= wanted ? "good" : "care"}>{`${healthy}/${wanted} healthy`}</Tag>;
}
