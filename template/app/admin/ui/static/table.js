// A table: search, filters, sort orders, and pages. Its state is in the address, so that it can be bookmarked.

import { actionButtons } from "./actions.js";
import { request } from "./api.js";
import { fill, h, notify } from "./dom.js";
import { editButton } from "./editing.js";
import { errorPanel } from "./errors.js";
import { exportButtons } from "./exports.js";
import { toolbar } from "./filters.js";
import { pager } from "./paging.js";
import { tableAddress } from "./router.js";
import { itemAddress, nameOf, shown } from "./values.js";

/** Show a table in an element, and load it. */
export async function tablePage(main, view, query, { signal, reload }) {
  const status = h("p", { class: "hint", role: "status" }, "Loading…");
  const content = h("div", { class: "content", "aria-busy": "true" });
  const create = view.create && createButton(view, reload);
  fill(
    main,
    h("div", { class: "heading" }, h("h1", {}, view.title), create, exportButtons(view, query), refreshButton(reload)),
    toolbar(view, query),
    status,
    content,
  );
  try {
    const page = await request("GET", view.path, { query, signal });
    const items = Array.isArray(page) ? page : page.items;
    const again = { reload, extra: view.has_item ? [] : view.actions };
    fill(content, items.length > 0 ? table(view, query, items, again) : empty(view, query));
    fill(status, summary(page, items));
    content.append(pager(view, query, page));
  } catch (error) {
    if (signal.aborted) return;
    fill(status);
    fill(content, errorPanel(error, reload));
  }
  content.removeAttribute("aria-busy");
}

function createButton(view, reload) {
  return editButton("New", view.create, {
    save: (values) => request("POST", view.path, { body: values }),
    saved: (item) => {
      notify("Created.");
      const key = item?.[view.key];
      if (view.has_item && key !== undefined) location.hash = itemAddress(view.path, key);
      else reload();
    },
  });
}

function refreshButton(reload) {
  return h("button", { type: "button", onclick: reload, title: "Load the table again" }, "Refresh");
}

function summary(page, items) {
  if (items.length === 0) return "";
  const first = (page.skip ?? 0) + 1;
  const last = first + items.length - 1;
  return page.total === undefined ? `${items.length} shown` : `${first}–${last} of ${page.total.toLocaleString()}`;
}

function empty(view, query) {
  const { skip, limit, cursor, sort, ...narrowing } = query;
  const start = (text) => h("a", { href: tableAddress(view, { limit, sort }) }, text);
  if (Object.keys(narrowing).length > 0) {
    return h("p", { class: "empty" }, "Nothing matches. ", start("Clear search and filters"));
  }
  if (skip || cursor) return h("p", { class: "empty" }, "This page is past the end. ", start("Go to the first page"));
  return h("p", { class: "empty" }, "This table is empty.");
}

function table(view, query, items, { reload, extra }) {
  const head = view.columns.map((field) =>
    h("th", { scope: "col", ...sorting(query, field) }, heading(view, query, field)),
  );
  const buttons = (item) => actionButtons(view, item, { actions: extra, done: reload });
  const rows = items.map((item) =>
    h(
      "tr",
      {},
      view.columns.map((field, index) => cell(view, item, field, index === 0)),
      extra.length > 0 && h("td", { "data-title": "Actions" }, buttons(item)),
    ),
  );
  if (extra.length > 0) head.push(h("th", { scope: "col" }, "Actions"));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

function cell(view, item, field, isFirst) {
  const value = item[field.name];
  const title = typeof value === "string" && value.length > 40 ? value : null;
  if (!isFirst || !view.has_item) return h("td", { "data-title": field.title, title }, shown(field, value));
  // The first column leads to the item, even if its value is empty.
  const text = value === null || value === "" ? nameOf(view, item) : shown({ ...field, link: null }, value);
  const address = itemAddress(view.path, item[view.key]);
  return h("td", { "data-title": field.title, title }, h("a", { class: "row", href: address }, text));
}

function heading(view, query, field) {
  const next = nextOrder(view, query.sort, field.name);
  if (next === null) return field.title;
  const { skip: _skip, cursor: _cursor, ...kept } = query;
  return h("a", { href: tableAddress(view, { ...kept, sort: next }), title: `Sort by ${field.title}` }, field.title);
}

/** Return the order that a click on a column's heading leads to; `null` if the table cannot be sorted by it. */
function nextOrder(view, current, name) {
  const orders = [name, `-${name}`].filter((order) => view.sort.includes(order));
  if (orders.length === 0) return null;
  return orders.find((order) => order !== current) ?? orders[0];
}

function sorting(query, field) {
  if (query.sort === field.name) return { "aria-sort": "ascending" };
  return query.sort === `-${field.name}` ? { "aria-sort": "descending" } : {};
}
