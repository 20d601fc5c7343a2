// Colours and patterns on canvases: the looks of `style/version.css`, drawn. A version is told by both.

/** A colour of the theme that is in force. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const SIZE = 8;

/** The pattern of a look, in device pixels. */
export function pattern(look: number, scale: number): CanvasPattern | string {
  const hue = colour(`version-${look}`);
  const tile = document.createElement("canvas");
  tile.width = SIZE * scale;
  tile.height = SIZE * scale;
  const pen = tile.getContext("2d");
  if (!pen) return hue;
  pen.scale(scale, scale);
  pen.fillStyle = hue;
  pen.strokeStyle = hue;
  pen.globalAlpha = look === 0 ? 0.75 : 0.28;
  pen.fillRect(0, 0, SIZE, SIZE);
  pen.globalAlpha = 0.95;
  pen.lineWidth = 2;
  strokes(pen, look);
  return pen.createPattern(tile, "repeat") ?? hue;
}

function strokes(pen: CanvasRenderingContext2D, look: number): void {
  const line = (x1: number, y1: number, x2: number, y2: number) => {
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  };
  const rising = () => {
    line(-2, 2, 2, -2);
    line(-2, SIZE + 2, SIZE + 2, -2);
    line(SIZE - 2, SIZE + 2, SIZE + 2, SIZE - 2);
  };
  const falling = () => {
    line(-2, SIZE - 2, 2, SIZE + 2);
    line(-2, -2, SIZE + 2, SIZE + 2);
    line(SIZE - 2, -2, SIZE + 2, 2);
  };
  if (look === 1) rising();
  if (look === 2) {
    pen.beginPath();
    pen.arc(2, 2, 1.4, 0, 7);
    pen.arc(6, 6, 1.4, 0, 7);
    pen.fill();
  }
  if (look === 3) line(0, SIZE / 2, SIZE, SIZE / 2);
  if (look === 4) {
    falling();
  }
}
