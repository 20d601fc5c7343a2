// Text from outside: what would move letters about or hide them is shown as a mark. Pure.

/** Control characters but tab and line feed, and those that turn the direction of writing or have no width. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant.
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
/** An escape sequence of a terminal, as a whole. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant.
const ESCAPE = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/** A text that is only text, at most `most` characters of it. */
export function clean(text: string, most = 4000): string {
  const plain = text
    .slice(0, most * 2)
    .replace(ESCAPE, "")
    .replace(HARMFUL, "\ufffd");
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}
