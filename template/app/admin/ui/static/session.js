// Signing in with a bearer token, and again when it has expired.

import { onRefusedToken, request, setToken, tokenExpiry } from "./api.js";
import { byId, fill, h, openDialog } from "./dom.js";
import { errorPanel } from "./errors.js";

const LONGEST_TOKEN = 16_384;

let asking = null;

/** Ask for a token until one is accepted. Return what `GET /views` answers to it. */
export function signIn(reason = "") {
  // Several requests may be refused at once; they share one dialog.
  asking ??= ask(reason).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(reason) {
  return new Promise((resolve) => {
    const problem = h("div", { "aria-live": "assertive" }, reason && h("p", { class: "error" }, reason));
    const input = h("input", {
      id: "token",
      type: "password",
      required: true,
      autofocus: true,
      autocomplete: "off",
      spellcheck: "false",
      maxlength: LONGEST_TOKEN,
      placeholder: "eyJ…",
    });
    const button = h("button", { class: "primary", type: "submit" }, "Sign in");
    const form = h(
      "form",
      { class: "stack" },
      h("h1", {}, "Sign in"),
      h("p", {}, "Paste an administrator's access token. It stays in this page's memory until you close or reload it."),
      h("label", { for: "token" }, "Access token"),
      input,
      problem,
      h("p", { class: "hint" }, "On your own machine: ", h("code", {}, "uv run app token --email you@example.com")),
      button,
    );
    const dialog = h("dialog", { class: "sign-in", "aria-label": "Sign in" }, form);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        setToken(normalToken(input.value));
        const ui = await request("GET", "/views", { retry: false });
        showAccount(ui.user);
        input.value = "";
        dialog.close();
        resolve(ui);
      } catch (error) {
        setToken(null);
        fill(problem, errorPanel(error));
        input.select();
      } finally {
        button.disabled = false;
      }
    });
    openDialog(dialog);
  });
}

/** Return the token without what is copied along with it, such as `Bearer` and line breaks. */
function normalToken(text) {
  const token = text.trim().replace(/^Bearer\s+/i, "").replaceAll(/\s+/g, "");
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error("A token consists of printable ASCII characters only.");
  return token;
}

function showAccount(user) {
  const until = tokenExpiry();
  const time = until && until.toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
  fill(
    byId("account"),
    h("span", { class: "who" }, h("bdi", {}, user.email ?? user.full_name ?? user.id)),
    until && h("span", { class: "hint", title: until.toString() }, ` until ${time}`),
    h("button", { type: "button", onclick: signOut }, "Sign out"),
  );
}

function signOut() {
  setToken(null);
  // A new page has nothing of the old one in its memory.
  location.reload();
}

onRefusedToken((reason) => signIn(`${reason} Sign in again to go on where you are.`));
