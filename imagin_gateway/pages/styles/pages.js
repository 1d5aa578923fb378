// What a script may add to our pages: showing what is typed, and passing a form on at once. All works without it.
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
// A message from one site to another: nobody has to press its button.
document.querySelector("form[data-relay]")?.requestSubmit();
