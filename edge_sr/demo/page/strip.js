// The strip of a folder: how far it is, how many pictures a second, how many watts.

import { Fault, act, get } from "./api.js";
import { $, NONE, short, text } from "./panel.js";

const EVERY_MS = 500;

export function startStrip(meter, fail) {
  $("strip").hidden = false;
  text("watts-title", meter ? `Watts, ${meter.covers}` : "Watts: no meter on this machine");
  let timer = null;

  async function look() {
    clearTimeout(timer);
    try {
      const folder = await get("api/folder");
      show(folder);
      if (folder.state === "running") timer = setTimeout(look, EVERY_MS);
    } catch (fault) {
      text("folder-state", fault instanceof Fault ? fault.what : "the demo does not answer");
      timer = setTimeout(look, 4 * EVERY_MS);
    }
  }

  for (const word of ["start", "stop"]) {
    $(`folder-${word}`).addEventListener("click", async () => {
      try {
        show(await act(`api/folder/${word}`));
      } catch (fault) {
        fail(fault);
      }
      look();
    });
  }
  look();
}

function show(folder) {
  const running = folder.state === "running";
  const ended = folder.done + folder.failed;
  $("folder-start").disabled = running;
  $("folder-stop").disabled = !running;
  $("folder-progress").max = Math.max(1, folder.total);
  $("folder-progress").value = folder.total ? ended : 0;
  text("folder-state", words(folder, ended));
  text("folder-done", `${folder.done} of ${folder.total}`);
  text("folder-failed", String(folder.failed));
  text("folder-left", String(folder.left_out));
  text("folder-joules", short(folder.joules_per_picture));
  text("folder-rate", short(running ? folder.now_per_s : folder.pictures_per_s));
  line($("rate-line"), folder.rates);
  const watts = folder.watts?.findLast((value) => value !== null) ?? null;
  text("folder-watts", watts === null ? NONE : short(watts));
  line($("watts-line"), folder.watts ?? []);
}

function words(folder, ended) {
  if (folder.state === "ready") return "ready";
  if (folder.state === "running") return `picture ${ended + 1} of ${folder.total}`;
  if (folder.state === "done" && folder.total === 0) return "nothing to do: its results are there already, or it holds no picture";
  const rate = folder.pictures_per_s ? `, ${short(folder.pictures_per_s)} a second` : "";
  return `${folder.state}: ${folder.done} pictures in ${short(folder.seconds)} s${rate}`;
}

/** Values as a line over the last minute; gaps are left out. */
function line(svg, values) {
  const most = Math.max(1e-9, ...values.filter((value) => value !== null));
  const points = values.flatMap((value, i) => (value === null ? [] : [`${((i / (values.length - 1)) * 120).toFixed(2)} ${(31 - (value / most) * 28).toFixed(2)}`]));
  const path = points.length > 1 ? `M${points.join("L")}` : "";
  svg.querySelector(".line").setAttribute("d", path);
  svg.querySelector(".area").setAttribute("d", path && `${path}L${points.at(-1).split(" ")[0]} 32L${points[0].split(" ")[0]} 32Z`);
}
