// Warns before the session of this page ends, and keeps it open by one click. For the pages of the host:
//   <script src="{session_script}" data-session="/connexion/session" defer></script>
// Asking how long is left prolongs nothing. Every word comes with the answer, in the language of this page.
"use strict";
{
  const spoken = document.documentElement.lang.split("-")[0].toLowerCase();
  const inOurs = (path) => (spoken ? `${path}?lang=${encodeURIComponent(spoken)}` : path);
  const address = inOurs(document.currentScript.dataset.session);
  const json = { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" };
  let dialog = null;
  let known = null;
  let planned = 0;

  const plan = (told, seconds) => {
    clearTimeout(planned);
    planned = setTimeout(() => ask(told), seconds * 1000);
  };

  // Closed before it goes: one that is only removed leaves the focus at the top of the page.
  const close = () => {
    const former = dialog;
    dialog = null;
    former?.close();
    former?.remove();
  };

  const button = (label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.addEventListener("click", act);
    return made;
  };

  const open = (title, text, buttons) => {
    close();
    const made = document.createElement("dialog");
    dialog = made;
    dialog.className = "ig-session";
    dialog.setAttribute("role", "alertdialog");
    dialog.setAttribute("aria-labelledby", "ig-session-title");
    dialog.setAttribute("aria-describedby", "ig-session-text");
    const head = document.createElement("h2");
    head.id = "ig-session-title";
    head.textContent = title;
    const body = document.createElement("p");
    body.id = "ig-session-text";
    body.textContent = text;
    dialog.append(head, body, ...buttons);
    // It is told late, and another one may be open by then.
    made.addEventListener("close", () => dialog === made && close());
    document.body.append(dialog);
    dialog.showModal();
  };

  // And back to this page after the login.
  const login = (told) => {
    const here = new URLSearchParams({ next: location.pathname + location.search });
    location.assign(`${told.login}?${here}`);
  };

  const over = (told) => open(told.texts.over, "", [button(told.texts.login, () => login(told))]);

  const stay = async (told) => {
    const body = new URLSearchParams(told.extend.fields);
    let answer;
    try {
      answer = await fetch(inOurs(told.extend.path), { ...json, method: "POST", body });
    } catch {
      return; // The button stays, for another try.
    }
    if (answer.ok) {
      close();
      follow(await answer.json());
    } else {
      // A store that is down, a token too old: that is not yet the end of the session.
      await answer.body?.cancel();
      ask(told);
    }
  };

  const warn = (told) => {
    const buttons = [button(told.texts.logout, () => location.assign(told.logout))];
    if (told.can_extend) buttons.unshift(button(told.texts.stay, () => stay(told)));
    open(told.texts.title, told.texts.text, buttons);
    plan(told, told.seconds_left + 1);
  };

  const follow = (told) => {
    known = told;
    const wait = told.seconds_left - told.warn_before;
    if (wait > 0) plan(told, wait);
    else warn(told);
  };

  // Another tab may have been at work meanwhile: the server knows.
  const ask = async (before) => {
    let answer;
    try {
      answer = await fetch(address, json);
    } catch {
      plan(before, 30);
      return;
    }
    if (!answer.ok) await answer.body?.cancel();
    if (answer.ok) {
      const told = await answer.json();
      if (dialog && told.seconds_left > told.warn_before) close();
      follow(told);
    } else if (answer.status === 401 && before) {
      over(before);
    } else if (answer.status !== 401) {
      plan(before, 30);
    }
  };

  // A computer that slept, or a page taken up again: what was planned may be too late.
  for (const event of ["pageshow", "focus"]) window.addEventListener(event, () => known && !dialog && ask(known));
  ask(null);
}
