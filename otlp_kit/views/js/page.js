// The page of the receiver: asks once a second, and hands the answers to the figures.
//
// It owns what the figures do not know: the addresses, the clock, the hash. `#/trace/ID` is the
// trace that is shown, so a link to it can be kept or sent; the hash is the only state. While the
// page is hidden it asks nothing.

import ledgerFigure from "./ledger.js";
import listFigure from "./trace_list.js";
import waterfallFigure from "./waterfall.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 10000;
const LATEST = 100;
const element = (id) => document.getElementById(id);

// The smallest model that the figures accept: values by name, and a call when one changes.
class Model {
  constructor() {
    this.values = {};
    this.listeners = {};
  }
  get(name) {
    return this.values[name];
  }
  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const listener of this.listeners[`change:${name}`] || []) listener();
  }
  on(name, listener) {
    (this.listeners[name] ||= []).push(listener);
  }
}

const ledger = new Model();
const list = new Model();
const waterfall = new Model();
ledgerFigure.render({ model: ledger, el: element("ledger") });
listFigure.render({ model: list, el: element("list") });
waterfallFigure.render({ model: waterfall, el: element("figure") });

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error), { status: answer.status });
  return body;
}

const wanted = () => location.hash.match(/^#\/trace\/([0-9a-fA-F]{1,64})$/)?.[1].toLowerCase() || "";
let shown = ""; // what the waterfall shows: id and number of spans, so that a late span is fetched
let problem = "";

async function poll() {
  if (!document.hidden) {
    try {
      const [status, latest] = await Promise.all([ask("/api/status"), ask(`/api/latest?limit=${LATEST}`)]);
      tell(status);
      list.set("traces", latest);
      element("counted").textContent = latest.length < LATEST ? latest.length : `the last ${LATEST}`;
      element("silence").hidden = true;
      await route();
    } catch (error) {
      // An answer with an error is the store's trouble; no answer is the receiver's silence.
      if (error.status) say(`The store cannot be read: ${error.message}`);
      else element("silence").hidden = false;
    }
  }
  setTimeout(poll, EVERY_MS);
}

function tell(status) {
  ledger.set("ledger", status.ledger);
  if (status.addresses?.http) element("endpoint").textContent = status.addresses.http;
  say(status.trouble && `Nothing can be stored: ${status.trouble}. Senders are told to try again later (503), and nothing is acknowledged.`);
}

function say(trouble) {
  element("trouble").hidden = !trouble;
  if (trouble && element("trouble").textContent !== trouble) element("trouble").textContent = trouble;
}

async function route() {
  const id = wanted();
  const traces = list.get("traces");
  const row = traces?.find((trace) => trace.trace_id === id);
  const version = `${id} ${row?.spans ?? ""}`;
  list.set("selected", id);
  if (id && version !== shown) {
    try {
      const trace = await ask(`/api/trace/${id}`);
      if (wanted() !== id) return; // the reader has gone on
      waterfall.set("selected", shown.startsWith(`${id} `) ? waterfall.get("selected") : "");
      waterfall.set("trace", trace);
      shown = version;
      problem = "";
    } catch (error) {
      if (!error.status) throw error;
      problem = error.message;
      shown = "";
    }
  } else if (!id) {
    shown = problem = "";
  }
  show(id, traces);
}

function show(id, traces) {
  const empty = !id && traces?.length === 0;
  document.body.dataset.view = empty ? "empty" : id ? "trace" : "list";
  element("welcome").hidden = !empty;
  element("hint").hidden = Boolean(id) || empty || !traces;
  element("missing").hidden = !problem;
  element("missing").textContent = problem;
  element("figure").hidden = !id || Boolean(problem) || !shown;
  const name = waterfall.get("trace")?.spans[0]?.name;
  document.title = id && !problem && name ? `${name} · otlp_kit` : "otlp_kit: latest traces";
}

list.on("change:selected", () => {
  const id = list.get("selected");
  if (id !== wanted()) location.hash = id ? `#/trace/${id}` : "#/";
});
addEventListener("hashchange", () => route().catch(() => (element("silence").hidden = false)));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !wanted()) return;
  location.hash = "#/";
  element("list").querySelector("div").shadowRoot.querySelector("button[tabindex='0']")?.focus();
});
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
poll();
