// How values are shown.

import { h } from "./dom.js";

/** Return an element that shows a value of a field. */
export function shown(field, value) {
  if (value === null || value === undefined || value === "") return h("span", { class: "none" }, "—");
  if (field.link) return h("a", { href: itemAddress(field.link, value) }, h("code", {}, String(value)));
  switch (field.kind) {
    case "boolean":
      return h("span", { class: value ? "badge yes" : "badge no" }, value ? "Yes" : "No");
    case "choice":
      return h("span", { class: "badge" }, h("bdi", {}, String(value).replaceAll("_", " ")));
    case "datetime":
      return time(value);
    case "integer":
    case "number":
      return h("span", { class: "number" }, Number(value).toLocaleString());
    case "id":
      return h("code", {}, String(value));
    default:
      // Isolated: the direction of a value's characters must not reorder the text around it.
      return typeof value === "string" ? h("bdi", {}, value) : h("pre", {}, JSON.stringify(value, null, 2));
  }
}

function time(value) {
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return h("bdi", {}, String(value));
  const text = at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: value, title: at.toISOString() }, text);
}

/** Return the name of an item in headings and confirmations. */
export function nameOf(view, item) {
  const name = item[view.label];
  return name === null || name === undefined || name === "" ? String(item[view.key]) : String(name);
}

/** Return the address of an item's page. */
export function itemAddress(path, key) {
  return `#${path}/${encodeURIComponent(key)}`;
}
