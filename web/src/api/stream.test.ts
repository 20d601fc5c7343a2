import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Connection, pause, Stream } from "./stream";

const answers: ((init: RequestInit) => Response)[] = [];
const asked: RequestInit[] = [];

const closing = (text: string) => () => new Response(text, { headers: { "content-type": "text/event-stream" } });
const problem = (status: number, detail: string) => () => Response.json({ detail }, { status });

/** An answer that goes on until it is aborted. */
const open = ({ signal }: RequestInit) => {
  const body = new ReadableStream<Uint8Array>({
    start(stream) {
      stream.enqueue(new TextEncoder().encode("data: a\n\n"));
      signal?.addEventListener("abort", () => stream.error(new DOMException("", "AbortError")));
    },
  });
  return new Response(body);
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    asked.push(init);
    const answer = answers.shift();
    if (!answer) throw new TypeError("nobody is there");
    return answer(init);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  answers.length = 0;
  asked.length = 0;
});

/** A stream that writes down what it hears. */
function heard(complete?: () => boolean) {
  const told: string[] = [];
  const states: Connection[] = [];
  const listener = {
    message: ({ data }: { data: string }) => told.push(data),
    connection: (connection: Connection) => states.push(connection),
  };
  return { told, states, stream: new Stream("/events", listener, complete) };
}

const lastId = (init: RequestInit | undefined) =>
  (init?.headers as Record<string, string> | undefined)?.["last-event-id"];

test("it comes back after the last event that it saw, also after a good end", async () => {
  answers.push(closing("id: 5\ndata: a\n\n"), closing("id: 6\ndata: b\n\n"));
  const { told, stream } = heard();
  stream.start();
  await vi.waitFor(() => expect(told).toEqual(["a"]));
  await vi.waitFor(() => expect(asked.length).toBe(2));
  expect([lastId(asked[0]), lastId(asked[1])]).toEqual([undefined, "5"]);
  stream.stop();
});

test("a stream that has told all rests", async () => {
  answers.push(closing("id: 5\ndata: a\n\n"), closing("id: 6\ndata: end\n\n"));
  const { told, states, stream } = heard(() => told.includes("end"));
  stream.start();
  await vi.waitFor(() => expect(states.at(-1)).toEqual({ state: "resting" }));
  expect(told).toEqual(["a", "end"]);
  expect(asked.length).toBe(2);
});

test("why it waits is told in the words of the server", async () => {
  answers.push(problem(502, "the controller does not answer"));
  const { states, stream } = heard();
  stream.start();
  await vi.waitFor(() =>
    expect(states.at(-1)).toMatchObject({ state: "waiting", why: "the controller does not answer" }),
  );
  stream.stop();
  expect(states.at(-1)).toEqual({ state: "resting" });
});

test("what is stopped while it is open rests", async () => {
  answers.push(open);
  const { told, states, stream } = heard();
  stream.start();
  await vi.waitFor(() => expect(told).toEqual(["a"]));
  stream.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(states.map(({ state }) => state)).toEqual(["connecting", "open", "resting"]);
  expect(asked.length).toBe(1);
});

test("what is silent for too long is taken to be dead", async () => {
  answers.push(open, open);
  const { states, stream } = heard();
  stream.start();
  await vi.waitFor(() => expect(states.at(-1)?.state).toBe("open"));
  await vi.advanceTimersByTimeAsync(45_000);
  expect(asked.length).toBe(2);
  stream.stop();
});

test("what is stopped stays so", async () => {
  const { states, stream } = heard();
  stream.start();
  await vi.waitFor(() => expect(states.at(-1)?.state).toBe("waiting"));
  stream.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.length).toBe(1);
});

test("pauses grow, never without measure, and are drawn by lot", () => {
  const longest = Array.from({ length: 30 }, (_, failures) => pause(failures, 1));
  expect(longest[0]).toBe(400);
  expect(longest[3]).toBe(3200);
  expect(Math.max(...longest)).toBe(15_000);
  expect([...longest].sort((a, b) => a - b)).toEqual(longest);
  expect(pause(3, 0)).toBe(1600);
});
