// Wheel, fingers and keys on the map, as what they ask of its view.

const WHEEL = 0.0022; // of a pixel of the wheel
const STEP = 1.6; // of a key or a button
const SHARE = 0.2; // of the window, that a key moves the picture by
const STILL = 5; // pixels within which a press is a click
const LINE = 30; // pixels, where a wheel counts in lines

/** Follow gestures on a canvas; moved() is called when the view has changed. */
export class Gestures {
  constructor(canvas, view, moved) {
    Object.assign(this, { canvas, view, moved, down: new Map(), dragged: false });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("touchmove", (event) => {
      if (event.touches.length > 1) event.preventDefault(); // two fingers are the map's, one scrolls
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.down.size) this.dragged = false;
      this.down.set(event.pointerId, this.at(event));
    });
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      canvas.addEventListener(end, (event) => this.down.delete(event.pointerId));
    }
  }

  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  scale(factor, x, y) {
    this.view.scale(factor, x, y);
    this.moved();
  }

  wheel(event) {
    // With the whole in sight there is nothing to go back to: the page scrolls on.
    if (event.deltaY > 0 && this.view.zoom === 1 && !event.ctrlKey) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode ? LINE : 1) * (event.ctrlKey ? 4 : 1);
    this.scale(Math.exp(-pixels * WHEEL), ...this.at(event));
  }

  drag(event) {
    const before = this.down.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const [x, y] = [now[0] - before[0], now[1] - before[1]];
    if (this.down.size === 1) {
      if (this.view.zoom === 1 || (!this.dragged && Math.hypot(x, y) < STILL)) return;
      if (!this.dragged) this.canvas.setPointerCapture(event.pointerId);
      this.view.move(x, y);
    } else {
      const other = [...this.down].find(([id]) => id !== event.pointerId)[1];
      const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
      this.view.scale(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      this.view.move(x / 2, y / 2);
    }
    this.down.set(event.pointerId, now);
    this.dragged = true;
    this.moved();
  }

  /** Take a key; false if it is none of the view's. From: the place that is to stay where it is. */
  key(event, from) {
    const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "+" || event.key === "=") this.scale(STEP, ...from);
    else if (event.key === "-" || event.key === "_") this.scale(1 / STEP, ...from);
    else if (event.key === "0") this.all();
    else if (way && event.shiftKey) {
      this.view.move(way[0] * SHARE * this.view.width, way[1] * SHARE * this.view.height);
      this.moved();
    } else return false;
    return true;
  }

  all() {
    this.view.whole();
    this.moved();
  }

  closer = (from = []) => this.scale(STEP, ...from);
  further = (from = []) => this.scale(1 / STEP, ...from);
}
