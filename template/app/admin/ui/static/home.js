// The overview: the tables, and the statistics of the modules where there are any.

import { request } from "./api.js";
import { fill, h, inline } from "./dom.js";
import { errorPanel } from "./errors.js";

/** Show the overview in an element. */
export async function homePage(main, ui, signal) {
  const statistics = h("div", {}, ui.statistics && h("p", { class: "hint", role: "status" }, "Loading…"));
  const cards = ui.views.map((view) =>
    h("a", { class: "card", href: `#${view.path}` }, h("strong", {}, view.title), about(view)),
  );
  fill(main, h("h1", {}, "Overview"), statistics, h("h2", {}, "Tables"), h("div", { class: "cards" }, cards));
  if (ui.statistics === null) return;
  try {
    fill(statistics, figures(await request("GET", ui.statistics, { signal })));
  } catch (error) {
    if (!signal.aborted) fill(statistics, errorPanel(error));
  }
}

function about(view) {
  return h("span", { class: "hint" }, inline(view.description.split("\n")[0]));
}

function figures(stats) {
  return h("pre", {}, JSON.stringify(stats, null, 2));
}
