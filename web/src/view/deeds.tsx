// What can be done to a service, each with a question that says what will happen. Who may do what is the server's to
// decide; what a role can't do is not offered.

import { useState } from "preact/hooks";
import { post, serviceAt } from "../api/client";
import type { Deployment, Me, Status } from "../api/message";
import { Act } from "./act";
import { clean } from "./text";
import { plural } from "./units";

const RANKS = { viewer: 0, deployer: 1, admin: 2 };

export function may(me: Me, role: Me["role"]): boolean {
  return RANKS[me.role] >= RANKS[role];
}

interface Props {
  me: Me;
  status: Status;
}

/** Pause, resume, abort and promote for the deployment under way. */
export function Steering({ me, status, deployment }: Props & { deployment: Deployment }) {
  if (!may(me, "deployer")) return null;
  const { id, paused } = deployment;
  const [version, from] = [clean(deployment.version), deployment.from === null ? null : clean(deployment.from)];
  const at = `${serviceAt(status.service)}/deployments/${id}`;
  const goesBack = deployment.turned_back !== null;
  // A canary at one of its steps, or an old pool that is kept warm.
  const canary =
    deployment.canary && deployment.canary.step <= deployment.canary.steps.length ? deployment.canary : null;
  const promotable =
    !goesBack && !paused && (deployment.phase === "baking" || (canary && deployment.phase === "shifting"));
  const alive = status.instances.filter((one) => one.version === deployment.version && one.stage !== "ended").length;
  return (
    <div class="acts">
      {promotable && (
        <Act
          name="Promote"
          tone="strong"
          title={`Let d${id} take its next step?`}
          says={
            deployment.phase === "baking" ? (
              <p>
                It is not watched any longer: what is left of the version before finishes what it has begun and is
                stopped.
              </p>
            ) : (
              <p>The step that it is at is taken to be passed, and {version} gets more of the clients.</p>
            )
          }
          does={() => post(`${at}/promote`, canary && deployment.phase === "shifting" ? { step: canary.step } : {})}
          done={`d${id} takes its next step`}
        />
      )}
      {paused ? (
        <Act
          name="Resume"
          tone="strong"
          title={`Let d${id} go on?`}
          says={<p>It goes on from where it stands: {deployment.phase}.</p>}
          does={() => post(`${at}/resume`)}
          done={`d${id} goes on`}
        />
      ) : (
        <Act
          name="Pause"
          title={`Pause d${id}?`}
          says={
            <p>
              Nothing new is begun until you resume it. What is under way ends, and both versions go on serving as they
              do now: {plural(alive, "instance")} of {version}
              {from && ` beside ${from}`}.
            </p>
          }
          does={() => post(`${at}/pause`)}
          done={`d${id} is paused`}
        />
      )}
      <Act
        name="Abort"
        tone="danger"
        title={from ? `Turn d${id} back to ${from}?` : `Abort d${id}?`}
        says={<Back from={from} version={version} alive={alive} />}
        yes={`Abort d${id}`}
        does={() => post(`${at}/abort`)}
        done={`d${id} goes back`}
        not={goesBack ? "it goes back already" : undefined}
      />
    </div>
  );
}

function Back({ from, version, alive }: { from: string | null; version: string; alive: number }) {
  if (!from) return <p>There is no version before: {version} is stopped, and nothing serves.</p>;
  return (
    <>
      <p>
        {from} gets all requests again. The {plural(alive, "instance")} of {version} finish what they have begun and are
        stopped.
      </p>
      <p class="quiet">No request fails because of it, and no write of either version is lost.</p>
    </>
  );
}

/** Back to the version from before, while no deployment is under way. */
export function Rollback({ me, status }: Props) {
  if (!may(me, "deployer") || !status.previous || !status.current) return null;
  const [previous, current] = [clean(status.previous), clean(status.current)];
  const change = status.database?.standing.change;
  return (
    <Act
      name={`Roll back to ${previous}`}
      tone="danger"
      title={`Roll back from ${current} to ${previous}?`}
      says={
        <>
          <p>
            A new deployment brings {previous} back by the configured strategy: its instances are started and get the
            requests, then those of {current} are stopped.
          </p>
          <p class="quiet">
            {change?.phase === "mixed"
              ? "Both schemas are served, so no write is lost."
              : "If the schema of that version is gone, this is refused and says so."}
          </p>
        </>
      }
      yes={`Roll back to ${previous}`}
      does={() => post(`${serviceAt(status.service)}/rollback`, { to: status.previous })}
      done={`going back to ${previous}`}
      not={status.deployment ? `d${status.deployment.id} is under way: abort it instead` : undefined}
    />
  );
}

/** Another number of instances. */
export function Scale({ me, status }: Props) {
  const [wanted, want] = useState(status.wanted);
  if (!may(me, "admin")) return null;
  return (
    <Act
      name="Scale"
      title={`How many instances of ${status.service}?`}
      says={
        <>
          <label class="field">
            Instances
            <input
              type="number"
              min={1}
              max={1000}
              value={wanted}
              onInput={(event) => want(Number(event.currentTarget.value))}
            />
          </label>
          <p class="quiet">
            {plural(status.wanted, "instance is", "instances are")} wanted now. More are started; those that are too
            many finish what they have begun and are stopped. It stays so until somebody changes it.
          </p>
        </>
      }
      yes={`Run ${wanted}`}
      does={() => post(`${serviceAt(status.service)}/scale`, { instances: wanted })}
      done={`${plural(wanted, "instance is", "instances are")} wanted`}
    />
  );
}

const LATER = "1m";

/** Maintenance on or off. */
export function Maintenance({ me, status }: Props) {
  const [message, say] = useState("We are back in a few minutes.");
  if (!may(me, "admin")) return null;
  const at = `${serviceAt(status.service)}/gate`;
  if (status.maintenance) {
    return (
      <Act
        name="End maintenance"
        tone="strong"
        title="Serve everybody again?"
        says={<p>New requests go on to the instances at once.</p>}
        does={() => post(at, { gate: "open" })}
        done="everybody is served again"
      />
    );
  }
  return (
    <Act
      name="Maintenance"
      tone="danger"
      title={`Tell clients of ${status.service} to come back later?`}
      says={
        <>
          <p>
            From now on every new request is answered with 503 and this message, until you end it. What has begun goes
            on, checks and deployments too.
          </p>
          <label class="field">
            Message
            <input type="text" maxLength={300} value={message} onInput={(event) => say(event.currentTarget.value)} />
          </label>
        </>
      }
      yes="Begin maintenance"
      does={() => post(at, { gate: "closed", message, retry_after: LATER })}
      done="maintenance has begun"
    />
  );
}

/** Requests wait for a moment. */
export function Hold({ me, status }: Props) {
  const [longest, hold] = useState("5s");
  if (!may(me, "deployer") || status.maintenance) return null;
  const at = `${serviceAt(status.service)}/hold`;
  if (status.waits.some((one) => one.wait.wait === "held")) {
    return (
      <Act
        name="End hold"
        tone="strong"
        title="Let the requests go on?"
        says={<p>Those that wait go on at once.</p>}
        does={() => post(at, {})}
        done="requests go on"
      />
    );
  }
  return (
    <Act
      name="Hold"
      title={`Have new requests of ${status.service} wait?`}
      says={
        <>
          <label class="field">
            For at most
            <select value={longest} onChange={(event) => hold(event.currentTarget.value)}>
              {["5s", "15s", "1m", "5m"].map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
          <p class="quiet">They wait, up to a number, and are served then. It ends by itself.</p>
        </>
      }
      yes={`Hold for ${longest}`}
      does={() => post(at, { longest })}
      done={`new requests wait for ${longest} at most`}
    />
  );
}
