// *Plan*: what a deployment would cost, before anyone commits to it: ways to deploy as a picture, time against instances,
// and the deployment itself by the one that was chosen.

import { useState } from "preact/hooks";
import { post, serviceAt } from "../api/client";
import type { Forecast, Status, Step } from "../api/message";
import { Tradeoff } from "../figure/tradeoff";
import { basis, type Course, choice, course } from "../live/tradeoff";
import { address } from "../route";
import { Act } from "../view/act";
import { Contract } from "../view/contract";
import { useService } from "../view/live";
import { Notice, Panel, Tag } from "../view/parts";
import { clean } from "../view/text";
import { length, millis, span } from "../view/units";
import { useForecast, type Wanted } from "./forecasts";

export function Plan({ name }: { name: string }) {
  const { status } = useService(name);
  const [asked, ask] = useState<Wanted>({ source: "", version: "" });
  const wanted = status?.wanted ?? 0;
  const busy = status?.deployment ?? null;
  const { forecast, problem } = useForecast(name, wanted, asked, busy?.id ?? null);
  const [chosen, choose] = useState<string | null>(null);
  if (!status) return <p class="empty">one moment …</p>;
  const courses = (forecast?.ways ?? []).map(course);
  return (
    <div class="page plan">
      <header class="top">
        <h1>Plan</h1>
        <p class="quiet">what the next deployment of {name} would cost, by the ways in which it can be done</p>
      </header>
      <Deliverable ask={ask} />
      {busy && <Notice tone="care">d{busy.id} is under way; another one can be planned when it is over</Notice>}
      {problem && !busy && <Notice tone="bad">{clean(problem)}</Notice>}
      {forecast && courses.length > 0 && (
        <>
          <Panel title="Time from the request, against instances at the peak" aside={<Measured forecast={forecast} />}>
            <Tradeoff courses={courses} chosen={chosen} />
          </Panel>
          <Ways courses={courses} chosen={chosen} choose={choose} status={status} asked={asked} />
        </>
      )}
      {forecast && courses.length === 0 && <p class="empty">Nothing serves yet: all ways cost the same.</p>}
      {forecast?.contract && <Contract comparison={forecast.contract} />}
    </div>
  );
}

function Deliverable({ ask }: { ask: (wanted: Wanted) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    ask({ source: String(form.get("source") ?? "").trim(), version: String(form.get("version") ?? "").trim() });
  };
  return (
    <form class="deliverable" onSubmit={submit}>
      <label class="field wide">
        Deliverable: the absolute path of a folder or archive on Tandem's machine
        <input
          name="source"
          type="text"
          placeholder="/srv/shop/build/v42.tar.gz"
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <label class="field">
        Version
        <input name="version" type="text" placeholder="v42" maxLength={64} autocomplete="off" spellcheck={false} />
      </label>
      <button type="submit" class="act strong">
        Plan it
      </button>
    </form>
  );
}

function Measured({ forecast }: { forecast: Forecast }) {
  return <span class="quiet">{basis(forecast)}</span>;
}

interface WaysProps {
  courses: Course[];
  chosen: string | null;
  choose: (name: string | null) => void;
  status: Status;
  asked: Wanted;
}

function Ways({ courses, chosen, choose, status, asked }: WaysProps) {
  const ordered = [...courses].sort((a, b) => Number(b.way.unbeaten) - Number(a.way.unbeaten) || a.served - b.served);
  return (
    <Panel title="Ways">
      <div class="scrolls" tabIndex={0} role="region" aria-label="ways to deploy">
        <table class="ways">
          <thead>
            <tr>
              <th scope="col">way</th>
              <th scope="col">all requests new after</th>
              <th scope="col">both serve</th>
              <th scope="col">both run</th>
              <th scope="col">way back</th>
              <th scope="col">peak</th>
              <th scope="col">lowest</th>
              <th scope="col">
                <span class="hidden">what to do</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {ordered.map((one) => (
              <tr key={one.way.name} class={one.way.unbeaten ? "" : "beaten"}>
                <th scope="row">
                  <button
                    type="button"
                    class="opener"
                    aria-expanded={chosen === one.way.name}
                    onClick={() => choose(chosen === one.way.name ? null : one.way.name)}
                  >
                    {one.way.name}
                  </button>
                  {one.way.unbeaten && <Tag tone="good">unbeaten</Tag>}
                </th>
                <td>{length(one.served)}</td>
                <td>{length(one.served - one.mixed)}</td>
                <td>{length(one.ends - one.begins)}</td>
                <td>{span(one.way.figures.back)}</td>
                <td>{one.way.figures.peak}</td>
                <td>
                  {one.way.figures.lowest_capacity ?? 0}/{status.wanted}
                </td>
                <td>
                  <Deploy one={one} status={status} asked={asked} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {!(asked.source && asked.version) && (
        <p class="quiet">Name a deliverable and a version above to deploy by one of these.</p>
      )}
      {ordered
        .filter((one) => one.way.name === chosen)
        .map((one) => (
          <Steps key={one.way.name} steps={one.way.steps} />
        ))}
    </Panel>
  );
}

function Steps({ steps }: { steps: Step[] }) {
  return (
    <ol class="steps">
      {steps.map((step, at) => (
        <li key={at}>
          <span>
            <span class="quiet">{length(millis(step.at))}</span> {clean(step.what)}
          </span>
          <span class="quiet">
            {step.new} new, {step.old} old serve; {step.running} run
          </span>
        </li>
      ))}
    </ol>
  );
}

function Deploy({ one, status, asked }: { one: Course; status: Status; asked: Wanted }) {
  const { service, current } = status;
  const deploy = async () => {
    const body = { source: asked.source, version: asked.version, how: choice(one.way) };
    const { id } = await post<{ id: number }>(`${serviceAt(service)}/deployments`, body);
    location.hash = address({ page: "deployment", service, deployment: id });
  };
  return (
    <Act
      name="Deploy so"
      title={`Deploy ${clean(asked.version)} by ${one.way.name}?`}
      says={
        <>
          <p>
            {clean(asked.version)} replaces {current ? clean(current) : "nothing"}: about {length(one.served)} until it
            has all requests, {one.way.figures.peak} instances at the peak, never fewer than{" "}
            {one.way.figures.lowest_capacity ?? 0} of {status.wanted} that serve.
          </p>
          <p class="quiet">If it does not come up, Tandem goes back by itself.</p>
        </>
      }
      yes={`Deploy ${clean(asked.version)}`}
      does={deploy}
      done={`${clean(asked.version)} is being deployed`}
      not={asked.source && asked.version ? undefined : "name a deliverable and a version above first"}
    />
  );
}
