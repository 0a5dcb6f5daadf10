// Says "Processing…" on the pressed button and lets each page send one form only. The shop works without it.
"use strict";

let sent = null;

document.addEventListener("submit", (event) => {
  if (sent) {
    event.preventDefault();
    return;
  }
  const button = event.submitter ?? event.target.querySelector("button");
  sent = { button, label: button.textContent };
  button.textContent = "Processing…";
  button.setAttribute("aria-busy", "true");
  // Not `disabled`: that would drop the keyboard focus.
  for (const other of document.querySelectorAll("form button")) other.setAttribute("aria-disabled", "true");
});

// The back button may bring this page back exactly as it was left.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted || !sent) return;
  sent.button.textContent = sent.label;
  sent.button.removeAttribute("aria-busy");
  for (const other of document.querySelectorAll("form button")) other.removeAttribute("aria-disabled");
  sent = null;
});
