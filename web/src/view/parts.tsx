// Small parts of pages: a figure with its name, a tag, a panel, what is waited for.

import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Status, Wait } from "../api/message";
import { clean } from "./text";
import { later } from "./units";

export type Tone = "plain" | "good" | "care" | "bad";

/** A sign beside each colour. */
const SIGNS: Record<Tone, string> = { plain: "·", good: "✔", care: "!", bad: "✘" };

function Sign({ tone }: { tone: Tone }) {
  return (
    <span class="sign" aria-hidden="true">
      {SIGNS[tone]}
    </span>
  );
}

/** A number that is read from afar. */
export function Figure({ name, value, tone }: { name: string; value: ComponentChildren; tone?: Tone }) {
  return (
    <div class={`figure ${tone ?? "plain"}`}>
      <dt>{name}</dt>
      <dd>
        {value}
        {tone && tone !== "plain" && <Sign tone={tone} />}
      </dd>
    </div>
  );
}

export function Tag({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`tag ${tone}`}>
      {tone !== "plain" && <Sign tone={tone} />}
      {children}
    </span>
  );
}

/** The level of the headings of panels: below that of the page, or of a service on it. */
export const Level = createContext<"h2" | "h3">("h2");

/** A part of a page with a heading. */
export function Panel(props: {
  title: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const Heading = useContext(Level);
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.title}>
      <header>
        <Heading>{props.title}</Heading>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

interface TableProps {
  label: string;
  heads: readonly string[];
  tall?: boolean;
  children: ComponentChildren;
}

/** A table that scrolls within its panel, by keyboard, too. Its children are the rows. */
export function Table({ label, heads, tall, children }: TableProps) {
  return (
    <div class={tall ? "scrolls tall" : "scrolls"} tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th scope="col" key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** What is waited for, as it was told at `at`, with what is left of each now. */
export function Waits({ waits, at, now }: { waits: readonly Wait[]; at: number; now: number }) {
  if (waits.length === 0) return null;
  return (
    <ul class="waits">
      {waits.map((one, index) => (
        <li key={index}>
          <span class="sign" aria-hidden="true">
            ◌
          </span>
          <span>{clean(one.until === null ? one.sentence : later(one.sentence, one.until, at, now))}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is not as it should be. */
export function Notices({ status }: { status: Status }) {
  return (
    <>
      {status.trouble && <Notice tone="bad">{clean(status.trouble)}</Notice>}
      {status.maintenance && (
        <Notice tone="care">Maintenance: everybody is told “{clean(status.maintenance.message)}”</Notice>
      )}
      {status.config_changed && (
        <Notice tone="care">
          The configuration on the disk is another one than that in force; <code>tandem reload</code> takes it
        </Notice>
      )}
      {(status.remarks ?? []).map((remark) => (
        <Notice tone="care" key={remark}>
          {clean(remark)}
        </Notice>
      ))}
    </>
  );
}

export function Notice({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <p class={`note ${tone}`}>
      <Sign tone={tone} />
      <span>{children}</span>
    </p>
  );
}
