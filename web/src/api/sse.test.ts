import { expect, test } from "vitest";
import { Reader } from "./sse";

const STREAM =
  ': alive\n\nevent: status\ndata: {"a":\ndata: 1}\n\nevent: journal\r\nid: 7\r\ndata: {}\r\n\r\ndata:x\n\nid: 8\n\n';

test("messages are the same however they are cut into pieces", () => {
  const whole = new Reader().take(STREAM);
  expect(whole).toEqual([
    { event: "status", data: '{"a":\n1}', id: null },
    { event: "journal", data: "{}", id: "7" },
    { event: "message", data: "x", id: null },
  ]);
  for (let size = 1; size < STREAM.length; size += 1) {
    const reader = new Reader();
    const pieces = Array.from({ length: Math.ceil(STREAM.length / size) }, (_, at) =>
      STREAM.slice(at * size, (at + 1) * size),
    );
    expect(pieces.flatMap((piece) => reader.take(piece))).toEqual(whole);
  }
});

test("what is not complete is not told", () => {
  const reader = new Reader();
  expect(reader.take("data: half")).toEqual([]);
  expect(reader.take("\n")).toEqual([]);
  expect(reader.take("\n")).toEqual([{ event: "message", data: "half", id: null }]);
});
