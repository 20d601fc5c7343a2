// The processes that have to do with a folder, found from outside: by their arguments, environment or working directory.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export function processesOf(folder) {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.map((pid) => look(Number(pid), folder)).filter((found) => found !== null);
}

/** Ends all of them, whatever happened. What is killed in one pass may have started more before. */
export function endAll(folder) {
  for (let pass = 0; pass < 10; pass += 1) {
    const left = processesOf(folder);
    if (left.length === 0) return;
    for (const { pid } of left) kill(pid);
  }
}

export const kill = (pid) => signal(pid, "SIGKILL");

export function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

function look(pid, folder) {
  try {
    const read = (file) => readFileSync(`/proc/${pid}/${file}`, "utf8");
    const command = read("cmdline").replaceAll("\0", " ").trim();
    const concerned = command.includes(folder) || read("environ").includes(folder);
    return command && (concerned || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)) ? { pid, command } : null;
  } catch {
    return null;
  }
}
