// What came by itself: what waits and for what, what has become of the rest, and what somebody can do about it.

import { get, post, serviceAt } from "../api/client";
import type { Me, QueueEntry, QueueStatus, Status } from "../api/message";
import type { Service } from "../live/service";
import { Act } from "./act";
import { may } from "./deeds";
import { useAnswer } from "./live";
import { Notice, Panel, Table, Tag } from "./parts";
import { clean } from "./text";
import { moment } from "./units";

/** So many of the last ones are shown. */
const LATELY = 8;

/** Nothing where nothing ever came by itself. */
export function Queue({ service, status, me }: { service: Service; status: Status; me: Me }) {
  const at = serviceAt(status.service);
  const { value, again } = useAnswer(() => get<QueueStatus>(`${at}/queue`), [at, service.queued]);
  if (!value || (value.entries.length === 0 && value.declined.length === 0 && !value.paused)) return null;
  const { paused, entries, declined } = value;
  // What was not taken is old news when something was.
  const news = declined.filter((one) => one.at > (entries[0]?.arrived_at ?? 0));
  const does = (path: string) => () => post(`${at}/${path}`).then(again);
  return (
    <Panel
      title="Comes by itself"
      aside={
        may(me, "deployer") &&
        (paused ? (
          <Act
            name="Resume"
            tone="strong"
            title="Begin by itself again?"
            says={<p>What waits is deployed when nothing is in its way.</p>}
            does={does("source/resume")}
            done="what waits is begun by itself again"
          />
        ) : (
          <Act
            name="Pause"
            title="Begin nothing by itself?"
            says={<p>What comes waits until you resume it, or until somebody deploys.</p>}
            does={does("source/pause")}
            done="nothing is begun by itself from now on"
          />
        ))
      }
    >
      {paused && (
        <Notice tone="care">
          nothing is begun by itself since {moment(paused.since)}, because {clean(paused.why)}
        </Notice>
      )}
      {news.slice(0, 1).map((one) => (
        <Notice key={one.name} tone="bad">
          {clean(one.name)} is not taken: {clean(one.why)}
        </Notice>
      ))}
      {entries.length > 0 && (
        <Table
          label="what came by itself, the newest first"
          heads={["version", "came", "stands", "waits", "what to do"]}
        >
          {entries.slice(0, LATELY).map((entry) => (
            <tr key={entry.digest}>
              <th scope="row" class="mono" title={entry.version}>
                {clean(entry.version, 24)} {entry.hotfix && <Tag tone="care">hotfix</Tag>}
              </th>
              <td>{moment(entry.arrived_at)}</td>
              <td>{standing(entry)}</td>
              <td>{entry.waits?.map((wait) => clean(wait.sentence)).join("; ")}</td>
              <td>
                {may(me, "deployer") && needsApproval(entry) && (
                  <Act
                    name="Approve"
                    tone="strong"
                    title={`Approve ${clean(entry.version)}?`}
                    says={<p>It is deployed as soon as nothing else is in its way.</p>}
                    does={does(`queue/${entry.digest}/approve`)}
                    done={`${clean(entry.version)} is approved`}
                  />
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

function needsApproval(entry: QueueEntry): boolean {
  const conditions = (entry.waits ?? []).map(({ wait }) => wait.condition as { condition?: string } | undefined);
  return conditions.some((condition) => condition?.condition === "approval");
}

function standing({ standing }: QueueEntry) {
  switch (standing.standing) {
    case "waiting":
      return <Tag tone="care">waits</Tag>;
    case "superseded":
      return <Tag tone="plain">superseded by {clean(standing.by, 24)}</Tag>;
    case "refused":
      return <Tag tone="bad">refused: {clean(standing.why)}</Tag>;
    case "deploying":
      return <Tag tone="care">being deployed by d{standing.deployment}</Tag>;
    case "settled":
      return <Tag tone="good">deployed by d{standing.deployment}</Tag>;
    case "went_back":
      return <Tag tone="bad">went back in d{standing.deployment}</Tag>;
  }
}
