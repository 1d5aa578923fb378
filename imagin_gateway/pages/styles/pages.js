// What a script may add to our pages: showing what is typed, sending a form once, and passing one on at once.
// All works without it.
"use strict";
for (const button of document.querySelectorAll("button[data-reveals]")) {
  const field = document.getElementById(button.dataset.reveals);
  const state = document.getElementById(`${button.dataset.reveals}-state`);
  const mask = (hidden) => {
    field.type = hidden ? "password" : "text";
    button.textContent = hidden ? button.dataset.show : button.dataset.hide;
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const hidden = field.type !== "password";
    mask(hidden);
    state.textContent = hidden ? button.dataset.hidden : button.dataset.shown;
  });
  // A field sent as text would be kept by the browser among what it suggests later.
  field.form.addEventListener("submit", () => mask(true));
  // Coming back to a page kept whole must not show what was typed.
  window.addEventListener("pagehide", () => mask(true));
}
// A second click while an answer is awaited would send the form again: what the first one did is done, and the answer
// that tells it is lost. After a while, or back on the page, it may be sent anew: the first may never have arrived.
for (const form of document.querySelectorAll("form[method=post]")) {
  let sent = -Infinity;
  form.addEventListener("submit", (event) => {
    if (event.timeStamp - sent < 10000) event.preventDefault();
    else sent = event.timeStamp;
  });
  window.addEventListener("pageshow", () => (sent = -Infinity));
}
// A message from one site to another: nobody has to press its button.
document.querySelector("form[data-relay]")?.requestSubmit();
