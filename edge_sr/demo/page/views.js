// From numbers to pictures: grey levels through window and level, signed and unsigned maps through palettes.

const NICE = [1, 2, 4, 8, 16, 32, 64, 128, 255]; // ends of a map's scale, in grey levels of 255
const SHARE = 0.995; // of a map's pixels lie within its scale
const DIVERGING = [[146, 203, 255], [36, 120, 200], [14, 20, 26], [214, 122, 24], [255, 214, 150]];
const SEQUENTIAL = [[8, 10, 24], [74, 24, 110], [170, 50, 96], [240, 128, 50], [252, 232, 164]];

export const SIGNED = new Set(["difference", "beyond", "error"]);
export const MAPS = new Set([...SIGNED, "spread"]);

export const topOf = (plane) => (plane.type === "u16" ? 65535 : 255);

/** The map of a name as {width, height, values}, Float32Array in grey levels of 255. */
export function mapOf(name, planes, scale) {
  const { result, bicubic, truth, spread } = planes;
  if (name === "difference") return minus(result, bicubic);
  if (name === "error") return minus(result, truth);
  if (name === "beyond") return beyond(result, scale);
  return { ...spread, values: spread.values.map((deviation) => deviation * 255) };
}

function minus(a, b) {
  const values = new Float32Array(a.values.length);
  const unit = 255 / topOf(a);
  for (let i = 0; i < values.length; i++) values[i] = (a.values[i] - b.values[i]) * unit;
  return { width: a.width, height: a.height, values };
}

/** A picture less the mean of each of its scale x scale blocks: what these means do not say. */
function beyond({ width, height, values, type }, scale) {
  const columns = width / scale;
  const out = new Float32Array(values.length);
  const means = new Float32Array(columns);
  const unit = 255 / topOf({ type });
  for (let top = 0; top < height; top += scale) {
    means.fill(0);
    for (let y = top; y < top + scale; y++) for (let x = 0; x < width; x++) means[(x / scale) | 0] += values[y * width + x];
    for (let y = top; y < top + scale; y++) {
      for (let x = 0; x < width; x++) out[y * width + x] = (values[y * width + x] - means[(x / scale) | 0] / (scale * scale)) * unit;
    }
  }
  return { width, height, values: out };
}

export function rms({ values }) {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}

/** The end of a map's scale: the nicest number that holds nearly all of it. */
export function reach({ values }) {
  const step = Math.max(1, Math.floor(values.length / 65536));
  const sizes = [];
  for (let i = 0; i < values.length; i += step) sizes.push(Math.abs(values[i]));
  sizes.sort((a, b) => a - b);
  const most = sizes[Math.floor((sizes.length - 1) * SHARE)];
  return NICE.find((end) => end >= most) ?? 255;
}

/** Grey levels in the file's own steps. window, level: in these steps; black is level - window/2. */
export function paintGrey(plane, { window, level, invert }, canvas) {
  const top = topOf(plane);
  const table = new Uint32Array(top + 1);
  const low = level - window / 2;
  for (let step = 0; step <= top; step++) {
    const shown = Math.min(255, Math.max(0, Math.round(((step - low) / window) * 255)));
    const grey = invert ? 255 - shown : shown;
    table[step] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return painted(plane, canvas, (pixels, values) => {
    for (let i = 0; i < values.length; i++) pixels[i] = table[values[i]];
  });
}

/** A map on the scale from -end to end where it is signed, else from 0 to end. */
export function paintMap(map, name, end, canvas) {
  const table = palette(SIGNED.has(name) ? DIVERGING : SEQUENTIAL, 1024);
  const [factor, zero] = SIGNED.has(name) ? [511.5 / end, 511.5] : [1023 / end, 0];
  return painted(map, canvas, (pixels, values) => {
    for (let i = 0; i < values.length; i++) pixels[i] = table[Math.min(1023, Math.max(0, (values[i] * factor + zero) | 0))];
  });
}

export function paintLegend(name, canvas) {
  const table = palette(SIGNED.has(name) ? DIVERGING : SEQUENTIAL, canvas.width);
  const image = new ImageData(canvas.width, 1);
  new Uint32Array(image.data.buffer).set(table);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function painted({ width, height, values }, canvas, fill) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  fill(new Uint32Array(image.data.buffer), values);
  context.putImageData(image, 0, 0);
  return canvas;
}

function palette(stops, size) {
  const table = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    const at = (i / (size - 1)) * (stops.length - 1);
    const first = Math.min(stops.length - 2, Math.floor(at));
    const [r, g, b] = stops[first].map((value, k) => Math.round(value + (stops[first + 1][k] - value) * (at - first)));
    table[i] = (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  }
  return table;
}
