// Buttons that change an item, each with a confirmation.

import { request } from "./api.js";
import { h, notify } from "./dom.js";
import { formDialog } from "./editing.js";
import { nameOf } from "./values.js";

/**
 * Return the buttons of the actions that an item allows.
 *
 * `done(deleted)` is called after an action; `deleted` says whether the item no longer exists.
 */
export function actionButtons(view, item, { actions, done }) {
  const allowed = actions.filter((action) => isAllowed(action, item));
  return allowed.map((action) => {
    const onclick = () => confirm(view, item, action, done);
    return h("button", { type: "button", class: action.danger && "danger", onclick }, action.label);
  });
}

function isAllowed(action, item) {
  return Object.entries(action.only_if).every(([name, values]) => values.includes(item[name]));
}

function confirm(view, item, action, done) {
  const path = `${view.path}/${encodeURIComponent(item[view.key])}`;
  formDialog({
    title: action.label,
    subject: nameOf(view, item),
    description: action.confirm,
    fields: action.fields,
    submit: action.label,
    danger: action.danger,
    save: (values) =>
      request(action.method, path + action.path, { body: action.fields.length > 0 ? values : undefined }),
    saved: async () => {
      notify(`${action.label}: done.`);
      done(action.method === "DELETE" && !(await exists(view, path)));
    },
  });
}

async function exists(view, path) {
  if (!view.has_item) return false;
  try {
    await request("GET", path);
    return true;
  } catch (error) {
    return error.status !== 404;
  }
}
