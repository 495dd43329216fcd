// Which part of the map is looked at: how many times larger than the whole, and where it begins.

const MOST = 200; // times larger
const EDGE = 24; // pixels from the edge at which a sensor counts as seen

export class View {
  constructor() {
    this.whole();
  }

  /** Look at everything. */
  whole() {
    Object.assign(this, { zoom: 1, left: 0, top: 0 }); // shares of the whole picture
  }

  /** The size of the canvas, in pixels. */
  size(width, height) {
    Object.assign(this, { width, height });
  }

  /** Where a place of the whole picture, in pixels, is on the canvas now. */
  onto(x, y) {
    return [(x - this.left * this.width) * this.zoom, (y - this.top * this.height) * this.zoom];
  }

  /** Look closer by a factor, or from further for one below 1; what is at x, y stays there. */
  scale(factor, x = this.width / 2, y = this.height / 2) {
    const zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
    this.left += (x / this.width) * (1 / this.zoom - 1 / zoom);
    this.top += (y / this.height) * (1 / this.zoom - 1 / zoom);
    this.zoom = zoom;
    this.hold();
  }

  /** Move the picture by so many pixels. */
  move(x, y) {
    this.left -= x / this.width / this.zoom;
    this.top -= y / this.height / this.zoom;
    this.hold();
  }

  /** Bring a place of the whole picture into sight, if it is not; tell whether that moved it. */
  show(x, y) {
    const [seenX, seenY] = this.onto(x, y);
    if (seenX >= EDGE && seenX <= this.width - EDGE && seenY >= EDGE && seenY <= this.height - EDGE) return false;
    const { left, top } = this;
    this.left = x / this.width - 0.5 / this.zoom;
    this.top = y / this.height - 0.5 / this.zoom;
    this.hold();
    return left !== this.left || top !== this.top;
  }

  /** Stay within the whole picture. */
  hold() {
    const most = 1 - 1 / this.zoom;
    this.left = Math.min(most, Math.max(0, this.left));
    this.top = Math.min(most, Math.max(0, this.top));
  }
}
