// The search box and the filters above a table.

import { h } from "./dom.js";
import { tableAddress } from "./router.js";

/** Return the form with the search box and the filters; `null` for a table without them. */
export function toolbar(view, query) {
  if (view.search === null && view.filters.length === 0 && view.sort.length === 0) return null;
  const form = h(
    "form",
    { class: "toolbar", role: "search", "aria-label": `Search ${view.title}` },
    view.search !== null && searchBox(view, query),
    view.filters.map((field) => labelled(field, filterInput(field, query[field.name] ?? ""))),
    view.sort.length > 0 && labelled({ name: "sort", title: "Sort" }, sortInput(view, query.sort ?? "")),
    h("button", { type: "submit" }, "Apply"),
    h("a", { class: "button", href: tableAddress(view, { limit: query.limit }) }, "Clear"),
  );
  const apply = () => {
    // The first page of the new result; the size of a page stays.
    const entries = [...new FormData(form)].map(([name, value]) => [name, converted(view, name, value)]);
    const values = Object.fromEntries(entries);
    location.hash = tableAddress(view, { ...values, limit: query.limit });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  form.addEventListener("change", ({ target }) => target.tagName === "SELECT" && apply());
  return form;
}

function searchBox(view, query) {
  const input = h("input", {
    id: "filter-search",
    type: "search",
    name: "search",
    value: query.search ?? "",
    placeholder: view.search,
    maxlength: 100,
    "aria-keyshortcuts": "/",
  });
  return h("div", { class: "field wide" }, h("label", { for: "filter-search" }, "Search"), input);
}

function labelled(field, input) {
  input.id = `filter-${field.name}`;
  return h("div", { class: "field", title: field.description }, h("label", { for: input.id }, field.title), input);
}

function filterInput(field, value) {
  const { name } = field;
  const limits = { min: field.minimum, max: field.maximum, maxlength: field.max_length };
  switch (field.kind) {
    case "choice":
      return options(name, value, choicesOf(field));
    case "boolean":
      return options(name, value, [["true", "Yes"], ["false", "No"]]);
    case "datetime":
      return h("input", { name, type: "datetime-local", step: "1", value: localTime(value) });
    case "date":
      return h("input", { name, type: "date", value });
    case "integer":
      return h("input", { name, type: "number", step: "1", value, ...limits });
    case "number":
      return h("input", { name, type: "number", step: "any", value, ...limits });
    default:
      return h("input", { name, type: "text", value, spellcheck: "false", ...limits });
  }
}

/** Return the choices of a field as pairs of value and text. */
export function choicesOf(field) {
  const values = field.choices.filter((value) => value !== null).map(String);
  return values.map((value) => [value, value.replaceAll("_", " ")]);
}

function sortInput(view, value) {
  const title = (order) => `${order.replace("-", "").replaceAll("_", " ")} ${order.startsWith("-") ? "↓" : "↑"}`;
  return options("sort", value, view.sort.map((order) => [order, title(order)]));
}

function options(name, value, choices) {
  const offered = choices.map(([each, text]) => h("option", { value: each }, text));
  return h("select", { name, value }, h("option", { value: "" }, "Any"), offered);
}

function converted(view, name, value) {
  const field = view.filters.find((each) => each.name === name);
  return field?.kind === "datetime" && value !== "" ? new Date(value).toISOString() : value.trim();
}

/** Return a time for an input of the browser's time zone: `2026-11-28T14:05:00`. */
export function localTime(value) {
  const at = new Date(value);
  if (value === "" || Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
