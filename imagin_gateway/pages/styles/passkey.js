// Asks the device for a passkey, or to make one, and sends what it answers with the form.
// Without it the page offers another way.
"use strict";
{
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");

  const options = (asked) => {
    const read = { ...asked, challenge: bytes(asked.challenge) };
    if (asked.user) read.user = { ...asked.user, id: bytes(asked.user.id) };
    for (const list of ["allowCredentials", "excludeCredentials"])
      if (asked[list]) read[list] = asked[list].map((each) => ({ ...each, id: bytes(each.id) }));
    return { publicKey: read };
  };

  const told = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (credential.response[name]) response[name] = text(credential.response[name]);
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) continue;
    const button = form.querySelector("button");
    const failed = form.querySelector("[data-said]");
    // Rather than a button that is disabled, which loses the focus.
    let asking = false;
    button.hidden = button.disabled = false;
    form.querySelector("[data-without]").hidden = true;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (asking) return;
      asking = true;
      failed.textContent = "";
      try {
        const asked = options(JSON.parse(form.dataset.passkey));
        const { credentials } = navigator;
        const found = await (asked.publicKey.user ? credentials.create(asked) : credentials.get(asked));
        form.elements.code.value = told(found);
        form.submit();
      } catch {
        // Closed, refused, or none on this device: nothing was sent.
        failed.textContent = form.dataset.failed;
        asking = false;
      }
    });
  }
}
