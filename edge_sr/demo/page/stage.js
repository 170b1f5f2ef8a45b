// The comparison: two pictures on one canvas under one zoom, and the border between them.

const LARGEST_ZOOM = 64; // device pixels for a pixel of the result
const STEP = 1.25;
const WHOLE_ENOUGH = 0.86; // a whole number of device pixels a pixel is sharper than a slightly larger picture

export class Stage {
  /** told: {zoom(text), move(x, y | null), window(dx, dy)} */
  constructor(box, told) {
    this.box = box;
    this.told = told;
    this.pan = box.querySelector(".pan");
    this.canvas = box.querySelector("canvas");
    this.divider = box.querySelector(".divider");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.size = { width: 1, height: 1 }; // of the result
    this.sides = [null, null];
    this.names = ["", ""];
    this.at = 0.5; // of the width that is seen
    this.zoom = null; // null: fit
    this.centre = [0.5, 0.5]; // of the picture, in the middle of the stage
    this.pointers = new Map();
    new ResizeObserver(() => this.resize()).observe(this.pan);
    this.listen();
  }

  /** sides: canvases of left and right; names: of what they show; size: of the result. */
  show(sides, names, size) {
    if (size.width !== this.size.width || size.height !== this.size.height) {
      this.size = size;
      this.fit();
    }
    this.sides = sides;
    if (names.join() !== this.names.join()) {
      this.names = names;
      this.tellDivider();
    }
    this.draw();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(this.pan.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.pan.clientHeight * ratio));
    this.drawNow();
  }

  get fitZoom() {
    const most = Math.min(this.canvas.width / this.size.width, this.canvas.height / this.size.height);
    return most > 1 && Math.floor(most) / most >= WHOLE_ENOUGH ? Math.floor(most) : most;
  }

  get scale() {
    return this.zoom ?? this.fitZoom;
  }

  /** Left, top, right, bottom of the picture on the canvas, in device pixels. */
  get place() {
    const [width, height] = [this.size.width * this.scale, this.size.height * this.scale];
    const left = Math.round(this.canvas.width / 2 - this.centre[0] * width);
    const top = Math.round(this.canvas.height / 2 - this.centre[1] * height);
    return { left, top, width, height };
  }

  /** Left and right end of what is seen of the picture. */
  get seen() {
    const { left, width } = this.place;
    return [Math.max(0, left), Math.min(this.canvas.width, left + width)];
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = getComputedStyle(this.box).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const [from, to] = this.seen;
    const border = Math.round(from + this.at * (to - from));
    this.drawSide(this.sides[0], 0, border);
    this.drawSide(this.sides[1], border, canvas.width);
    this.divider.style.left = `${border / this.ratio}px`;
    this.told.zoom(this.zoom === null ? "fit" : `${Math.round((this.scale / this.ratio) * 100)} %`);
    this.pan.classList.toggle("zoomed", this.zoomed);
  }

  drawSide(picture, from, to) {
    if (!picture || to <= from) return;
    const { context, canvas } = this;
    const { left, top, width, height } = this.place;
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, canvas.height);
    context.clip();
    context.imageSmoothingEnabled = width < picture.width; // larger than life its pixels are shown as they are
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, left, top, width, height);
    context.restore();
  }

  get zoomed() {
    return this.zoom !== null && this.zoom > this.fitZoom * 1.001;
  }

  fit() {
    this.zoom = null;
    this.centre = [0.5, 0.5];
    this.draw();
  }

  /** By a factor, so that what is under x, y (device pixels) stays there. */
  zoomBy(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const wanted = Math.min(LARGEST_ZOOM, this.scale * factor);
    if (wanted <= this.fitZoom) return this.fit();
    const { left, top } = this.place;
    const under = [(x - left) / this.scale, (y - top) / this.scale];
    this.zoom = wanted;
    this.centre = [
      (under[0] + (this.canvas.width / 2 - x) / wanted) / this.size.width,
      (under[1] + (this.canvas.height / 2 - y) / wanted) / this.size.height,
    ];
    this.moveBy(0, 0);
  }

  /** Move the picture by device pixels; its middle stays on it. */
  moveBy(dx, dy) {
    const clamp = (value) => Math.min(1, Math.max(0, value));
    this.centre = [
      clamp(this.centre[0] - dx / (this.size.width * this.scale)),
      clamp(this.centre[1] - dy / (this.size.height * this.scale)),
    ];
    this.draw();
  }

  setDivider(at) {
    this.at = Math.min(1, Math.max(0, at));
    this.tellDivider();
    this.draw();
  }

  tellDivider() {
    const percent = Math.round(this.at * 100);
    this.divider.setAttribute("aria-valuenow", String(percent));
    this.divider.setAttribute("aria-valuetext", `${percent} percent: ${this.names[0]} on the left, ${this.names[1]} on the right`);
  }

  /** Pixel of the result under a pointer, or null. */
  pixelAt(event) {
    const [x, y] = this.onCanvas(event);
    const { left, top } = this.place;
    const pixel = [Math.floor((x - left) / this.scale), Math.floor((y - top) / this.scale)];
    const inside = pixel[0] >= 0 && pixel[1] >= 0 && pixel[0] < this.size.width && pixel[1] < this.size.height;
    return inside ? pixel : null;
  }

  onCanvas(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio];
  }

  listen() {
    const { pan, divider } = this;
    for (const element of [pan, divider]) {
      element.addEventListener("pointerdown", (event) => this.down(event, element));
      element.addEventListener("pointermove", (event) => this.moved(event));
      for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
      element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }
    pan.addEventListener("pointerleave", () => this.told.move(null));
    pan.addEventListener("dblclick", () => this.fit());
    divider.addEventListener("keydown", (event) => this.dividerKey(event));
    pan.addEventListener("keydown", (event) => this.panKey(event));
  }

  down(event, element) {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    const drags = element === this.divider || (!this.zoomed && !event.shiftKey) ? "divider" : event.shiftKey ? "window" : "pan";
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, drags });
    if (drags === "divider" && element === this.pan && event.pointerType === "mouse") this.dividerTo(event);
  }

  moved(event) {
    const pointer = this.pointers.get(event.pointerId);
    this.told.move(pointer && pointer.drags !== "divider" ? null : this.pixelAt(event));
    if (!pointer) return;
    const [dx, dy] = [event.clientX - pointer.x, event.clientY - pointer.y];
    if (this.pointers.size === 2) this.pinch(event, pointer);
    else if (pointer.drags === "divider") this.dividerTo(event);
    else if (pointer.drags === "window") this.told.window(dx, dy);
    else this.moveBy(dx * this.ratio, dy * this.ratio);
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
  }

  pinch(event, pointer) {
    const other = [...this.pointers.values()].find((each) => each !== pointer);
    const before = Math.hypot(pointer.x - other.x, pointer.y - other.y);
    const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    const [x, y] = this.onCanvas({ clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 });
    if (before > 0) this.zoomBy(after / before, x, y);
    this.moveBy(((event.clientX - pointer.x) / 2) * this.ratio, ((event.clientY - pointer.y) / 2) * this.ratio);
  }

  dividerTo(event) {
    const [from, to] = this.seen;
    if (to > from) this.setDivider((this.onCanvas(event)[0] - from) / (to - from));
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.pan) return; // else the page scrolls
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...this.onCanvas(event));
  }

  dividerKey(event) {
    const steps = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.setDivider(this.at + steps[event.key]);
  }

  panKey(event) {
    const step = 48 * this.ratio;
    const acts = {
      ArrowLeft: () => this.moveBy(step, 0),
      ArrowRight: () => this.moveBy(-step, 0),
      ArrowUp: () => this.moveBy(0, step),
      ArrowDown: () => this.moveBy(0, -step),
      "+": () => this.zoomBy(STEP),
      "=": () => this.zoomBy(STEP),
      "-": () => this.zoomBy(1 / STEP),
      0: () => this.fit(),
    };
    if (!(event.key in acts) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key.startsWith("Arrow") && !this.zoomed) return; // there is nothing to move: the page may scroll
    event.preventDefault();
    acts[event.key]();
  }
}
