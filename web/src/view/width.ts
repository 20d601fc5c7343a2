// How wide a place is, so that drawings are made in its own pixels and letters keep their size.

import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export function useWidth<T extends HTMLElement>(first: number): [RefObject<T | null>, number] {
  const place = useRef<T | null>(null);
  const [width, set] = useState(first);
  useLayoutEffect(() => {
    if (!place.current) return;
    const measure = () => set(Math.max(280, Math.round(place.current?.clientWidth ?? first)));
    measure();
    const fitted = new ResizeObserver(measure);
    fitted.observe(place.current);
    return () => fitted.disconnect();
  }, []);
  return [place, width];
}
