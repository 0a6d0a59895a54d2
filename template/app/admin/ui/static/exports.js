// Files with all rows that match, where the list route has a parameter `format`.

import { download } from "./api.js";
import { h, notify } from "./dom.js";

/** Return a button for each file format of a table. */
export function exportButtons(view, query) {
  return view.exports.map((format) => {
    const button = h("button", { type: "button" }, `Export ${format.toUpperCase()}`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const { skip: _skip, limit: _limit, cursor: _cursor, ...filters } = query;
        const name = view.title.toLowerCase().replaceAll(" ", "-");
        save(await download(view.path, { ...filters, format }), `${name}.${format}`);
      } catch (error) {
        notify(`The export failed. ${error.message}`);
      } finally {
        button.disabled = false;
      }
    });
    return button;
  });
}

function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
