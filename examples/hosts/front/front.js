// Shows any step of the gateway: words, forms, links. It knows the shape of a step, and no journey.
"use strict";
{
  const { entrance } = document.currentScript.dataset;
  const main = document.querySelector("main");

  const made = (name, content = "", attributes = {}) => {
    const element = document.createElement(name);
    element.append(...[content].flat());
    for (const [key, value] of Object.entries(attributes)) if (value) element.setAttribute(key, value);
    return element;
  };

  // One way to ask: JSON there and back, in the language of this page.
  const ask = async (path, body) => {
    const address = new URL(path, location.origin);
    address.searchParams.set("lang", document.documentElement.lang);
    const headers = { Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(address, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
    });
    const json = /^application\/(problem\+)?json/.test(answer.headers.get("Content-Type") ?? "");
    return json ? answer.json() : { title: await answer.text(), status: answer.status };
  };

  const isOurs = (path) => path.startsWith(`${entrance}/`);

  const follow = (href) => (isOurs(href) ? go(href) : location.assign(href));

  const go = async (path, body) => {
    const told = await ask(path, body);
    if (told.step !== "go") show(told);
    else if (told.by === "request") await go(told.to);
    else location.assign(told.to);
  };

  const link = ({ label, href }) => {
    const anchor = made("a", label, { href });
    anchor.addEventListener("click", (event) => {
      event.preventDefault();
      follow(href);
    });
    return made("li", anchor);
  };

  const links = (list) => (list.length ? [made("ul", list.map(link))] : []);

  const device = async (options) => {
    const making = Boolean(options.user);
    const { PublicKeyCredential: key, navigator } = window;
    const publicKey = making ? key.parseCreationOptionsFromJSON(options) : key.parseRequestOptionsFromJSON(options);
    const found = await navigator.credentials[making ? "create" : "get"]({ publicKey });
    return JSON.stringify(found.toJSON());
  };

  const choices = (field, type) =>
    made("fieldset", [
      made("legend", field.label),
      ...field.choices.map((each) =>
        made("label", [made("input", "", { type, name: field.name, value: each.value }), ` ${each.label}`]),
      ),
    ]);

  const input = (field, wrong) => {
    if (field.kind === "passkey") return "";
    if (field.kind === "choice") return choices(field, "radio");
    if (field.kind === "box") return choices(field, "checkbox");
    const box = made("input", "", {
      name: field.name,
      type: { password: "password", email: "email" }[field.kind] ?? "text",
      inputmode: field.kind === "digits" && "numeric",
      autocomplete: field.autocomplete || "off",
      value: field.value,
      "aria-invalid": wrong && "true",
    });
    return made("label", [field.label, ...(field.hint ? [made("span", field.hint, { class: "hint" })] : []), box]);
  };

  const form = (told, errors) => {
    const fields = told.ask.map((field) => input(field, errors.some((each) => each.field === field.name)));
    const shown = made("form", [...fields, made("button", told.submit, { type: "submit" })], { novalidate: "" });
    shown.addEventListener("submit", async (event) => {
      event.preventDefault();
      const sent = { ...told.send, ...Object.fromEntries(new FormData(shown)) };
      const passkey = told.ask.find((field) => field.kind === "passkey");
      if (passkey) sent[passkey.name] = await device(passkey.options);
      if (told.method === "POST") await go(told.action, sent);
      else await go(`${told.action}?${new URLSearchParams(sent)}`);
    });
    return shown;
  };

  const cards = (told) => [...(told.portals ?? []), ...(told.direct ?? []), ...(told.doors ?? [])];

  const paragraphs = (texts) => texts.map((text) => made("p", text));

  // A problem, with the step to be sent again where there is one; else what to do, and where to go on.
  const problem = (told) => [
    made("h1", told.title),
    made("div", paragraphs([told.detail, ...(told.errors ?? []).slice(1).map((each) => each.text)].filter(Boolean)), {
      role: "alert",
    }),
    ...(told.again ? step(told.again, told.errors).slice(1) : []),
    ...paragraphs(told.steps ?? []),
    ...links(told.links ?? []),
  ];

  const step = (told, errors = []) => [
    made("h1", told.title),
    ...paragraphs(Array.isArray(told.texts) ? told.texts : [told.name]),
    ...(told.secret ? [made("p", made("code", told.secret.join(" ")))] : []),
    ...(told.codes?.length ? [made("ul", told.codes.map((code) => made("li", made("code", code))))] : []),
    ...Object.values(told.forms ?? {}).map((each) => form(each, errors)),
    ...links(cards(told).map(({ name, href }) => ({ label: name, href }))),
    ...links(Object.values(told.links ?? {})),
  ];

  const show = (told) => {
    main.replaceChildren(...(told.status >= 400 ? problem(told) : step(told)));
    document.title = told.title;
    main.focus();
  };

  const start = async () => {
    const here = await ask(`${entrance}/session`);
    if (here.status === 401) await go(`${entrance}/?next=/`);
    else if (here.step === "go") await go(here.to);
    else show(here);
  };

  start();
}
