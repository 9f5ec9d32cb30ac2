"use strict";
// The page itself: what is known of the account, kept up to date by the stream, shown by one view at a time.
const STALE = 30000; // Milliseconds of silence after which what is shown may be old.
const state = { known: null, joined: null, trouble: "", refused: false, heard: 0 };
const ask = async (path) => {
  const answer = await fetch(path);
  const found = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw new Error(found.error ?? found.refused ?? answer.statusText);
  return found;
};
function applied(old, change) {
  if (Array.isArray(change)) return change[0];
  const made = Array.isArray(old) ? [...old] : { ...old };
  for (const [key, one] of Object.entries(change)) {
    if (one === 0) delete made[key];
    else made[key] = applied(made[key], one);
  }
  return made;
}
// Draws a part again only if what it shows has changed, so that focus and scroll stay where they are.
function renew(host, shown, ...build) {
  const key = JSON.stringify(shown);
  if (host.shown === key) return;
  host.shown = key;
  host.replaceChildren(...build.map((one) => one()).flat(Infinity).filter((one) => one !== null));
}
let view = null;
function open() {
  const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "account";
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.hash === `#${name}`) {
      link.setAttribute("aria-current", "page");
      link.parentElement.scrollLeft = link.offsetLeft - 60;
    } else link.removeAttribute("aria-current");
  }
  redrawAll.length = 0;
  const main = document.getElementById("main");
  main.replaceChildren(el("h2", { className: "title" }, TITLES[name]));
  const host = el("div", { className: "view", "data-view": name });
  main.append(host);
  view = VIEWS[name](host);
  refresh();
}
function refresh() {
  if (!state.known && state.joined === null) return;
  const { account = "", run = null } = state.known ?? {};
  document.getElementById("whose").textContent = account;
  document.title = `HOT-Crypto ${account}`.trim();
  const silent = run && !run.ended_at ? Date.now() - run.beat_at : 0;
  const pulse = document.getElementById("pulse");
  const [good, text] = !state.joined ? [false, "no connection"] : !state.known ? [false, "not known"] : !run ? [null, "never ran"] : run.ended_at ? [null, `ended ${clock(run.ended_at)}`] : run.gone ? [false, "process gone"] : silent > STALE ? [false, "silent"] : [true, "running"];
  pulse.className = good === null ? "" : good ? "good" : "bad";
  if (pulse.textContent !== text) pulse.textContent = text;
  const banner = document.getElementById("banner");
  const blank = state.known ? "" : " What the account holds is not known: nothing of it is shown.";
  const worry = !state.joined && blank ? `The page's server cannot be reached. It is tried again and again.${blank}`
    : !state.joined ? "The page's server cannot be reached: what is shown is old. It is tried again and again."
    : state.trouble ? `The database cannot be read: ${state.trouble}.${blank}`
    : run?.ended_at ? `The loop ended at ${clock(run.ended_at)} UTC: ${run.ending}. What is shown is how it stood.`
    : run?.gone ? `The loop's process is gone: killed or crashed after ${clock(run.beat_at)} UTC. Nobody watches what it held: start it again with run_live.py.`
    : silent > STALE ? `The loop has said nothing for ${lasting(silent)}: what is shown was so at ${clock(run.beat_at)} UTC.` : "";
  banner.hidden = !worry;
  if (banner.textContent !== worry) banner.textContent = worry;
  try {
    if (state.known) {
      showCommands();
      view?.update?.(state.known);
    }
  } finally {
    document.documentElement.dataset.ready = "yes";
  }
}
function showCommands() {
  const may = state.known.commands ?? [];
  const runs = state.known.run && !state.known.run.ended_at && !state.known.run.gone;
  const names = ["pause", "resume", "flatten", "stop"];
  renew(document.getElementById("commands"), [may, runs], () => may.length
    ? names.map((name) => el("button", { type: "button", disabled: !runs, onclick: () => confirmCommand(name) }, name))
    : el("span", { className: "soft", "data-tip": "Commands need HOT_CRYPTO_DASHBOARD_TOKEN set where the page is started.", tabIndex: 0 }, "for looking only"));
}
const MEANINGS = {
  pause: "No entries any more; exits and stops go on.", resume: "Entries are allowed again.",
  flatten: "All positions are closed at the market and entries are paused.", stop: "The loop ends; positions and their stops stay as they are.",
  "reset-breaker": "The breaker is reset, and entries go on.", accept: "Entries and exits of this symbol go on, as the books are now.",
  release: "The halt ends, or the strategy is trusted again.", "set-weight": "The weight of a member of an ensemble changes, such as ENSEMBLE.turtle_weight=0.5.",
};
let token = "";
function confirmCommand(name, argument = "", wants = "") {
  const box = document.getElementById("ask");
  const field = el("input", { value: argument, required: true, maxLength: 200, autocomplete: "off" });
  const secret = el("input", { type: "password", required: true, autocomplete: "off", value: token });
  const said = el("p", { role: "status" });
  const go = el("button", { type: "submit", className: name === "flatten" || name === "stop" ? "danger" : "" }, `yes, ${name} ${argument}`.trim());
  const form = el("form", { method: "dialog", onsubmit: async (event) => {
    event.preventDefault();
    go.disabled = true;
    token = secret.value;
    said.textContent = "sent …";
    said.textContent = await give(name, wants ? field.value : argument);
    go.disabled = false;
  } }, el("h2", { id: "ask-title" }, `${name} ${argument}`.trim()), el("p", {}, MEANINGS[name] ?? ""),
  wants ? el("label", {}, wants, field) : null, el("label", {}, "token of this page", secret), said,
  el("div", { className: "tools" }, go, el("button", { type: "button", onclick: () => box.close() }, "close")));
  box.replaceChildren(form);
  box.showModal();
}
async function give(name, argument) {
  try {
    const answer = await fetch("/command", { method: "POST", headers: { "Content-Type": "application/json", "X-Dashboard-Token": `Bearer ${token}` }, body: JSON.stringify({ name, argument }) });
    const told = await answer.json();
    if (told.refused) return `refused: ${told.refused}`;
    for (let i = 0; i < 40; i++) {
      const { outcome } = await ask(`/api/outcome?id=${told.id}`);
      if (outcome !== null) return outcome;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return "the loop has not answered yet: see Health";
  } catch (error) {
    return `it could not be sent: ${error.message}`;
  }
}
function join() {
  const stream = new EventSource("/events");
  const take = (act) => (event) => {
    state.joined = true;
    state.refused = false;
    state.heard = Date.now();
    act(JSON.parse(event.data));
    refresh();
  };
  stream.addEventListener("whole", take((whole) => ((state.known = whole), (state.trouble = ""))));
  stream.addEventListener("change", take((change) => ((state.known = applied(state.known, change)), (state.trouble = ""))));
  stream.addEventListener("trouble", take(({ why }) => ((state.trouble = why), (state.refused = true))));
  stream.addEventListener("error", () => {
    // A stream that begins with trouble is ended by the server itself, which can be reached.
    state.joined = state.refused;
    state.refused = false;
    refresh();
    if (stream.readyState === EventSource.CLOSED) setTimeout(join, 3000);
  });
}
document.addEventListener("DOMContentLoaded", () => {
  explain();
  document.getElementById("nav").append(...Object.entries(TITLES).map(([name, title]) => el("a", { href: `#${name}` }, title)));
  addEventListener("hashchange", open);
  open();
  join();
  setInterval(refresh, 5000);
});
