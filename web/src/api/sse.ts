// Server-sent events out of pieces of text (the format of the HTML standard). Pure.

export interface Message {
  event: string;
  data: string;
  id: string | null;
}

/** One message is at most so long; a longer one is dropped rather than kept growing. */
const LONGEST = 16 * 1024 * 1024;

/** Takes pieces as they come, and gives the messages that are complete. */
export class Reader {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private length = 0;
  private id: string | null = null;

  take(piece: string): Message[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    if (this.rest.length > LONGEST) this.rest = "";
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): Message[] {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    if (name === "id") this.id = value;
    if (name === "data" && this.length + value.length <= LONGEST) {
      this.data.push(value);
      this.length += value.length;
    }
    return [];
  }

  private dispatch(): Message[] {
    const { event, data, id } = this;
    [this.event, this.data, this.length, this.id] = ["", [], 0, null];
    return data.length === 0 ? [] : [{ event: event || "message", data: data.join("\n"), id }];
  }
}
