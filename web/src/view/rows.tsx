// A long list of which only what is seen is drawn: ten thousand rows cost as much as thirty. One row can be opened.

import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** The height of a row in pixels, as `style/rows.css` has it. */
export const ROW = 34;
/** So many rows beyond both ends are drawn, so that scrolling shows no holes. */
const BEYOND = 8;

interface Props {
  count: number;
  label: string;
  heads: readonly string[];
  /** The cells of a row. */
  row: (index: number) => ComponentChildren;
  /** What stands below a row that is open. */
  detail: (index: number) => ComponentChildren;
  /** How the button of a row is called. */
  name: (index: number) => string;
}

/** The first row and the one after the last that are drawn. Pure. */
export function drawn(
  count: number,
  top: number,
  height: number,
  open: number | null,
  detail: number,
): [number, number] {
  const before = (y: number) => {
    const opened = open !== null && y > (open + 1) * ROW ? Math.min(detail, y - (open + 1) * ROW) : 0;
    return Math.floor((y - opened) / ROW);
  };
  const first = Math.max(0, before(top) - BEYOND);
  return [Math.min(first, Math.max(0, count - 1)), Math.min(count, before(top + height) + BEYOND + 1)];
}

export function Rows({ count, label, heads, row, detail, name }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const opened = useRef<HTMLDivElement>(null);
  const view = useView(frame);
  const [open, toggle] = useState<number | null>(null);
  const [below, measure] = useState(0);
  const [at, go] = useState(0);
  useLayoutEffect(() => {
    // An open row that is scrolled away keeps its place.
    if (opened.current) measure(opened.current.offsetHeight);
  });
  const [first, end] = drawn(count, view.top, view.height, open, below);
  const topOf = (index: number) => index * ROW + (open !== null && index > open ? below : 0);
  const move = (event: KeyboardEvent) => {
    const to = target(event.key, at, count, Math.floor(view.height / ROW) - 2);
    if (to === null || !frame.current) return;
    event.preventDefault();
    go(to);
    const y = topOf(to);
    if (y < frame.current.scrollTop + ROW) frame.current.scrollTop = Math.max(0, y - ROW);
    const lowest = y + 2 * ROW - frame.current.clientHeight;
    if (lowest > frame.current.scrollTop) frame.current.scrollTop = lowest;
    // The row may not be drawn yet.
    requestAnimationFrame(() => requestAnimationFrame(() => focus(frame.current, to)));
  };
  const indices = Array.from({ length: Math.max(0, end - first) }, (_, offset) => first + offset);
  // The row with the focus stays, or the keyboard would lose its place.
  if (at < count && (at < first || at >= end)) indices.push(at);
  return (
    <div class="rows" role="table" aria-label={label} aria-rowcount={count + 1} ref={frame} onKeyDown={move}>
      <div class="row heads" role="row" aria-rowindex={1}>
        {heads.map((head) => (
          <div role="columnheader" key={head}>
            {head}
          </div>
        ))}
      </div>
      <div class="canvas" role="rowgroup" style={{ height: `${topOf(count)}px` }}>
        {indices.map((index) => (
          <div key={index} class="place" role="presentation" style={{ transform: `translateY(${topOf(index)}px)` }}>
            <div class={index === open ? "row open" : "row"} role="row" aria-rowindex={index + 2}>
              <div role="cell">
                <button
                  type="button"
                  class="opener"
                  data-row={index}
                  tabIndex={index === at ? 0 : -1}
                  aria-expanded={index === open}
                  onFocus={() => go(index)}
                  onClick={() => toggle(index === open ? null : index)}
                >
                  {name(index)}
                </button>
              </div>
              {row(index)}
            </div>
            {index === open && (
              <div class="detail" role="row" ref={opened}>
                <div role="cell">{detail(index)}</div>
              </div>
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Which part of a frame is seen. */
function useView(frame: RefObject<HTMLDivElement | null>): { top: number; height: number } {
  const [view, look] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const seen = () => {
      const { scrollTop: top = 0, clientHeight: height = 600 } = frame.current ?? {};
      look((before) => (before.top === top && before.height === height ? before : { top, height }));
    };
    seen();
    const fitted = new ResizeObserver(seen);
    if (frame.current) fitted.observe(frame.current);
    frame.current?.addEventListener("scroll", seen, { passive: true });
    return () => fitted.disconnect();
  }, []);
  return view;
}

function focus(frame: HTMLDivElement | null, index: number): void {
  frame?.querySelector<HTMLElement>(`[data-row="${index}"]`)?.focus({ preventScroll: true });
}

function target(key: string, at: number, count: number, page: number): number | null {
  const clamp = (index: number) => Math.max(0, Math.min(count - 1, index));
  const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const to = steps[key];
  return to === undefined ? null : clamp(to);
}
