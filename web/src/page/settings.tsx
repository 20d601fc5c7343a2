// *Settings*: the configuration as it is in force, whether the file says something else by now, and who did what.

import { get, serviceAt } from "../api/client";
import type { Audited, ConfigInForce } from "../api/message";
import { useAnswer, useService } from "../view/live";
import { Notice, Panel, Table, Tag } from "../view/parts";
import { clean } from "../view/text";
import { moment } from "../view/units";

export function Settings({ name }: { name: string }) {
  const { status } = useService(name);
  const { value, problem } = useAnswer(
    () => get<ConfigInForce>(`${serviceAt(name)}/config`),
    [name, status?.config_changed],
  );
  return (
    <div class="page settings">
      <header class="top">
        <h1>Settings</h1>
        {value && (
          <p class="serves">
            <code>{clean(value.path)}</code>
            {value.changed ? <Tag tone="care">the file has changed</Tag> : <Tag tone="good">in force</Tag>}
          </p>
        )}
      </header>
      {problem && <Notice tone="bad">{problem}</Notice>}
      {value?.changed && (
        <Notice tone="care">
          What you see is in force; the file on the disk says something else by now. <code>tandem reload</code> takes
          it.
        </Notice>
      )}
      {value && (
        <Panel title="Configuration in force" aside={<span class="quiet">pale: a default</span>}>
          <pre class="config" role="region" tabIndex={0} aria-label="the configuration in force">
            {value.shown.split("\n").map((line, at) => (
              <Line key={at} text={clean(line)} />
            ))}
          </pre>
        </Panel>
      )}
      <Audit />
    </div>
  );
}

/** A line of TOML: tables stand out, remarks step back, defaults are pale. */
function Line({ text }: { text: string }) {
  // A remark begins at a `#` that stands outside of texts.
  const remark = text.search(/#(?=(?:[^"]*"[^"]*")*[^"]*$)/);
  const [said, note] = remark < 0 ? [text, ""] : [text.slice(0, remark), text.slice(remark)];
  const kind = /^\s*\[/.test(text)
    ? "table"
    : /^# default\./.test(note) || /^\s*# \w+ =/.test(text)
      ? "default"
      : "set";
  return (
    <span class={`line ${kind}`}>
      {said}
      {note && <span class="remark">{note}</span>}
      {"\n"}
    </span>
  );
}

function Audit() {
  const { value, problem, again } = useAnswer(() => get<Audited[]>("/v1/audit"), []);
  return (
    <Panel
      title="Audit"
      aside={
        <button type="button" class="plain" onClick={again}>
          Read again
        </button>
      }
    >
      {problem && <Notice tone="care">{problem}</Notice>}
      {value && value.length === 0 && <p class="empty">nobody changed anything yet</p>}
      {value && value.length > 0 && (
        <Table label="calls, one a line" heads={["when", "who", "role", "from", "what", "answer"]} tall>
          {value.map((one, at) => (
            <tr key={at}>
              <td>{moment(one.at)}</td>
              <th scope="row">{clean(one.who)}</th>
              <td>{one.role ?? "–"}</td>
              <td>{clean(one.from ?? "–")}</td>
              <td class="mono">
                {one.method} {clean(one.path)}
              </td>
              <td>{one.status}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}
