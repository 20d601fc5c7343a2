// Numbers and units as people read them, in one place: grouped digits, lengths of time, shares, moments. Pure.

/** A narrow space that does not break. */
const THIN = "\u202f";
/** What stands where nothing is known. */
export const NOTHING = "–";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1 234 567` */
export function count(number: number | null | undefined): string {
  if (number === null || number === undefined) return NOTHING;
  return Math.round(number)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** A number in a second, as exact as makes sense: `0`, `0.4`, `12`, `3 400`. */
export function rate(number: number): string {
  if (number === 0) return "0";
  return number < 10 ? number.toFixed(1) : count(number);
}

/** A part of a whole: `0 %`, `0.04 %`, `3.4 %`, `41 %`. */
export function share(part: number, whole: number): string {
  if (whole <= 0) return NOTHING;
  const percent = (100 * part) / whole;
  const digits = percent === 0 || percent >= 10 ? 0 : percent >= 1 ? 1 : 2;
  return `${percent.toFixed(digits)}${THIN}%`;
}

/** A length of time from milliseconds: `7 ms`, `1.2 s`, `41 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`. */
export function length(millis: number | null | undefined): string {
  if (millis === null || millis === undefined) return NOTHING;
  const ms = Math.max(0, millis);
  if (ms < 1) return ms === 0 ? `0${THIN}s` : `<${THIN}1${THIN}ms`;
  if (ms < SECOND) return `${Math.round(ms)}${THIN}ms`;
  if (ms < 9.95 * SECOND) return `${(ms / SECOND).toFixed(1)}${THIN}s`;
  const rounded = ms < MINUTE - 500 ? ms : Math.round(ms / SECOND) * SECOND;
  if (rounded < MINUTE) return `${Math.round(ms / SECOND)}${THIN}s`;
  const pair = (big: number, bigName: string, small: number, smallName: string) => {
    const [whole, rest] = [Math.floor(rounded / big), Math.floor((rounded % big) / small)];
    return `${whole}${THIN}${bigName}${rest > 0 ? ` ${rest}${THIN}${smallName}` : ""}`;
  };
  if (rounded < HOUR) return pair(MINUTE, "m", SECOND, "s");
  return rounded < DAY ? pair(HOUR, "h", MINUTE, "m") : pair(DAY, "d", HOUR, "h");
}

/** What is left until a moment, in whole seconds: it counts down without jumping. */
export function left(until: number, now: number): string {
  const seconds = Math.ceil(Math.max(0, until - now) / SECOND);
  return seconds < 60 ? `${seconds}${THIN}s` : length(seconds * SECOND);
}

/** The same sentence a little later: the time that was left when it was said (`at`) is the time that is left now. */
export function later(sentence: string, until: number, at: number, now: number): string {
  return sentence.replace(/\d+(?:h|m|s)(?: \d+(?:m|s))*(?![\w])/g, (text) => {
    const said = millis(text) ?? 0;
    return said > 0 && Math.abs(said - (until - at)) <= 2 * SECOND ? left(until, now) : text;
  });
}

const SPANS: Record<string, number> = { d: DAY, h: HOUR, m: MINUTE, s: SECOND, ms: 1 };

/** Milliseconds of a length as Tandem writes it: `16s 241ms`. None: it is none. */
export function millis(span: string): number | null {
  const parts = [...span.matchAll(/(\d+)\s*(ms|d|h|m|s)(?![a-z])/g)];
  if (parts.length === 0) return null;
  return parts.reduce((all, [, number, unit]) => all + Number(number) * (SPANS[unit as string] as number), 0);
}

/** A length that Tandem wrote, as it is shown here. */
export function span(text: string | null | undefined): string {
  return text === null || text === undefined ? NOTHING : length(millis(text));
}

const two = (number: number) => String(number).padStart(2, "0");

/** The clock on the wall: `08:31:02`. */
export function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** The day and the clock: `2026-11-30 08:31:02`. */
export function moment(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

/** `3 instances`, `1 instance` */
export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}
