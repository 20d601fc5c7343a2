// How far a job on the schema is, out of the line that the controller writes for people
// (`server/src/adapter/database/progress.rs`). What does not fit is shown as it is. Pure.

export interface Progress {
  step: number;
  steps: number;
  what: string;
  fill: { done: number; total: number; rate: number; left: number | null } | null;
  waits: string | null;
}

const LINE =
  /^step (\d+)\/(\d+), (.*?)(?:, (\d+) of (\d+) rows, (\d+) rows\/s(?:, (\d+) s left)?)?(?:, which waits: (.*))?$/s;

export function progress(line: string): Progress | null {
  const found = LINE.exec(line);
  if (!found) return null;
  const [, step, steps, what, done, total, rate, left, waits] = found;
  const fill = done === undefined ? null : { done: Number(done), total: Number(total), rate: Number(rate) };
  return {
    step: Number(step),
    steps: Number(steps),
    what: what ?? "",
    fill: fill && { ...fill, left: left === undefined ? null : Number(left) * 1000 },
    waits: waits ?? null,
  };
}
