// *Database*: which revisions of the schema are alive and who uses them, how far a change is, and what keeps the old
// shape from being removed.

import type { Instance, Database as Observed, Status } from "../api/message";
import { Rail, type Stop } from "../figure/rail";
import { obstacles } from "../live/obstacles";
import { progress } from "../live/progress";
import type { Service } from "../live/service";
import { stands } from "../live/story";
import { useSeconds, useService } from "../view/live";
import { Notice, Panel, Table, Tag } from "../view/parts";
import { clean } from "../view/text";
import { count, length, plural, share, span } from "../view/units";
import { Version } from "../view/version";

export function Database({ name }: { name: string }) {
  const service = useService(name);
  const { status } = service;
  useSeconds(status?.database?.standing.change != null);
  if (!status) return <p class="empty">one moment …</p>;
  const { database } = status;
  return (
    <div class="page database">
      <header class="top">
        <h1>Database</h1>
        {database && <p class="serves">{clean(stands(database.standing))}</p>}
      </header>
      {database ? <Known service={service} status={status} database={database} /> : <Unknown status={status} />}
    </div>
  );
}

function Unknown({ status }: { status: Status }) {
  const away = status.waits.some((one) => one.wait.wait === "database_away");
  return (
    <p class="empty">
      {away
        ? "The database does not answer at the moment; nothing is known of it."
        : "No database is named for this service, or nothing of it was seen yet. With [database] in tandem.toml, deployments bring their migrations."}
    </p>
  );
}

function Known({ service, status, database }: { service: Service; status: Status; database: Observed }) {
  const { standing } = database;
  const revisions = standing.change ? [standing.change.from, standing.change.to] : [standing.revision];
  return (
    <>
      {database.operator && <Notice tone="care">{clean(database.operator)} is at work on the schema</Notice>}
      {database.work.work === "failed" && (
        <Notice tone="bad">
          {clean(database.work.error)} ({plural(database.work.attempts, "try", "tries")}
          {database.work.again ? ", and again later" : ", and not again by itself"})
        </Notice>
      )}
      {standing.change || database.work.work === "running" ? (
        <Rail stops={phases(database)} label="phases of the change" />
      ) : (
        <p class="quiet">No change is under way: every version uses the plain tables.</p>
      )}
      <Job database={database} />
      <div class={revisions.length > 1 ? "pair" : ""}>
        {revisions.map((revision, at) => (
          <Revision
            key={revision ?? ""}
            title={revisions.length === 1 ? "Revision" : at === 0 ? "Revision that goes" : "Revision that comes"}
            revision={revision}
            clients={standing.change ? (at === 0 ? database.old_clients : database.new_clients) : null}
            service={service}
            status={status}
          />
        ))}
      </div>
      <Obstacles status={status} now={service.now()} />
      <Sessions database={database} />
    </>
  );
}

/** The phases of the change under way. None is under way: all are to come. */
function phases({ standing, work }: Observed): Stop[] {
  const running = work.work === "running" ? work.job.job : null;
  const phase = standing.change?.phase ?? null;
  const filling = work.work === "running" && progress(work.progress)?.fill != null;
  const order = ["expand", "backfill", "both served", "contract"];
  let on = -1;
  if (phase === "mixed") on = 2;
  if (phase === "contracting" || running === "contract") on = 3;
  if (running === "expand" || phase === "expanding") on = filling ? 1 : 0;
  if (phase === "undoing" || running === "undo") {
    return [{ name: "undo", took: null, state: "on" }];
  }
  return order.map((name, at) => ({
    name,
    took: null,
    state: on < 0 ? "to come" : at < on ? "passed" : at === on ? "on" : "to come",
  }));
}

function Job({ database }: { database: Observed }) {
  const { work } = database;
  if (work.work !== "running") return null;
  const seen = progress(work.progress);
  const title = `${work.job.job} to ${clean(work.job.to)}`;
  if (!seen) {
    return (
      <Panel title={title}>
        <p>{clean(work.progress) || "it begins"}</p>
      </Panel>
    );
  }
  const { fill } = seen;
  return (
    <Panel title={title} aside={<span class="quiet">{`step ${seen.step} of ${seen.steps}`}</span>}>
      <p>{clean(seen.what)}</p>
      {fill && (
        <>
          <progress max={Math.max(1, fill.total)} value={fill.done} aria-label="rows filled" />
          <p class="quiet numbers">
            {count(fill.done)} of {count(fill.total)} rows ({share(fill.done, fill.total)}), {count(fill.rate)} rows/s
            {fill.left !== null && `, ${length(fill.left)} left`}
          </p>
        </>
      )}
      {seen.waits && <Notice tone="care">waits: {clean(seen.waits)}</Notice>}
    </Panel>
  );
}

interface RevisionProps {
  title: string;
  revision: string | null;
  clients: number | null;
  service: Service;
  status: Status;
}

function Revision({ title, revision, clients, service, status }: RevisionProps) {
  const users = status.instances.filter((one) => (one.revision ?? null) === revision && one.stage !== "ended");
  const versions = [...new Set(users.map((one) => one.version))];
  return (
    <Panel title={title} class="revision">
      <p class="name">{revision === null ? "the empty schema" : clean(revision)}</p>
      <ul class="plain">
        {versions.map((version) => (
          <li key={version}>
            <Version name={version} looks={service.looks} />{" "}
            <span class="quiet">{alive(users.filter((one) => one.version === version))}</span>
          </li>
        ))}
        {versions.length === 0 && <li class="quiet">no instance uses it</li>}
        {clients !== null && <li class="quiet">{plural(clients, "database session")}</li>}
      </ul>
    </Panel>
  );
}

function alive(users: Instance[]): string {
  return plural(users.length, "instance");
}

function Obstacles({ status, now }: { status: Status; now: number }) {
  const conditions = obstacles(status, now);
  if (conditions.length === 0) return null;
  const open = conditions.filter((one) => !one.met).length;
  return (
    <Panel
      title="Before the old shape is removed"
      aside={open === 0 ? <Tag tone="good">all is met</Tag> : <Tag tone="care">{plural(open, "condition")} open</Tag>}
    >
      <ul class="conditions">
        {conditions.map((one) => (
          <li key={one.text} class={one.met ? "good" : "care"}>
            <span class="sign">{one.met ? "✔" : "○"}</span>
            <span>{clean(one.text)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const SHOWN = 200;

function Sessions({ database }: { database: Observed }) {
  const rows = Object.entries(database.sessions).flatMap(([instance, all]) => all.map((one) => ({ instance, ...one })));
  if (rows.length === 0 && database.strangers === 0) return null;
  return (
    <Panel title="Database sessions" aside={<span class="quiet">{count(rows.length)}</span>}>
      {database.strangers > 0 && (
        <Notice tone="care">
          {plural(database.strangers, "session is", "sessions are")} of neither revision and of no instance: look at
          pg_stat_activity
        </Notice>
      )}
      <Table label="sessions, one a line" heads={["instance", "revision", "pid", "role", "application", "open for"]}>
        {rows.slice(0, SHOWN).map((one) => (
          <tr key={one.pid}>
            <th scope="row">i{one.instance}</th>
            <td>{one.revision === null ? "neither" : clean(one.revision)}</td>
            <td>{one.pid}</td>
            <td>{clean(one.user)}</td>
            <td>{clean(one.application)}</td>
            <td>{span(one.age)}</td>
          </tr>
        ))}
      </Table>
      {rows.length > SHOWN && <p class="quiet">and {count(rows.length - SHOWN)} more</p>}
    </Panel>
  );
}
