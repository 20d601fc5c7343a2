// Things that change something: a button, a question that says what will happen, and what came of it.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "./announcement";

interface Props {
  /** What the button says. */
  name: string;
  /** The question, and what will happen, in sentences. */
  title: string;
  says: ComponentChildren;
  /** What the button that does it says. */
  yes?: string;
  does: () => Promise<unknown>;
  /** What is told when it is done. */
  done: string;
  tone?: "plain" | "strong" | "danger";
  /** Why it can't be done now. */
  not?: string | undefined;
}

export function Act(props: Props) {
  const [asked, ask] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        type="button"
        ref={button}
        class={`act ${props.tone ?? "plain"}`}
        disabled={props.not !== undefined}
        title={props.not}
        onClick={() => ask(true)}
      >
        {props.name}
      </button>
      {asked && (
        <Question
          {...props}
          close={() => {
            ask(false);
            button.current?.focus();
          }}
        />
      )}
    </>
  );
}

function Question({ title, says, yes, name, does, done, tone, close }: Props & { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [state, set] = useState<{ doing: boolean; problem: string | null }>({ doing: false, problem: null });
  useEffect(() => dialog.current?.showModal(), []);
  const go = async (event: Event) => {
    event.preventDefault();
    set({ doing: true, problem: null });
    try {
      await does();
      announce(done);
      close();
    } catch (error) {
      set({ doing: false, problem: error instanceof Error ? error.message : "it could not be done" });
    }
  };
  return (
    <dialog ref={dialog} class="question" aria-label={title} onClose={close}>
      <form onSubmit={go}>
        <h2>{title}</h2>
        <div class="says">{says}</div>
        {state.problem && (
          <p class="note bad" role="alert">
            {state.problem}
          </p>
        )}
        <footer>
          <button type="button" class="act plain" onClick={close}>
            Leave it
          </button>
          <button type="submit" class={`act ${tone === "danger" ? "danger" : "strong"}`} disabled={state.doing}>
            {yes ?? name}
          </button>
        </footer>
      </form>
    </dialog>
  );
}
