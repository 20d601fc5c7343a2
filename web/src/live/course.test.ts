import { expect, test } from "vitest";
import type { JournalEvent, Member, Recorded } from "../api/message";
import { Course } from "./course";

let seq = 0;
const take = (course: Course, recorded: Recorded): JournalEvent => {
  seq += 1;
  const event = { seq, deployment: 2, recorded };
  course.take(event);
  return event;
};
const route = (course: Course, at: number, members: [number, string, Member["role"]][]) => {
  const routes = [{ members: members.map(([instance, version, role]) => ({ instance, version, role })) }];
  take(course, { at, event: "begun", action: { do: "route", table: { generation: at, routes } } });
  return take(course, { at, event: "done", outcome: { done: "routed", generation: at } });
};
const begun = () => {
  const course = new Course();
  take(course, { at: 100, event: "requested", deployment: 2, version: "v2", strategy: { rolling: { batch: "1" } } });
  take(course, { at: 110, event: "capacity_fell", deployment: 2, serving: 2 });
  take(course, { at: 200, event: "entered", deployment: 2, phase: "shifting" });
  return course;
};

test("both sides are told from the tables, from the request on", () => {
  const course = begun();
  route(course, 250, [
    [1, "v1", "serve"],
    [2, "v1", "serve"],
    [3, "v2", "standby"],
  ]);
  route(course, 300, [
    [1, "v1", "drain"],
    [2, "v1", "serve"],
    [3, "v2", "serve"],
  ]);
  route(course, 400, [
    [2, "v1", "drain"],
    [3, "v2", "serve"],
    [4, "v2", "serve"],
  ]);
  expect(course.standings).toEqual([
    { at: 100, new: 0, old: 2 },
    { at: 300, new: 1, old: 1 },
    { at: 400, new: 2, old: 0 },
  ]);
  expect(course.lines.map((line) => line.text)).not.toContain("requests go to i1 (v1), i2 (v1)");
  expect(course.moves.map((move) => move.text)).toEqual([
    "requests go to i3 (v2); draining i1 (v1)",
    "requests go to i4 (v2); draining i2 (v1)",
  ]);
});

test("going back begins with shifting again", () => {
  const course = begun();
  take(course, { at: 500, event: "turned_back", deployment: 2, reason: { reason: "asked" } });
  expect(course.phases.map(({ phase, at }) => [phase, at])).toEqual([
    ["preparing", 100],
    ["shifting", 200],
    ["shifting", 500],
  ]);
  expect(course.spent("shifting", 700)).toBe(500);
  expect(course.spent("expanding", 700)).toBeNull();
  expect(course.turnedBack).toEqual({ at: 500, reason: "somebody asked for it" });
});

test("an event that comes again after a reconnect counts once", () => {
  const course = begun();
  const event = take(course, { at: 300, event: "ready", instance: 3 });
  const lines = course.lines.length;
  course.take(event);
  expect(course.lines.length).toBe(lines);
});
