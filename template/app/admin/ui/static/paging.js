// The links below a table that lead to other pages of it.

import { h } from "./dom.js";
import { tableAddress } from "./router.js";

const SIZES = [20, 50, 100];

/** Return the links to the pages around this one. */
export function pager(view, query, page) {
  if (view.paging === "none") return "";
  const { skip: _skip, cursor: _cursor, ...kept } = query;
  const link = (text, rel, values) => values === null
    ? h("span", { class: "button off", "aria-disabled": "true" }, text)
    : h("a", { class: "button", rel, href: tableAddress(view, { ...kept, ...values }) }, text);
  const [previous, next] = view.paging === "cursor" ? byCursor(query, page) : byOffset(page);
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    link(view.paging === "cursor" ? "First page" : "Previous", "prev", previous),
    link("Next", "next", next),
    sizes(view, kept),
  );
}

function byOffset({ skip, limit, total }) {
  const before = Math.max(0, skip - limit);
  return [skip > 0 ? { skip: before === 0 ? "" : before } : null, skip + limit < total ? { skip: skip + limit } : null];
}

function byCursor(query, page) {
  return [query.cursor ? {} : null, page.next_cursor ? { cursor: page.next_cursor } : null];
}

function sizes(view, kept) {
  const chosen = Number(kept.limit ?? view.page_size);
  const offered = [...new Set([...SIZES, view.page_size, chosen])].filter(Number.isInteger);
  offered.sort((one, other) => one - other);
  const select = h(
    "select",
    { "aria-label": "Rows on a page", value: chosen },
    offered.map((size) => h("option", { value: size }, `${size} rows`)),
  );
  select.addEventListener("change", () => {
    location.hash = tableAddress(view, { ...kept, limit: select.value });
  });
  return select;
}
