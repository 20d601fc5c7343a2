// The looks of versions as patterns of drawings in SVG: the same as `paint.ts` makes for canvases.

export function Patterns() {
  const tile = (look: number, strokes: preact.ComponentChildren) => (
    <pattern id={`look-${look}`} width="8" height="8" patternUnits="userSpaceOnUse" class={`look-${look}`}>
      <rect width="8" height="8" class={look === 0 ? "ground full" : "ground"} />
      {strokes}
    </pattern>
  );
  return (
    <defs>
      {tile(0, null)}
      {tile(1, <path class="stroke" d="M-2 2L2 -2M-2 10L10 -2M6 10L10 6" />)}
      {tile(
        2,
        <path
          class="dots"
          d="M2 .6a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 1 1 0 -2.8M6 4.6a1.4 1.4 0 1 1 0 2.8a1.4 1.4 0 1 1 0 -2.8"
        />,
      )}
      {tile(3, <path class="stroke" d="M0 4H8" />)}
      {tile(4, <path class="stroke" d="M-2 6L2 10M-2 -2L10 10M6 -2L10 2" />)}
    </defs>
  );
}
