// The start: sign in, show the menu, and show the page that the address names.

import { byId, fill, h } from "./dom.js";
import { errorPanel } from "./errors.js";
import { homePage } from "./home.js";
import { itemPage } from "./item.js";
import { listenToKeys } from "./keys.js";
import { parse } from "./router.js";
import { signIn } from "./session.js";
import { tablePage } from "./table.js";

const PRODUCT = document.title;

let ui = null;
let leaving = new AbortController();

/** Show the page of the current address. */
async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const place = parse(location.hash, ui.views);
  const main = byId("main");
  showMenu(place?.view);
  document.title = place ? `${place.view.title} – ${PRODUCT}` : PRODUCT;
  try {
    if (place === null) await homePage(main, ui, { signal, reload: show });
    else if (place.view.problem !== null) throw new Error(place.view.problem);
    else if (place.key === null) await tablePage(main, place.view, place.query, { signal, reload: show });
    else await itemPage(main, place.view, place.key, { signal, reload: show });
  } catch (error) {
    if (signal.aborted) return;
    fill(main, h("h1", {}, place?.view.title ?? PRODUCT), errorPanel(error, show));
  }
}

function showMenu(current) {
  const entry = (href, title, chosen) => h("a", { href, "aria-current": chosen && "page" }, title);
  fill(
    byId("menu"),
    entry("#/", "Overview", current === undefined),
    ui.views.map((view) => entry(`#${view.path}`, view.title, view === current)),
  );
}

ui = await signIn();
window.addEventListener("hashchange", () => {
  show();
  // Readers of a screen reader start at the new page, not at the link that led there.
  byId("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
listenToKeys();
show();
