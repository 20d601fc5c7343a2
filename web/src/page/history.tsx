// *History*: the deployments that were, the newest first, each with its receipt.

import { useMemo, useState } from "preact/hooks";
import { get, serviceAt } from "../api/client";
import type { DeploymentRecord } from "../api/message";
import { address } from "../route";
import { useAnswer, useService } from "../view/live";
import { Notice, Tag } from "../view/parts";
import { Findings, Outcome, Slip } from "../view/receipt";
import { Rows } from "../view/rows";
import { clean } from "../view/text";
import { count, moment, plural, span } from "../view/units";

const HEADS = ["id", "result", "version", "from", "began", "by", "took", "requests", "failed", "mixed"];

export function History({ name }: { name: string }) {
  const { status } = useService(name);
  const under = status?.deployment?.id ?? null;
  const { value, problem } = useAnswer(() => get<DeploymentRecord[]>(`${serviceAt(name)}/deployments`), [name, under]);
  const [word, seek] = useState("");
  const found = useMemo(() => (value ?? []).filter((record) => fits(record, word.trim().toLowerCase())), [value, word]);
  return (
    <div class="page history">
      <header class="top">
        <h1>History</h1>
        <label class="seek">
          <span class="hidden">Find</span>
          <input
            type="search"
            placeholder="version, d7, failed …"
            value={word}
            onInput={(event) => seek(event.currentTarget.value)}
          />
        </label>
        <p class="quiet" role="status">
          {value ? plural(found.length, "deployment") : ""}
        </p>
      </header>
      {problem && <Notice tone="bad">{problem}</Notice>}
      {value && found.length === 0 && <p class="empty">{word ? "nothing is like that" : "nothing was deployed yet"}</p>}
      {found.length > 0 && (
        <Rows
          key={word}
          count={found.length}
          label="deployments, the newest first"
          heads={HEADS}
          name={(index) => `d${found[index]?.id}`}
          row={(index) => <Cells record={found[index] as DeploymentRecord} />}
          detail={(index) => <Detail record={found[index] as DeploymentRecord} name={name} />}
        />
      )}
    </div>
  );
}

function fits(record: DeploymentRecord, word: string): boolean {
  if (word === "") return true;
  const verdict = record.receipt?.verdict.replace("_", " ") ?? "under way";
  const texts = [`d${record.id}`, record.version, record.receipt?.from ?? "", record.strategy, record.kind, verdict];
  return texts.some((text) => text.toLowerCase().includes(word));
}

function Cells({ record }: { record: DeploymentRecord }) {
  const { receipt } = record;
  const counts = receipt?.counts;
  return (
    <>
      <div role="cell">{receipt ? <Outcome receipt={receipt} /> : <Tag tone="care">under way</Tag>}</div>
      <div role="cell" class="mono" title={record.version}>
        {clean(record.version)}
      </div>
      <div role="cell" class="mono">
        {receipt?.from ? clean(receipt.from) : "–"}
      </div>
      <div role="cell">{moment(record.requested_at)}</div>
      <div role="cell">
        {record.kind === "rollback" ? `${record.strategy}, back` : record.strategy}
        {record.who === "source" && ", by itself"}
      </div>
      <div role="cell" class="number">
        {span(receipt?.took)}
      </div>
      <div role="cell" class="number">
        {count(counts?.requests)}
      </div>
      <div role="cell" class={counts && counts.failed > 0 ? "number bad" : "number"}>
        {count(counts?.failed)}
      </div>
      <div role="cell" class="number">
        {span(receipt?.mixed_state)}
      </div>
    </>
  );
}

function Detail({ record, name }: { record: DeploymentRecord; name: string }) {
  return (
    <>
      {record.receipt ? <Slip receipt={record.receipt} /> : <p>It is under way.</p>}
      {record.diagnosis && <Findings found={record.diagnosis} />}
      <p>
        <a href={address({ page: "deployment", service: name, deployment: record.id })}>Every step of d{record.id}</a>
      </p>
    </>
  );
}
