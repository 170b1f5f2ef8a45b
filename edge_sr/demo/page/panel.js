// The words and figures beside the picture.

export const $ = (id) => document.getElementById(id);
export const NONE = "–";

export const text = (id, words) => {
  const element = $(id);
  if (element.textContent !== words) element.textContent = words;
};

/** A number with about three digits that count. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Milliseconds as [number, unit]. */
export const spell = (ms) => (ms >= 1000 ? [(ms / 1000).toFixed(1), "s"] : [short(ms), "ms"]);

const PHASES = {
  decode: "decode, in a process of its own",
  prepare: "prepare",
  queue: "wait for the device",
  copy_in: "copy in",
  compute: "compute",
  copy_out: "copy out",
  finish: "blend and check",
};

export function showPhases(phases) {
  const shown = Object.entries(phases).filter(([name]) => name in PHASES);
  const total = shown.reduce((sum, [, ms]) => sum + ms, 0);
  const [number, unit] = spell(total);
  text("total", number);
  text("total-unit", unit);
  const order = Object.keys(PHASES);
  $("phases").replaceChildren(
    ...shown.map(([name, ms]) => {
      const part = document.createElement("i");
      part.className = `p${order.indexOf(name)}`;
      part.style.flexGrow = String(ms);
      return part;
    }),
  );
  $("phase-list").replaceChildren(...shown.map(([name, ms]) => row(PHASES[name], `${ms.toFixed(2)} ms`, `p${order.indexOf(name)}`)));
  return total;
}

function row(term, value, colour) {
  const [line, dt, dd, dot] = ["div", "dt", "dd", "span"].map((tag) => document.createElement(tag));
  dot.className = `dot ${colour}`;
  dot.ariaHidden = "true";
  dt.append(dot, term);
  dd.textContent = value;
  line.append(dt, dd);
  return line;
}

export function showMade(provenance) {
  text("made-model", provenance.model);
  text("made-precision", provenance.precision + (provenance.steps ? `, ${provenance.steps} step${provenance.steps > 1 ? "s" : ""} of ${provenance.sampler}` : ""));
  text("made-engine", provenance.engine ?? "none: the bundle’s own networks");
  text("made-backend", provenance.backend);
}

const MEASURES = [["psnr", "psnr_db", 2], ["ssim", "ssim", 4], ["haarpsi", "haarpsi", 4]];

export function showScores(scores) {
  for (const [id, key, digits] of MEASURES) {
    const [bicubic, result] = ["bicubic", "result"].map((row) => scores?.[row][key]);
    text(`${id}-bicubic`, scores ? (bicubic === null ? "∞" : bicubic.toFixed(digits)) : NONE);
    text(`${id}-result`, scores ? (result === null ? "∞" : result.toFixed(digits)) : NONE);
    $(`${id}-result`).classList.toggle("better", Boolean(scores) && (result ?? Infinity) > (bicubic ?? Infinity));
    $(`${id}-bicubic`).classList.toggle("better", Boolean(scores) && (bicubic ?? Infinity) > (result ?? Infinity));
  }
  const part = scores && !scores.whole ? ` Of the middle ${scores.pixels.join("×")} pixels.` : "";
  text("truth-note", scores ? `More is better in each.${part}` : "Drop the full-size original here to see how close it came.");
}

/** A row of radio buttons. choices: [value, label, title]; calls chosen(value). */
export function radios(fieldset, choices, current, chosen) {
  const labels = choices.map(([value, words, title]) => {
    const [label, input, span] = ["label", "input", "span"].map((tag) => document.createElement(tag));
    Object.assign(input, { type: "radio", name: fieldset.id, value, checked: value === current });
    input.addEventListener("change", () => chosen(value));
    span.textContent = words;
    if (title) label.title = title;
    label.append(input, span);
    return label;
  });
  fieldset.querySelector("div").replaceChildren(...labels);
}
