// An instance that was picked: how it is, and the end of what it wrote.

import { getText, serviceAt } from "../api/client";
import type { Instance, Me } from "../api/message";
import type { Service } from "../live/service";
import { may } from "./deeds";
import { useAnswer } from "./live";
import { clean } from "./text";
import { describe, Version } from "./version";

const LINES = 200;
const LONGEST = 256 * 1024;

interface Props {
  service: Service;
  instance: Instance;
}

export function Log({ service, instance, me }: Props & { me: Me }) {
  return (
    <section class="picked" aria-label={`instance i${instance.instance}`}>
      <header>
        <strong>i{instance.instance}</strong>
        <Version name={instance.version} looks={service.looks} />
        <span class="quiet">{describe(instance, service.now()).join(" · ")}</span>
      </header>
      {may(me, "deployer") && <Lines service={service} instance={instance} />}
    </section>
  );
}

function Lines({ service, instance }: Props) {
  const path = `${serviceAt(service.name)}/instances/${instance.instance}/log?lines=${LINES}`;
  const { value, problem, again } = useAnswer(() => getText(path, LONGEST), [path, instance.stage]);
  return (
    <>
      <button type="button" class="plain" onClick={again}>
        Read again
      </button>
      {problem && <p class="note bad">{problem}</p>}
      <pre class="log" role="region" tabIndex={0} aria-label={`the last lines that i${instance.instance} wrote`}>
        {value === null ? "" : value === "" ? "it wrote nothing" : clean(value, LONGEST)}
      </pre>
    </>
  );
}
