// The page of one item: its fields, a form to edit it, and the buttons of its actions.

import { actionButtons } from "./actions.js";
import { request } from "./api.js";
import { fill, h, notify } from "./dom.js";
import { editButton } from "./editing.js";
import { nameOf, shown } from "./values.js";

/** Show an item in an element. */
export async function itemPage(main, view, key, { signal, reload }) {
  fill(main, back(view), h("p", { class: "hint", role: "status" }, "Loading…"));
  const path = `${view.path}/${encodeURIComponent(key)}`;
  const item = await request("GET", path, { signal });
  const changed = (deleted) => {
    if (deleted) location.hash = `#${view.path}`;
    else reload();
  };
  const edit = view.edit && editButton("Edit", view.edit, {
    values: item,
    save: (values) => request("PATCH", path, { body: values }),
    saved: () => {
      notify("Saved.");
      reload();
    },
  });
  fill(
    main,
    back(view),
    h("div", { class: "heading" }, h("h1", {}, h("bdi", {}, nameOf(view, item)))),
    h("div", { class: "buttons" }, edit, actionButtons(view, item, { actions: view.actions, done: changed })),
    h("dl", {}, view.fields.map((field) => entry(field, item[field.name]))),
  );
}

function back(view) {
  return h("p", {}, h("a", { href: `#${view.path}`, rel: "up" }, `← ${view.title}`));
}

function entry(field, value) {
  return h("div", {}, h("dt", { title: field.description }, field.title), h("dd", {}, shown(field, value)));
}
