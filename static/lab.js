// Shows what is new without a reload: asks for the page again, and takes its timeline. The pages work without it.
"use strict";

// While a click grows, the page is asked for again so soon. Events come too rarely for a picture that moves.
const BETWEEN_LOOKS_MS = 120;
const AFTER_SILENCE_MS = 1000;

let isAsking = false;
let isBehind = false;
let nextLook = 0;

async function refresh() {
  if (isAsking) {
    isBehind = true;
    return;
  }
  isAsking = true;
  let isAnswered = false;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    isAnswered = answer.ok;
  } catch {
    // The lab has stopped. The next event says that it is back.
  }
  isAsking = false;
  if (isBehind) {
    isBehind = false;
    refresh();
  } else {
    lookAgain(isAnswered ? BETWEEN_LOOKS_MS : AFTER_SILENCE_MS);
  }
}

function lookAgain(afterMs) {
  clearTimeout(nextLook);
  if (document.querySelector("#timeline[data-growing]")) nextLook = setTimeout(refresh, afterMs);
}

// Keeps what the reader has opened, and where the keyboard is.
function replace(page) {
  const [old, fresh] = [document, page].map((it) => it.getElementById("timeline"));
  if (!fresh) return;
  const open = [...old.querySelectorAll("details[open]")].map((it) => it.id);
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const scrolled = [...old.querySelectorAll(".scroll[id]")].map((it) => [it.id, it.scrollLeft]);
  const region = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(fresh);
  for (const [id, left] of scrolled) document.getElementById(id)?.scrollTo({ left });
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (region) document.getElementById(region)?.focus({ preventScroll: true });
  if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

if (document.querySelector("#timeline[data-news]")) {
  const events = new EventSource(document.getElementById("timeline").dataset.events ?? "/events");
  events.addEventListener("news", (event) => {
    if (event.data !== document.getElementById("timeline").dataset.news) refresh();
  });
  lookAgain(BETWEEN_LOOKS_MS);
}
