// The page: what is open, how it is to be made and shown, and what follows from either.

import { Fault, compute, get } from "./api.js";
import { $, NONE, radios, short, showMade, showPhases, showScores, spell, text } from "./panel.js";
import { Stage } from "./stage.js";
import { startStrip } from "./strip.js";
import { MAPS, SIGNED, mapOf, paintGrey, paintLegend, paintMap, reach, rms, topOf } from "./views.js";

const NAMES = { input: "Input", bicubic: "Bicubic", result: "Result", difference: "Difference", beyond: "Beyond the input", spread: "Spread", truth: "Original", error: "Error" };
const [ENERGY_TRIES, ENOUGH_READINGS] = [8, 10]; // of a picture shorter than so many readings the energy is mostly its neighbours'
const [QUICK_MS, QUIET_MS] = [150, 600]; // a picture this quick has its spread measured unasked, once nothing moves

const state = {
  about: null,
  source: { sample: 0 }, // or {file, reduce}
  ids: null, // {picture, result} at the server
  planes: {},
  header: null,
  scale: 4,
  wish: { model: null, steps: null, fidelity: null, seed: null },
  show: { before: "input", after: "result", window: 255, level: 128, invert: false },
  maps: {}, // of this result: {map, end}
  ends: {}, // of this picture, so that colours mean the same from one run to the next
};
const canvases = Object.fromEntries(Object.keys(NAMES).map((name) => [name, document.createElement("canvas")]));
const stage = new Stage($("stage"), { zoom: (words) => text("zoom-level", words), move: readout, window: dragWindow });
let running = null; // the run that is on
let again = false; // wanted once more when it has ended

// --- Running ----------------------------------------------------------------------------------------------------------

/** Make what the state asks for; while one run is on, only the last wish is kept. fresh: a new picture. */
async function run({ fresh = false } = {}) {
  if (fresh) state.ids = null;
  quiet(); // what was asked for unasked steps aside
  if (running) {
    again = true;
    return running;
  }
  running = (async () => {
    do {
      again = false;
      try {
        await runOnce();
        closeFault();
      } catch (fault) {
        fail(fault);
      }
    } while (again);
    running = null;
  })();
  return running;
}

async function runOnce() {
  const started = performance.now();
  const source = state.source;
  const known = state.ids?.picture ?? null;
  const words = { ...state.wish, result_only: known && state.planes.bicubic?.width === expectedWidth() ? 1 : null };
  let answer;
  if (known) {
    try {
      answer = await compute("api/upscale", { ...words, picture: known }, null, waiting);
    } catch (fault) {
      if (fault.code !== "gone") throw fault;
      state.ids = null; // the server keeps a few pictures only; we still have the file
      return runOnce();
    }
  } else if ("sample" in source) {
    answer = await compute("api/upscale", { ...state.wish, sample: source.sample }, null, waiting);
  } else {
    answer = await compute("api/upscale", { ...state.wish, reduce: source.reduce ? 1 : null }, source.file, waiting);
  }
  if (source !== state.source) return; // another picture was opened meanwhile
  take(answer, { fresh: !known });
  const [since, from] = source.opened ? [source.opened, "it was opened"] : [started, "it was asked for"];
  source.opened = null;
  requestAnimationFrame(() => setTimeout(() => text("seen", `on the screen ${spell(performance.now() - since).join(" ")} after ${from}`)));
  await refreshSpread();
}

function expectedWidth() {
  const offer = offerOf(state.wish.model);
  return state.planes.input ? state.planes.input.width * offer.scale : 0;
}

function take({ header, planes }, { fresh }) {
  Object.assign(state, { header, scale: header.scale, ids: { picture: header.picture, result: header.result }, maps: {} });
  state.planes = fresh ? planes : { ...state.planes, ...planes };
  delete state.planes.spread;
  if (fresh) {
    state.ends = {};
    state.at = performance.now();
    resetWindow();
  }
  enableTruth();
  paint();
  showAll();
}

async function refreshSpread() {
  quiet();
  const noisy = offerOf(state.wish.model).draws_noise;
  const radio = document.querySelector('#after input[value="spread"]');
  radio.disabled = !noisy;
  if (!noisy) {
    text("differs", NONE);
    text("differs-note", "this model draws nothing: it has one answer and cannot tell how sure it is");
    if (state.show.after === "spread") choose("after", "result");
    return;
  }
  if (state.show.after === "spread") return measureSpread(waiting);
  text("differs", NONE);
  text("differs-note", "grey levels on average: open Spread to measure it");
  const total = Object.values(state.header.phases_ms).reduce((sum, ms) => sum + ms, 0);
  if (total > QUICK_MS) return;
  state.aside = new AbortController();
  const { signal } = state.aside;
  state.timer = setTimeout(() => measureSpread(() => {}, signal).catch(() => {}), QUIET_MS);
}

function quiet() {
  clearTimeout(state.timer);
  state.aside?.abort();
}

async function measureSpread(waiting, signal) {
  const { picture, result } = state.ids;
  const { header, planes } = await compute("api/spread", { ...state.wish, picture }, null, waiting, signal);
  if (state.ids?.result !== result) return;
  state.planes.spread = planes.spread;
  delete state.maps.spread;
  state.spread = header;
  text("differs", short(header.grey_levels.mean));
  text("differs-note", `grey levels on average over ${header.seeds} seeds, ${short(header.grey_levels.p99)} in the most uncertain hundredth`);
  if (state.show.after === "spread") paint();
}

function waiting(before) {
  const busy = $("busy");
  busy.hidden = before === null;
  if (before !== null) busy.textContent = before === 0 ? "Working…" : before === 1 ? "1 job before yours" : `${before} jobs before yours`;
}

// --- Showing ----------------------------------------------------------------------------------------------------------

function pictureOf(name) {
  if (!MAPS.has(name)) {
    const plane = state.planes[name];
    return plane ? paintGrey(plane, state.show, canvases[name]) : null;
  }
  if (name === "spread" && !state.planes.spread) return null;
  state.maps[name] ??= mapOf(name, state.planes, state.scale);
  state.ends[name] ??= reach(state.maps[name]);
  return paintMap(state.maps[name], name, state.ends[name], canvases[name]);
}

function paint() {
  const { before, after } = state.show;
  const { width, height } = state.planes.result ?? { width: 256, height: 256 };
  const right = pictureOf(after);
  stage.show([pictureOf(before), right], [NAMES[before], NAMES[after]], { width, height });
  text("tag-before", NAMES[before]);
  text("tag-after", NAMES[after]);
  text("caption", captionOf(after));
  const legend = $("legend");
  legend.classList.toggle("shown", MAPS.has(after) && right !== null);
  if (MAPS.has(after) && right !== null) {
    paintLegend(after, $("legend-bar"));
    text("legend-low", SIGNED.has(after) ? `−${state.ends[after]}` : "0");
    text("legend-high", `${state.ends[after]} grey levels of 255`);
  }
}

function captionOf(name) {
  const block = `${state.scale}×${state.scale}`;
  const { seeds, fidelity } = state.spread ?? { seeds: 8, fidelity: 0 };
  return {
    result: `What the model made of it. Each ${block} block has the mean of the input pixel it came from, as far as the figure beside says; how it is spread inside the block is an estimate.`,
    difference: "Result minus bicubic: what the model changed against plain interpolation. Orange is brighter, blue is darker.",
    beyond: `Result minus its own ${block} block means. The input fixes these means and nothing finer: any picture with the same means fits it as well. All of this is estimated.`,
    spread: `Where ${seeds} samples from different seeds lie apart (standard deviation, fidelity ${short(fidelity)}). Dark is where they agree, which is no proof that they are right.`,
    truth: "The original that the input was made from. The model did not see it.",
    error: "Result minus the original: what the estimate got wrong. Orange is too bright, blue is too dark.",
  }[name];
}

function showAll() {
  const { header, planes, ids } = state;
  const { input, result } = planes;
  const total = showPhases(header.phases_ms);
  const size = (plane) => `${plane.width}×${plane.height}`;
  text("headline", `${size(input)} in, ${size(result)} out, in ${spell(total).join(" ")}`);
  const what = "sample" in state.source ? "A synthetic chest, no patient. " : header.note ? `Note: ${header.note}. ` : "";
  text("sub", `${what}Left is what came in, right is what the model made of it. Everything finer than the input’s pixels is an estimate.`);
  const { lr_rmse: apart } = header.provenance;
  text("agrees", apart < 0.005 ? "< 0.01" : short(apart));
  state.maps.beyond ??= mapOf("beyond", planes, state.scale);
  text("estimated", short(rms(state.maps.beyond)));
  showScores(header.scores);
  showMade(header.provenance);
  for (const [id, file] of [["png", "picture.png"], ["provenance", "provenance.json"]]) {
    const link = $(id);
    link.href = `api/results/${ids.result}/${file}`;
    link.download = `${stem()}_x${state.scale}.${id === "png" ? "png" : "json"}`;
    link.removeAttribute("aria-disabled");
    link.removeAttribute("role");
  }
  text("told", `Done: ${size(input)} to ${size(result)} pixels in ${spell(total).join(" ")}.`);
  document.querySelectorAll("[data-scale]").forEach((element) => (element.textContent = state.scale));
  showEnergy(ids.result);
}

const stem = () => ("sample" in state.source ? `sample-${state.source.sample}` : state.source.file.name.replace(/\.[^.]*$/, "") || "picture");

/** A meter's reading after the picture has to come first, so it is asked for until it is there. */
async function showEnergy(result) {
  if (!state.about.meter) return text("energy", "no meter on this machine");
  for (let attempt = 0; attempt < ENERGY_TRIES; attempt++) {
    await new Promise((done) => setTimeout(done, 150 + 150 * attempt));
    if (state.ids?.result !== result) return;
    const { ready, energy_j: joules, power_w: watts, readings } = await get(`api/results/${result}/energy`).catch(() => ({}));
    if (joules !== null && joules !== undefined) return text("energy", `${readings < ENOUGH_READINGS ? "about " : ""}${short(joules * 1e3)} mJ at ${short(watts)} W (${state.about.meter.name})`);
    if (ready) break;
  }
  text("energy", "not available");
}

function readout(pixel) {
  const { input, result } = state.planes;
  if (!pixel || !result) return text("readout", "");
  const [x, y] = pixel;
  const from = input.values[Math.floor(y / state.scale) * input.width + Math.floor(x / state.scale)];
  const map = state.maps[state.show.after];
  const also = map ? `, ${NAMES[state.show.after].toLowerCase()} ${map.values[y * result.width + x].toFixed(1)}` : "";
  text("readout", `${x}, ${y}: input ${from}, result ${result.values[y * result.width + x]}${also}`);
}

// --- Window and level ---------------------------------------------------------------------------------------------------

function setWindow(window, level) {
  const top = state.planes.input ? topOf(state.planes.input) : 255;
  const clamp = (value, low) => Math.round(Math.min(top, Math.max(low, value)));
  Object.assign(state.show, { window: clamp(window, 1), level: clamp(level, 0) });
  for (const name of ["window", "level"]) {
    $(name).max = top;
    $(name).value = state.show[name];
    text(`${name}-value`, String(state.show[name]));
  }
}

/** All grey levels of an 8-bit file; those that occur in a 16-bit one, which seldom fills its range. */
function resetWindow() {
  const { input } = state.planes;
  let [low, high] = [0, topOf(input)];
  if (input.type === "u16") {
    [low, high] = [high, low];
    for (const value of input.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  setWindow(Math.max(1, high - low), (low + high) / 2);
}

function dragWindow(dx, dy) {
  const step = topOf(state.planes.input ?? { type: "u8" }) / 500;
  setWindow(state.show.window + dx * step, state.show.level + dy * step);
  paint();
}

// --- Faults -------------------------------------------------------------------------------------------------------------

function fail(fault) {
  if (!(fault instanceof Fault)) {
    console.warn(fault);
    fault = new Fault({ what: "something went wrong in this page", hint: "load it again" });
  }
  text("fault-what", fault.what[0].toUpperCase() + fault.what.slice(1) + ".");
  text("fault-expected", fault.expected ? `Expected: ${fault.expected}.` : "");
  text("fault-hint", fault.hint ? `Try: ${fault.hint}` : "");
  const action = $("fault-action");
  const source = state.source; // a moment later the former picture is back
  const retry = ["Try again", () => (state.source === source && state.ids ? run() : openSource(source))];
  const smaller = ["Make it smaller first", () => openSource({ ...source, reduce: true })];
  const [words, act] = { "too-large": smaller, offline: retry, busy: retry }[fault.code] ?? [];
  action.hidden = !act;
  action.textContent = words ?? "";
  action.onclick = act ?? null;
  $("fault").hidden = false;
}

function closeFault() {
  $("fault").hidden = true;
}

// --- Opening ------------------------------------------------------------------------------------------------------------

async function open(files) {
  const [file, truth] = [...files].sort((a, b) => a.size - b.size);
  if (!file) return;
  const tooLarge = [file, truth].find((each) => each && each.size > state.about.most_bytes);
  if (tooLarge) {
    return fail(new Fault({ what: "this file is too large for this page", expected: `at most ${Math.round(state.about.most_bytes / 1e6)} MB`, hint: "on the command line: edge-sr run FILE" }));
  }
  await openSource({ file, reduce: $("reduce").checked && !truth, opened: performance.now() }, truth);
}

async function openSource(source, truth = null) {
  closeFault();
  const before = { source: state.source, ids: state.ids };
  state.source = source;
  await run({ fresh: true });
  if (state.source === source && !state.ids) Object.assign(state, before); // it came to nothing: the former stays
  else if (truth) await addTruth(truth);
  if (state.source.file) $("reduce").checked = state.source.reduce;
}

async function addTruth(file) {
  if (!file || !state.ids) return;
  try {
    const { header, planes } = await compute("api/truth", { picture: state.ids.picture, result: state.ids.result }, file, waiting);
    state.ids.picture = header.picture;
    state.planes.truth = planes.truth;
    state.header.scores = header.scores;
    showScores(header.scores);
    enableTruth();
    closeFault();
    paint();
  } catch (fault) {
    fail(fault);
  }
}

function enableTruth() {
  for (const name of ["truth", "error"]) {
    document.querySelector(`#after input[value="${name}"]`).disabled = !state.planes.truth;
    if (!state.planes.truth && state.show.after === name) choose("after", "result");
  }
}

function choose(side, name) {
  state.show[side] = name;
  document.querySelector(`#${side} input[value="${name}"]`).checked = true;
}

// --- Knobs ------------------------------------------------------------------------------------------------------------------

const offerOf = (word) => state.about.models.find((offer) => offer.word === word) ?? state.about.models[0];

function setModel(word) {
  const offer = offerOf(word);
  const variant = offer.variants.find((each) => each.default) ?? offer.variants[0];
  state.wish = { model: offer.word, steps: variant.steps, fidelity: offer.draws_noise ? offer.fidelity : null, seed: offer.draws_noise ? offer.seed : null };
  const steps = offer.variants.map((each) => [each.steps, each.steps === null ? "one pass" : String(each.steps), each.engine ?? `no engine: the bundle’s networks in ${each.precision}`]);
  radios($("steps"), steps, state.wish.steps, (value) => {
    state.wish.steps = value;
    run();
  });
  $("fidelity").value = offer.fidelity;
  $("seed").value = offer.seed;
  for (const id of ["fidelity", "seed", "roll"]) $(id).disabled = !offer.draws_noise;
  tellFidelity();
}

function tellFidelity() {
  const { draws_noise: noisy } = offerOf(state.wish.model);
  text("fidelity-value", noisy ? Number($("fidelity").value).toFixed(2) : NONE);
  const at = state.wish.fidelity;
  text("fidelity-note", !noisy ? "This model draws no noise: there is nothing to turn." : at === 1 ? "At 1 no noise goes in: the seed changes nothing. Turn it down for texture that could be there." : "Below 1 the model draws texture that could be there. Another seed, another texture.");
}

function listen() {
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", (event) => {
    open(event.target.files).finally(() => (event.target.value = ""));
  });
  $("sample").addEventListener("click", () => {
    const next = "sample" in state.source ? (state.source.sample + 1) % state.about.samples : 0;
    openSource({ sample: next });
  });
  $("reduce").addEventListener("change", (event) => {
    if (!state.source.file) return;
    openSource({ ...state.source, reduce: event.target.checked });
  });
  for (const side of ["before", "after"]) {
    $(side).addEventListener("change", async (event) => {
      state.show[side] = event.target.value;
      paint();
      if (event.target.value === "spread" && !state.planes.spread) await refreshSpread().catch(fail);
    });
  }
  $("fidelity").addEventListener("input", (event) => {
    state.wish.fidelity = Number(event.target.value);
    tellFidelity();
    run();
  });
  $("seed").addEventListener("change", (event) => {
    if (!event.target.checkValidity() || event.target.value === "") event.target.value = state.wish.seed;
    state.wish.seed = Number(event.target.value);
    run();
  });
  $("roll").addEventListener("click", () => {
    $("seed").value = state.wish.seed = crypto.getRandomValues(new Uint32Array(1))[0];
    run();
  });
  for (const name of ["window", "level"]) {
    $(name).addEventListener("input", () => {
      setWindow(Number($("window").value), Number($("level").value));
      paint();
    });
  }
  $("invert").addEventListener("change", (event) => {
    state.show.invert = event.target.checked;
    paint();
  });
  $("pan").addEventListener("keydown", (event) => event.key === "i" && !event.ctrlKey && $("invert").click());
  $("reset").addEventListener("click", () => {
    $("invert").checked = state.show.invert = false;
    resetWindow();
    stage.setDivider(0.5);
    stage.fit();
    paint();
  });
  $("zoom-in").addEventListener("click", () => stage.zoomBy(1.5));
  $("zoom-out").addEventListener("click", () => stage.zoomBy(1 / 1.5));
  $("zoom-fit").addEventListener("click", () => stage.fit());
  $("fault-close").addEventListener("click", closeFault);
  $("truth").addEventListener("click", () => $("truth-file").click());
  $("truth-file").addEventListener("change", (event) => {
    addTruth(event.target.files[0]).finally(() => (event.target.value = ""));
  });
  listenToDrops();
}

function listenToDrops() {
  const overTruth = (event) => $("truth-zone").contains(event.target) && Boolean(state.ids);
  const done = () => {
    $("drop").hidden = true;
    $("truth-zone").classList.remove("over");
  };
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").hidden = overTruth(event);
    $("truth-zone").classList.toggle("over", overTruth(event));
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && done());
  addEventListener("drop", (event) => {
    done();
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    if (overTruth(event)) addTruth(event.dataTransfer.files[0]);
    else open(event.dataTransfer.files);
  });
}

async function start() {
  if (location.search) history.replaceState(null, "", location.pathname); // a token has no business in the address
  listen();
  try {
    state.about = await get("api/about");
  } catch (fault) {
    return fail(fault);
  }
  const { about } = state;
  text("where", `on ${about.machine}`);
  text("footer-notice", about.notice);
  text("version", `edge-sr ${about.version}`);
  radios($("model"), about.models.map((offer) => [offer.word, offer.word, offer.title]), about.models[0].word, (word) => {
    setModel(word);
    run();
  });
  setModel(about.models[0].word);
  if (about.folder) startStrip(about.meter, fail);
  await run({ fresh: true });
  document.documentElement.dataset.ready = "1";
}

start();
