// Addresses: `#/users?search=ann` is a table, `#/users/0190…` an item. The part after `#` is never sent to the server.

import { queryString } from "./api.js";

/** Return the view, the key of the item (or `null`) and the query that an address names; `null` for an unknown one. */
export function parse(hash, views) {
  const [path, search = ""] = split(hash.replace(/^#/, ""));
  const matching = views.filter((view) => path === view.path || path.startsWith(`${view.path}/`));
  // Of `/dashboard` and `/dashboard/audit-logs`, the longer one.
  const view = matching.sort((one, other) => other.path.length - one.path.length)[0];
  if (view === undefined) return null;
  const rest = path.slice(view.path.length + 1);
  return { view, key: rest === "" ? null : decoded(rest), query: Object.fromEntries(new URLSearchParams(search)) };
}

function split(text) {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Return the address of a table. */
export function tableAddress(view, query) {
  return `#${view.path}${queryString(query)}`;
}
