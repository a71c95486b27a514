// What the console does beyond links and forms. Without it everything can still be read and done, page by page.
"use strict";

// A link of `bailiwick sign-in` carries its code behind `#`, which no server sees. It is used at once and forgotten.
function signIn() {
  const form = document.getElementById("sign-in");
  if (!form || !location.hash.startsWith("#bws_")) return;
  form.elements.code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  form.requestSubmit();
}

// `/` looks for something, from anywhere but a field.
function keys(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing) {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  } else if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
    if (typing) typing.blur();
  }
}

// Light, dark, or what the device says; remembered in a cookie, so that a page comes in the right colours at once.
function theme() {
  const button = document.querySelector("[data-theme-button]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Strict`;
  });
}

// A page that says so is read again when the log has grown, and what differs is put in its place. Where somebody is
// filling something in, nothing is moved.
function live() {
  const parts = document.querySelectorAll("[data-live]");
  if (parts.length === 0) return;
  const lamp = document.querySelector(".live");
  const stream = new EventSource("/live");
  let reading = false;
  let again = false;
  stream.onopen = () => lamp && lamp.classList.add("on");
  stream.onerror = () => lamp && lamp.classList.remove("on");
  let seen = document.getElementById("main").dataset.seen;
  stream.onmessage = async (event) => {
    if (event.data === seen) return;
    seen = event.data;
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    do {
      again = false;
      await refresh();
    } while (again);
    reading = false;
  };
  addEventListener("pagehide", () => stream.close());
}

async function refresh() {
  // Not a use of the session: a page that lies open does not keep it alive.
  const headers = { Accept: "text/html", "X-Bailiwick-By-Itself": "yes" };
  const answer = await fetch(location.href, { headers }).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    const busy = part.contains(document.activeElement) && document.activeElement.closest("form, details");
    if (!next || busy) continue;
    if (said(next) === said(part)) continue;
    part.replaceChildren(...next.childNodes);
  }
}

// What a part says, but for how long ago things were, which differs whenever one looks.
function said(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = "";
  return copy.innerHTML;
}

// What takes a while says that it is being done, and is not asked for twice.
function working(event) {
  const form = event.target.closest("form[data-working]");
  if (!form || event.defaultPrevented) return;
  const note = document.createElement("p");
  note.className = "row small";
  note.setAttribute("role", "status");
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", form.dataset.working);
  note.append(bar, `${form.dataset.working} …`);
  (event.submitter || form.lastElementChild).after(note);
  // After the form was read: a button that is disabled sends nothing along.
  const buttons = [...form.elements].filter((one) => one.type === "submit");
  setTimeout(() => buttons.forEach((one) => (one.disabled = true)), 0);
}

document.addEventListener("submit", working);
// A page that is gone back to has nothing under way.
addEventListener("pageshow", (event) => event.persisted && location.reload());
document.addEventListener("keydown", keys);
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
addEventListener("hashchange", signIn);
signIn();
theme();
live();
