// The page of the receiver: asks once a second, and hands the answers to the figures.
//
// It owns what the figures do not know: the addresses, the clock, the hash. The hash is the only
// state (see address.js). While the page is hidden it asks nothing.

import { read, write } from "./address.js";
import ledgerFigure from "./ledger.js";
import chartFigure from "./metric_chart.js";
import metricsFigure, { key } from "./metric_list.js";
import searchFigure, { understand } from "./search.js";
import listFigure from "./trace_list.js";
import waterfallFigure from "./waterfall.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 10000;
const LATEST = 100; // asked for each second; older ones are asked for once, when scrolled to
const MOST = 10000;
const LOGS_EVERY_MS = 3000; // logs may come later than the spans that they belong to
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

const [ledger, search, list, waterfall, metrics, chart] = Array.from({ length: 6 }, () => new Model());
ledgerFigure.render({ model: ledger, el: element("ledger") });
searchFigure.render({ model: search, el: element("search") });
listFigure.render({ model: list, el: element("list") });
waterfallFigure.render({ model: waterfall, el: element("figure") });
metricsFigure.render({ model: metrics, el: element("metric-list") });
chartFigure.render({ model: chart, el: element("chart") });

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error), { status: answer.status });
  return body;
}

const place = () => read(location.hash);
const go = (changes) => (location.hash = write({ ...place(), ...changes }));
let shown = ""; // what the waterfall shows: id and number of spans, so that a late span is fetched
let problem = "";
let opened = ""; // the span that the address has opened: once, so that the reader can go on from it
let logsAt = 0;
let answered = null; // the query that the list shows the answer to
let reached = LATEST; // how many traces were asked for

async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, EVERY_MS);
}

async function refresh() {
  try {
    tell(await ask("/api/status"));
    await (place().view === "metrics" ? measure() : Promise.all([find(), route()]));
    element("silence").hidden = true;
  } catch (error) {
    // An answer with an error is the store's trouble; no answer is the receiver's silence.
    if (error.status) say(`The store cannot be read: ${error.message}`);
    else element("silence").hidden = false;
  }
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

// The list: the latest traces or those that the query finds, and beneath them the older ones that
// were scrolled to.
async function find(limit = LATEST) {
  const { query } = place();
  if (query !== answered) reached = limit = LATEST;
  let found = [];
  try {
    const filters = new URLSearchParams({ limit, ...understand(query).filters });
    found = await ask(`/api/latest?${filters}`);
    if (query !== place().query) return; // the reader has typed on
    search.set("problem", "");
  } catch (error) {
    if (!query || ![400, 404].includes(error.status)) throw error;
    search.set("problem", error.message);
  }
  const fresh = new Set(found.map((trace) => trace.trace_id));
  const older = answered === query && found.length >= limit
    ? (list.get("traces") || []).slice(0, reached).filter((trace) => !fresh.has(trace.trace_id)) : [];
  answered = query;
  list.set("traces", [...found, ...older]);
  const number = found.length + older.length;
  element("what").textContent = query ? "Traces found" : "Latest traces";
  element("counted").textContent = number < reached ? number.toLocaleString("en") : `the last ${number.toLocaleString("en")}`;
  show();
}

async function more() {
  const traces = list.get("traces") || [];
  if (traces.length < reached || list.get("reach") < traces.length - 20 || reached >= MOST) return;
  reached = Math.min(MOST, reached * 3);
  await find(reached);
}

async function route() {
  const { trace: id, span } = place();
  const row = list.get("traces")?.find((trace) => trace.trace_id === id);
  const version = row || !shown.startsWith(`${id} `) ? `${id} ${row?.spans ?? ""}` : shown;
  list.set("selected", id);
  if (id && version !== shown) {
    try {
      const [trace, logs] = await Promise.all([ask(`/api/trace/${id}`), ask(`/api/logs/${id}`)]);
      if (place().trace !== id) return; // the reader has gone on
      const same = shown.startsWith(`${id} `);
      if (!same) waterfall.set("logs", []);
      waterfall.set("selected", same ? waterfall.get("selected") : "");
      waterfall.set("trace", trace);
      waterfall.set("logs", logs);
      logsAt = performance.now();
      shown = version;
      problem = "";
    } catch (error) {
      if (!error.status) throw error;
      problem = error.message;
      shown = "";
    }
  } else if (!id) {
    shown = problem = "";
  } else if (performance.now() - logsAt > LOGS_EVERY_MS) {
    logsAt = performance.now();
    const logs = await ask(`/api/logs/${id}`);
    if (place().trace === id && logs.length !== waterfall.get("logs").length) waterfall.set("logs", logs);
  }
  show();
  if (shown && opened !== `${id} ${span}`) {
    opened = `${id} ${span}`;
    if (span) waterfall.set("selected", span);
  }
}

async function measure() {
  const { name, service } = place();
  const asked = [ask("/api/metrics")];
  if (name) asked.push(ask(`/api/points?${new URLSearchParams({ name, service })}`));
  const [streams, points = []] = await Promise.all(asked);
  const now = place();
  if (now.view !== "metrics" || now.name !== name || now.service !== service) return;
  metrics.set("metrics", streams);
  metrics.set("selected", name ? key(now) : "");
  element("metrics-counted").textContent = new Set(streams.map(key)).size;
  const stream = streams.find((stream) => key(stream) === key(now));
  chart.set("points", points); // before `metric`, which may be another one now
  chart.set("metric", name ? { unit: "", kind: points[0]?.kind || "", ...stream, name, service } : null);
  show();
}

function show() {
  const { view, trace: id, query, name } = place();
  const traces = list.get("traces");
  const metricsView = view === "metrics";
  const empty = !metricsView && !id && !query && traces?.length === 0;
  document.body.dataset.view = metricsView ? (name ? "metric" : "metrics") : empty ? "empty" : id ? "trace" : "list";
  element("welcome").hidden = !empty;
  element("none").hidden = !query || query !== answered || traces?.length !== 0;
  element("hint").hidden = Boolean(id) || empty || !traces;
  element("missing").hidden = !problem;
  element("missing").textContent = problem;
  element("figure").hidden = !id || Boolean(problem) || !shown;
  element("no-metrics").hidden = metrics.get("metrics")?.length !== 0;
  element("metric-hint").hidden = Boolean(name) || !metrics.get("metrics")?.length;
  element("chart").hidden = !name;
  element("to-traces").ariaCurrent = metricsView ? null : "page";
  element("to-metrics").ariaCurrent = metricsView ? "page" : null;
  element("to-traces").href = element("back").href = write({ query });
  element("to-metrics").href = element("metric-back").href = write({ view: "metrics", query });
  search.set("query", query);
  const first = waterfall.get("trace")?.spans[0]?.name;
  document.title = metricsView ? `${name || "metrics"} · otlp_kit`
    : id && !problem && first ? `${first} · otlp_kit` : "otlp_kit: latest traces";
}

// What a click or a key has changed is shown now, not at the next second.
const now = (work) => work().catch((error) => error.status || (element("silence").hidden = false));

list.on("change:selected", () => {
  const id = list.get("selected");
  if (id !== place().trace) go({ trace: id, span: "" });
});
list.on("change:reach", () => now(more));
search.on("change:query", () => {
  if (search.get("query") === place().query) return;
  history.replaceState(null, "", write({ ...place(), query: search.get("query") }));
  now(find);
});
metrics.on("change:selected", () => {
  const selected = metrics.get("selected");
  if (!selected || selected === key(place())) return;
  const [service, name] = JSON.parse(selected);
  go({ name, service });
});
chart.on("change:exemplar", () => {
  const { trace_id: trace, span_id: span } = chart.get("exemplar");
  opened = "";
  go({ view: "traces", trace, span });
});
addEventListener("hashchange", () => {
  show();
  now(place().view === "metrics" ? measure : place().query === answered ? route : () => Promise.all([find(), route()]));
});
document.addEventListener("keydown", (event) => {
  const { view, trace, name } = place();
  const typing = event.composedPath()[0].matches?.("input, textarea");
  if (event.defaultPrevented || typing || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape" && view === "metrics" && name) {
    go({ name: "", service: "" });
    into("metric-list", "button[tabindex='0']");
  } else if (event.key === "Escape" && trace) {
    go({ trace: "", span: "" });
    into("list", "button[tabindex='0']");
  } else if (event.key === "/") {
    event.preventDefault();
    if (!element("search").checkVisibility()) go({ view: "traces", trace: "", span: "" });
    into("search", "input");
  }
});

// The focus, on what stands in a figure; it may have been out of sight until now.
function into(id, selector) {
  show();
  element(id).firstChild.shadowRoot.querySelector(selector)?.focus();
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
show();
poll();
