// Talking to the server that this page came from, and to no other.

const TYPES = { u8: Uint8Array, u16: Uint16Array, f32: Float32Array };
const FIRST_ASK_MS = 250;
const NEXT_ASK_MS = 400;

/** What went wrong, as the server or we say it. code: "offline", "gone", "too-large", ... */
export class Fault extends Error {
  constructor({ what, expected = "", hint = "", code = "" }) {
    super(what);
    Object.assign(this, { what, expected, hint, code });
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault({ what: "the demo does not answer", expected: "edge-sr demo, running", hint: "start it again in its terminal; this page can stay open", code: "offline" });
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new Fault(told?.error ?? { what: `the server answers ${response.status}`, hint: "load this page again" });
}

const address = (path, words) => {
  const given = Object.entries(words).filter(([, value]) => value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
};

export const get = async (path, words = {}) => (await ask(address(path, words), {})).json();
export const act = async (path) => (await ask(path, { method: "POST" })).json();

/**
 * Ask for pictures. body: a file or null. waiting(before): is told, while the answer is not there, how many jobs come first.
 * signal: an AbortSignal that takes it out of the line again.
 * Gives {header, planes}; planes by name: {width, height, type, values}.
 */
export async function compute(path, words, body, waiting, signal) {
  const job = Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");
  let timer = setTimeout(look, FIRST_ASK_MS);
  async function look() {
    const queue = await get("api/queue", { job }).catch(() => null);
    if (timer === null) return;
    waiting(queue?.before ?? 0);
    timer = setTimeout(look, NEXT_ASK_MS);
  }
  try {
    const response = await ask(address(path, { ...words, job }), { method: "POST", body, signal });
    return parse(await response.arrayBuffer());
  } catch (error) {
    throw error instanceof TypeError ? new Fault({ what: "the answer broke off", hint: "try again", code: "offline" }) : error;
  } finally {
    clearTimeout(timer);
    timer = null;
    waiting(null);
  }
}

function parse(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const planes = {};
  for (const { name, width, height, type, offset } of header.planes) {
    planes[name] = { width, height, type, values: new TYPES[type](buffer, 4 + length + offset, width * height) };
  }
  return { header, planes };
}
