// Shows or hides what is typed in a password field. Without it the fields work as they are.
"use strict";
for (const button of document.querySelectorAll("button[data-reveals]")) {
  const field = document.getElementById(button.dataset.reveals);
  const hide = () => {
    field.type = "password";
    button.textContent = button.dataset.show;
    button.setAttribute("aria-pressed", "false");
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    if (field.type === "password") {
      field.type = "text";
      button.textContent = button.dataset.hide;
      button.setAttribute("aria-pressed", "true");
    } else {
      hide();
    }
  });
  field.form.addEventListener("submit", hide);
}
