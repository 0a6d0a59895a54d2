// The overview: the tables, and the statistics of the modules where there are any.

import { request } from "./api.js";
import { bars } from "./chart.js";
import { fill, h, inline } from "./dom.js";
import { errorPanel } from "./errors.js";

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Show the overview in an element. */
export async function homePage(main, ui, { signal, reload }) {
  const statistics = h("div", {}, ui.statistics && h("p", { class: "hint", role: "status" }, "Loading…"));
  const cards = ui.views.map((view) =>
    h("a", { class: "card", href: `#${view.path}` }, h("strong", {}, view.title), about(view)),
  );
  fill(main, h("h1", {}, "Overview"), statistics, h("h2", {}, "Tables"), h("div", { class: "cards" }, cards));
  if (ui.statistics === null) return;
  try {
    fill(statistics, figures(await request("GET", ui.statistics, { signal })));
  } catch (error) {
    if (!signal.aborted) fill(statistics, errorPanel(error, reload));
  }
}

function about(view) {
  return h("span", { class: "hint" }, inline(view.description.split("\n")[0]));
}

function figures({ as_of: at, figures: all }) {
  const note = `As of ${new Date(at).toLocaleTimeString()}`;
  return [h("div", { class: "cards" }, all.map(figure)), h("p", { class: "hint" }, note)];
}

function figure({ name, unit, values }) {
  const title = sentence(name);
  if (values === null) return card(title, h("span", { class: "none" }, "Not available at the moment"));
  const total = values.reduce((sum, { value }) => sum + value, 0);
  if (values.length === 1 && values[0].label === "total") return card(title, number(values[0], unit));
  if (values.length > 0 && values.every(({ label }) => DAY.test(label))) {
    const sum = { value: total, is_exact: values.every((each) => each.is_exact) };
    return card(`${title}, last ${values.length} days`, number(sum, unit), bars(values, title));
  }
  const rows = values
    .filter(({ value }) => value !== 0)
    .map((each) => h("div", {}, h("dt", {}, each.label.replaceAll("_", " ")), h("dd", {}, number(each, unit))));
  return card(title, rows.length > 0 ? h("dl", { class: "numbers" }, rows) : h("span", { class: "none" }, "None"));
}

function card(title, ...content) {
  return h("section", { class: "card" }, h("h2", { class: "hint" }, title), content);
}

function number({ value, is_exact: isExact }, unit) {
  const text = amount(value, unit);
  const title = isExact ? null : "An estimate, or a lower bound";
  return h("span", { class: "figure", title }, isExact ? text : `≈ ${text}`);
}

/** Return a number with its unit; an amount of money is in the smallest unit of its currency. */
function amount(value, unit) {
  if (unit === "count") return value.toLocaleString();
  if (/^[a-z]{3}$/.test(unit)) {
    const format = new Intl.NumberFormat([], { style: "currency", currency: unit });
    return format.format(value / 10 ** format.resolvedOptions().maximumFractionDigits);
  }
  return `${value.toLocaleString()} ${unit.replaceAll("_", " ")}`;
}

function sentence(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}
