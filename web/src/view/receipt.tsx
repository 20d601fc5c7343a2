// What a deployment reports at its end, in the clients' terms; and what was found about an instance that failed.

import type { Diagnosis, Receipt } from "../api/message";
import { diagnosis } from "../live/story";
import { Figure, Panel, Tag, type Tone } from "./parts";
import { clean } from "./text";
import { count, length, millis, plural, span } from "./units";

const VERDICTS: Record<Receipt["verdict"], { tone: Tone; words: string }> = {
  settled: { tone: "good", words: "settled" },
  rolled_back: { tone: "bad", words: "rolled back" },
  failed: { tone: "bad", words: "failed" },
};

export function Outcome({ receipt }: { receipt: Receipt }) {
  const { tone, words } = VERDICTS[receipt.verdict];
  return <Tag tone={tone}>{words}</Tag>;
}

export function Slip({ receipt }: { receipt: Receipt }) {
  const { counts, expanded } = receipt;
  return (
    <Panel title="Receipt" class="slip">
      {receipt.reason && <p>because {clean(receipt.reason)}</p>}
      <dl class="figures">
        <Figure name="took" value={span(receipt.took)} />
        {receipt.foreseen && <Figure name="foreseen" value={span(receipt.foreseen.took)} />}
        <Figure name="requests" value={count(counts?.requests)} />
        <Figure
          name="failed"
          value={count(counts?.failed)}
          tone={counts ? (counts.failed > 0 ? "bad" : "good") : "plain"}
        />
        <Figure name="retried" value={count(counts?.retried)} />
        <Figure name="WebSockets moved" value={count(counts?.websockets_moved)} />
        <Figure
          name="lowest capacity"
          value={receipt.lowest_capacity === null ? "–" : `${receipt.lowest_capacity}/${receipt.wanted}`}
          tone={receipt.lowest_capacity !== null && receipt.lowest_capacity < receipt.wanted ? "care" : "plain"}
        />
        <Figure name="mixed state" value={length(millis(receipt.mixed_state))} />
      </dl>
      {expanded && (
        <p class="quiet">
          schema {clean(expanded.to)} expanded in {span(expanded.took)}, {plural(expanded.rows, "row")} filled
        </p>
      )}
      {receipt.broken > 0 && <p class="quiet">{plural(receipt.broken, "operation")} in use broken</p>}
      {receipt.stray && (
        <p class="quiet">
          i{receipt.stray.instance} does not use the database as {clean(receipt.stray.revision)}
        </p>
      )}
    </Panel>
  );
}

export function Findings({ found }: { found: Diagnosis }) {
  const wrote = found.findings.log;
  return (
    <Panel title={`What was found about i${found.instance}`}>
      <ul class="plain">
        {diagnosis(found).map((line) => (
          <li key={line}>{clean(line)}</li>
        ))}
      </ul>
      {wrote.length > 0 && (
        <pre class="log" role="region" tabIndex={0} aria-label={`the last lines that i${found.instance} wrote`}>
          {clean(wrote.join("\n"), 64 * 1024)}
        </pre>
      )}
    </Panel>
  );
}
