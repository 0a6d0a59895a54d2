// Dialogs with a form: create and edit an item, or confirm an action.

import { fill, h, openDialog, prose } from "./dom.js";
import { errorPanel } from "./errors.js";
import { inputsOf } from "./inputs.js";

/** Return a button that opens a form. `values` are those of the item; without them, the form is for a new one. */
export function editButton(text, form, { values, save, saved }) {
  const onclick = () => formDialog({ ...form, values, submit: "Save", save, saved });
  return h("button", { type: "button", class: "primary", onclick }, text);
}

/**
 * Show a dialog with a form.
 *
 * `save(values)` sends the request. While it runs, the form cannot be sent again; if it fails, the error is shown and
 * the inputs stay. Otherwise the dialog closes and `saved(result)` is called.
 */
export function formDialog({ title, subject, description, fields, values, submit, danger, save, saved }) {
  const inputs = inputsOf(fields, values);
  const problem = h("div", {});
  const button = h("button", { type: "submit", class: danger ? "danger" : "primary" }, submit);
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = h(
    "form",
    { class: "stack" },
    h("h2", {}, title),
    subject && h("p", { class: "subject" }, h("bdi", {}, subject)),
    prose(description),
    inputs.elements,
    problem,
    h("div", { class: "buttons end" }, cancel, button),
  );
  const dialog = h("dialog", { "aria-label": title }, form);
  // While a request is under way, its outcome must not be hidden.
  dialog.addEventListener("cancel", (event) => button.disabled && event.preventDefault());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = cancel.disabled = true;
    fill(problem);
    try {
      const result = await save(inputs.read());
      dialog.close();
      saved(result);
    } catch (error) {
      inputs.mark(error);
      fill(problem, errorPanel(error));
    } finally {
      button.disabled = cancel.disabled = false;
    }
  });
  openDialog(dialog);
  // Enter confirms, except where it would destroy something.
  (inputs.first ?? (danger ? cancel : button)).focus();
}
