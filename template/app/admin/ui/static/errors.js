// Errors: what happened, and where to look.

import { h } from "./dom.js";

/** Return an element that shows an error. With `again`, it has a button that calls it. */
export function errorPanel(error, again = null) {
  const facts = [error.code, error.requestId && `request ${error.requestId}`].filter(Boolean).join(" · ");
  return h(
    "div",
    { class: "error", role: "alert" },
    h("p", {}, error.message),
    listOf(error),
    facts && h("p", { class: "hint" }, facts),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}

function listOf(error) {
  const errors = invalidValues(error);
  return errors.length > 0 && h("ul", {}, errors.map(({ name, text }) => h("li", {}, name && `${name}: `, text)));
}

/** Return the invalid values that a response names: `[{name, text}]`. */
export function invalidValues(error) {
  const errors = Array.isArray(error.details?.errors) ? error.details.errors : [];
  return errors.map(({ loc = [], msg = "" }) => ({ name: loc.slice(1).join("."), text: msg }));
}
