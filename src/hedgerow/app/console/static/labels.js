// The names beside the sensors of a map: as many as there is room for, none upon another.

const MOST = 100; // names at once
const TRIED = 500; // sensors that may ask for room
const HEIGHT = 16; // pixels of a line
const GAP = 4;

/**
 * Give names room, the first ones first.
 *
 * points: {x, y, radius, text}; widthOf(text) in pixels. Returns {point, x, y, width}: the left upper
 * corner of each name that found room right of, left of, below or above its point.
 */
export function placed(points, widthOf, width, height) {
  const taken = [];
  for (const point of points.slice(0, TRIED)) {
    if (taken.length >= MOST) break;
    const long = Math.ceil(widthOf(point.text));
    const off = point.radius + GAP;
    const found = [
      [point.x + off, point.y - HEIGHT / 2], [point.x - off - long, point.y - HEIGHT / 2],
      [point.x - long / 2, point.y + off], [point.x - long / 2, point.y - off - HEIGHT],
    ].find(([x, y]) => x >= 0 && y >= 0 && x + long <= width && y + HEIGHT <= height
      && !taken.some((other) => x < other.x + other.width + GAP && other.x < x + long + GAP && Math.abs(y - other.y) < HEIGHT));
    if (found) taken.push({ point, x: found[0], y: found[1], width: long });
  }
  return taken;
}
