// Elements. A text is always a text node and never parsed as HTML, whatever it contains.

/**
 * Create an element: `h("a", {href: "#/users"}, "Users")`. A property `on…` is an event listener; `true` sets an
 * attribute without a value; `null`, `undefined` and `false` are left out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false || name === "value") continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...present(children));
  // After the children: a select has no options before.
  if (properties.value !== undefined && properties.value !== null) element.value = properties.value;
  return element;
}

/** Return a text of the API's documentation as paragraphs; what stands between backticks is code. */
export function prose(text) {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== "");
  return paragraphs.map((paragraph) => h("p", {}, inline(paragraph)));
}

/** Return the parts of a line of documentation. */
export function inline(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

/** Return the element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Replace everything in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Show a modal dialog and remove it once it is closed. `onclose` receives the dialog's return value. */
export function openDialog(dialog, onclose = () => {}) {
  dialog.addEventListener("close", () => {
    dialog.remove();
    onclose(dialog.returnValue);
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Show a message at the edge of the page for some seconds. */
export function notify(text) {
  const notice = byId("notice");
  fill(notice, h("p", {}, text));
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => fill(notice), 6000);
}
