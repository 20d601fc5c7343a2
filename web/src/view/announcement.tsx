// What happened by our own doing, told once: seen for a while, and read out.

import { useEffect, useState } from "preact/hooks";

const SHOWN = 6000;

let tell: (text: string) => void = () => {};

export function announce(text: string): void {
  tell(text);
}

/** The place where it is told. */
export function Announcements() {
  const [text, set] = useState("");
  tell = set;
  useEffect(() => {
    if (text === "") return;
    const timer = setTimeout(() => set(""), SHOWN);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class={text ? "announcement shown" : "announcement"} role="status" aria-live="polite">
      {text}
    </div>
  );
}
