// What a new version would not keep of its contract, and who would notice.

import type { Break, Comparison } from "../api/message";
import { Panel } from "./parts";
import { clean } from "./text";
import { count, span } from "./units";

const hurts = (one: Break) =>
  one.between !== undefined || (one.counted && (one.counted.calls.total > 0 || !one.counted.complete));

export function Contract({ comparison }: { comparison: Comparison }) {
  const { broken, ahead, more } = comparison;
  if (broken.length + ahead.length === 0) return null;
  return (
    <Panel title="Contract">
      <ul class="breaks">
        {broken.map((one, at) => (
          <li key={at} class={hurts(one) ? "bad" : "care"}>
            <span class="sign" aria-hidden="true">
              {hurts(one) ? "✘" : "!"}
            </span>
            <span>{words(one)}</span>
          </li>
        ))}
        {ahead.map((one, at) => (
          <li key={`ahead-${at}`}>
            <span class="sign" aria-hidden="true">
              ·
            </span>
            <span>while the version before serves, too: {words(one)}</span>
          </li>
        ))}
      </ul>
      {more > 0 && <p class="quiet">and {count(more)} more operations</p>}
    </Panel>
  );
}

function words({ operation, changes, counted, between }: Break): string {
  const what = changes.length > 0 ? `: ${changes.join(", ")}` : counted ? " is gone" : " is not there yet";
  const who = between ? `${between.caller.service} ${between.caller.version} needs ` : "";
  const calls = counted ? `; called ${count(counted.calls.total)} times in ${span(counted.over)}` : "";
  return clean(`${who}${operation}${what}${calls}`);
}
