// Keyboard shortcuts. They do nothing while an input or a dialog has the focus, or together with a modifier.

import { h, openDialog } from "./dom.js";

const SHORTCUTS = [
  ["/", "Go to the search box", () => focus("#filter-search")],
  ["j", "Next row", () => move(1)],
  ["k", "Previous row", () => move(-1)],
  ["n", "Next page", () => follow('main a[rel="next"]')],
  ["p", "Previous page", () => follow('main a[rel="prev"]')],
  ["u", "Back to the table", () => follow('main a[rel="up"]')],
  ["m", "Go to the menu", () => focus("#menu a")],
  ["?", "Show these shortcuts", help],
];

/** Listen to the shortcuts. */
export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const shortcut = SHORTCUTS.find(([key]) => key === event.key);
    if (shortcut === undefined) return;
    event.preventDefault();
    shortcut[2]();
  });
}

function focus(selector) {
  document.querySelector(selector)?.focus();
}

function follow(selector) {
  document.querySelector(selector)?.click();
}

function move(step) {
  const links = [...document.querySelectorAll("main tbody a.row")];
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step;
  links[Math.min(Math.max(next, 0), links.length - 1)]?.focus();
}

function help() {
  const entries = SHORTCUTS.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)));
  const close = h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close");
  const dialog = h(
    "dialog",
    { "aria-label": "Keyboard shortcuts" },
    h("h2", {}, "Keyboard shortcuts"),
    h("dl", { class: "keys" }, entries),
    h("div", { class: "buttons end" }, close),
  );
  openDialog(dialog);
}
