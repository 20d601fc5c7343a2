// Small parts of pages: a figure with its name, a tag, a panel, what is waited for.

import type { ComponentChildren } from "preact";
import type { Status, Wait } from "../api/message";
import { clean } from "./text";
import { later } from "./units";

export type Tone = "plain" | "good" | "care" | "bad";

/** A sign beside each colour. */
export const SIGN: Record<Tone, string> = { plain: "·", good: "✔", care: "!", bad: "✘" };

/** A number that is read from afar. */
export function Figure({ name, value, tone }: { name: string; value: ComponentChildren; tone?: Tone }) {
  return (
    <div class={`figure ${tone ?? "plain"}`}>
      <dt>{name}</dt>
      <dd>
        {value}
        {tone && tone !== "plain" && <span class="sign">{SIGN[tone]}</span>}
      </dd>
    </div>
  );
}

export function Tag({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`tag ${tone}`}>
      {tone !== "plain" && <span class="sign">{SIGN[tone]}</span>}
      {children}
    </span>
  );
}

/** A part of a page with a heading. */
export function Panel(props: {
  title: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.title}>
      <header>
        <h3>{props.title}</h3>
        {props.aside}
      </header>
      {props.children}
    </section>
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
      <span class="sign" aria-hidden="true">
        {SIGN[tone]}
      </span>
      <span>{children}</span>
    </p>
  );
}
