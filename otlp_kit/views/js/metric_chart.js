// One metric over time, as plain SVG: a line for each stream, buckets for histograms, a diamond for
// each exemplar, which leads to the trace in which it was measured.
//
// The model holds `metric` ({ name, service, unit, kind }) and `points`, as SqliteStore.points()
// returns them; `exemplar` is set to { trace_id, span_id } when one is chosen. A sum that only grows
// since its beginning is drawn as its rate, and so is the count of a histogram: a counter's height
// says when its process started, its slope says what it does. Specification:
// https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality
//
// Keys: left and right walk the exemplars, Enter opens one.

const SVG = "http://www.w3.org/2000/svg";
const CUMULATIVE = 2;
const COLORS = 8;
const LEGEND = 16;
const EXEMPLARS = 200;
const LEFT = 62, RIGHT = 16, TOP = 24, BOTTOM = 26;

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const top = root.appendChild(node("div", "chart"));
  let width = 0;
  let picked = ""; // the stream that stands out; its histogram is the one that is shown
  let metric = null;

  function draw() {
    if (!width) return;
    const next = model.get("metric");
    if (next?.name !== metric?.name || next?.service !== metric?.service) picked = "";
    metric = next;
    const focused = root.activeElement?.dataset.key;
    top.replaceChildren(...(metric ? drawn() : []));
    const again = focused && [...top.querySelectorAll("[data-key]")].find((made) => made.dataset.key === focused);
    again?.focus({ preventScroll: true }); // what was focused was drawn anew
  }

  function drawn() {
    const all = streams(model.get("points") || []);
    const kind = metric.kind;
    const spread = kind.endsWith("histogram");
    const only = all.find((stream) => stream.key === picked);
    const chosen = only || all.reduce((most, stream) => (Number(stream.latest?.value?.count) > Number(most?.latest?.value?.count) ? stream : most), all[0]);
    const unit = spread || kind === "summary" ? "" : metric.unit;
    const rate = all.some((stream) => stream.rate);
    const about = metric.service || "no service name";
    const parts = [node("header", "", node("h2", "", metric.name || "(no name)"),
      node("p", "muted", [about, kind.replaceAll("_", " "), measure(metric.unit), all.length > 1 && `${all.length} streams`].filter(Boolean).join(", ")))];
    if (!all.length) return [...parts, node("p", "muted", "No points yet.")];
    if (spread) parts.push(...histogram(chosen, metric.unit, width, all.length > 1, exemplar));
    if (kind === "summary") parts.push(quantiles(chosen, metric.unit));
    const what = spread || kind === "summary" ? "Measurements" : rate ? "Rate" : "Value";
    parts.push(node("h3", "", `${what}${rate ? " per second" : spread ? " in each point" : ""}`));
    // What was measured for a sum is what was added to it: of its axis only the time applies.
    const level = kind === "gauge";
    parts.push(...lines(all, { unit, rate, level, width, only, marks: spread ? [] : exemplars(only ? [only] : all), exemplar, pick }));
    return parts;
  }

  function pick(stream) {
    picked = picked === stream ? "" : stream;
    draw();
  }

  function exemplar(chosen) {
    model.set("exemplar", { trace_id: chosen.trace_id, span_id: chosen.span_id });
    model.save_changes?.();
  }

  top.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const mark = root.activeElement?.closest(".exemplar");
    if (!mark) return;
    const marks = [...mark.parentNode.querySelectorAll(".exemplar")];
    const next = step && marks[marks.indexOf(mark) + step];
    if (event.key === "Enter" || event.key === " ") mark.dispatchEvent(new MouseEvent("click"));
    else if (next) {
      for (const other of marks) other.setAttribute("tabindex", other === next ? 0 : -1);
      next.focus();
    } else return;
    event.preventDefault();
  });

  const watcher = new ResizeObserver(([entry]) => {
    width = Math.floor(entry.contentRect.width);
    draw();
  });
  watcher.observe(top);
  model.on("change:metric", draw);
  model.on("change:points", draw);
  return () => {
    watcher.disconnect();
    model.off?.("change:metric", draw);
    model.off?.("change:points", draw);
    host.remove();
  };
}

// Points by their attributes, each stream with what is drawn of it: [time in ms, value].
function streams(points) {
  const groups = [...Map.groupBy(points, (point) => JSON.stringify(Object.entries(point.attributes || {}).sort()))];
  const names = [...new Set(points.flatMap((point) => Object.keys(point.attributes || {})))];
  const telling = names.filter((name) => groups.length === 1 || new Set(points.map((p) => JSON.stringify(p.attributes?.[name]))).size > 1);
  return groups.map(([key, of], i) => {
    const latest = of.at(-1);
    const counts = typeof latest.value === "object" && latest.value !== null;
    const rate = latest.kind === "summary" || (Number(latest.temporality) === CUMULATIVE && (counts || latest.is_monotonic));
    const values = of.map((p) => [Number(p.time_unix_nano) / 1e6, Number(counts ? p.value?.count : p.value ?? NaN)]);
    const label = telling.filter((name) => name in latest.attributes).map((name) => `${name} ${plain(latest.attributes[name])}`).join(", ");
    return { key, label: label || "no attributes", color: `c${i % COLORS}`, points: of, latest, rate, values: rate ? slopes(values) : values.filter(([, v]) => Number.isFinite(v)) };
  });
}

function slopes(values) {
  const made = [];
  for (let i = 1; i < values.length; i++) {
    const seconds = (values[i][0] - values[i - 1][0]) / 1000;
    const more = values[i][1] - values[i - 1][1];
    // A counter that fell has begun anew: what it says now is what came since.
    if (seconds > 0 && Number.isFinite(more)) made.push([values[i][0], (more < 0 ? values[i][1] : more) / seconds]);
  }
  return made;
}

function exemplars(of) {
  const found = new Map();
  for (const stream of of) {
    for (const point of stream.points) {
      for (const one of point.exemplars || []) {
        if (!/[1-9a-f]/.test(one.trace_id || "")) continue; // measured outside every trace
        found.set(`${one.trace_id} ${one.span_id} ${one.time_unix_nano}`, { ...one, stream, at: Number(one.time_unix_nano) / 1e6 });
      }
    }
  }
  return [...found].map(([key, one]) => ({ key, ...one })).sort((a, b) => a.at - b.at).slice(-EXEMPLARS);
}

function lines(all, { unit, rate, level, width, only, marks, exemplar, pick }) {
  const height = width < 520 ? 220 : 280;
  const drawn = all.flatMap((stream) => stream.values);
  const shown = only ? only.values : drawn;
  const times = drawn.map(([at]) => at);
  const [begin, end] = times.length ? [Math.min(...times), Math.max(...times)] : [0, 0];
  const values = [...shown.map(([, v]) => v), ...(level ? marks.map((one) => Number(one.value)) : [])].filter(Number.isFinite);
  const most = Math.max(...values), least = Math.min(...values);
  // From nought, unless that would flatten what there is to see.
  const steps = nice(most > least && most - least < 0.25 * least ? least : Math.min(0, least), most, unit);
  const x = (at) => (end > begin ? LEFT + ((at - begin) / (end - begin)) * (width - LEFT - RIGHT) : (LEFT + width - RIGHT) / 2);
  const y = (v) => height - BOTTOM - ((v - steps[0]) / (steps.at(-1) - steps[0])) * (height - TOP - BOTTOM);
  const svg = paper(width, height, `${all.length === 1 ? "One line" : `${all.length} lines`} over time`);
  if (!values.length) {
    return [node("p", "muted", rate ? "One point so far; a rate needs two." : "No values yet.")];
  }
  for (const step of steps) {
    svg.append(shape("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(step), y2: y(step) }),
      text(say(step, unit, exact(steps)), LEFT - 8, y(step) + 4, "end"));
  }
  for (const at of moments(begin, end, width)) svg.append(text(clock(at, end - begin), x(at), height - 6, "middle"));
  for (const stream of all) {
    const kind = `line ${stream.color}${only && only !== stream ? " faint" : ""}`;
    if (stream.values.length === 1) svg.append(shape("circle", { class: `dot ${kind}`, cx: x(stream.values[0][0]), cy: y(stream.values[0][1]), r: 3 }));
    else svg.append(shape("path", { class: kind, d: stream.values.map(([at, v], i) => `${i ? "L" : "M"}${x(at).toFixed(1)} ${y(v).toFixed(1)}`).join("") }));
  }
  const rule = svg.appendChild(shape("line", { class: "rule", y1: TOP, y2: height - BOTTOM, visibility: "hidden" }));
  diamonds(svg, marks.filter((one) => one.at >= begin - 1000 && one.at <= end + 1000), (one) => [
    Math.max(LEFT, Math.min(width - RIGHT, x(one.at))), level ? y(Number(one.value)) : 9], unit, exemplar);

  const when = node("p", "muted when", "Latest");
  const entries = all.slice(0, LEGEND).map((stream) => {
    const value = node("span", "value");
    const button = node("button", "", node("i", `swatch ${stream.color}`), node("bdi", "", stream.label), value);
    button.dataset.key = `stream ${stream.key}`;
    button.setAttribute("aria-pressed", only === stream);
    button.addEventListener("click", () => pick(stream.key));
    return { stream, value, item: node("li", "", button) };
  });
  const tell = (at) => {
    for (const { stream, value } of entries) {
      const near = at === undefined ? stream.values.at(-1) : stream.values.reduce((best, one) => (Math.abs(one[0] - at) < Math.abs(best[0] - at) ? one : best), stream.values[0]);
      value.textContent = near ? `${say(near[1], unit)}${rate ? "/s" : ""}` : "–";
    }
    when.textContent = at === undefined ? "Latest" : `At ${clock(at, 0)}`;
  };
  svg.addEventListener("pointermove", (event) => {
    const at = begin + ((event.offsetX - LEFT) / (width - LEFT - RIGHT)) * (end - begin);
    const near = times.reduce((best, one) => (Math.abs(one - at) < Math.abs(best - at) ? one : best), begin);
    rule.setAttribute("x1", x(near));
    rule.setAttribute("x2", x(near));
    rule.setAttribute("visibility", "visible");
    tell(near);
  });
  svg.addEventListener("pointerleave", () => {
    rule.setAttribute("visibility", "hidden");
    tell();
  });
  tell();
  const rest = all.length - entries.length;
  return [svg, when, node("ul", "legend", ...entries.map(({ item }) => item), ...(rest > 0 ? [node("li", "muted", `and ${rest} more`)] : []))];
}

function histogram(stream, unit, width, several, exemplar) {
  const value = stream.latest.value || {};
  const buckets = trimmed("scale" in value ? exponential(value) : explicit(value));
  const facts = [`${Number(value.count).toLocaleString("en")} measurements ${Number(stream.latest.temporality) === CUMULATIVE ? "since the stream began" : "in the latest point"}`];
  if (Number(value.count) && Number.isFinite(Number(value.sum ?? NaN))) facts.push(`mean ${say(value.sum / value.count, unit)}`);
  const p95 = quantile(buckets, 0.95);
  if (p95 !== null) facts.push(`95 of 100 below about ${say(p95, unit)}`);
  const parts = [node("h3", "", "Distribution", ...(several ? [node("bdi", "muted", ` of ${stream.label}`)] : [])), node("p", "muted", facts.join(", "))];
  if (!buckets.length) return parts;
  const height = width < 520 ? 200 : 240;
  const svg = paper(width, height, "Buckets of the latest point");
  const most = Math.max(1, ...buckets.map((bucket) => bucket.n));
  const steps = nice(0, most, "");
  const wide = (width - LEFT - RIGHT) / buckets.length;
  const y = (n) => height - BOTTOM - (n / steps.at(-1)) * (height - TOP - BOTTOM - 12);
  for (const step of steps) {
    svg.append(shape("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(step), y2: y(step) }), text(say(step, ""), LEFT - 8, y(step) + 4, "end"));
  }
  const each = Math.ceil(56 / wide);
  buckets.forEach((bucket, i) => {
    const bar = shape("rect", { class: `bucket ${stream.color}`, x: LEFT + i * wide + 1, width: Math.max(1, wide - 2), y: y(bucket.n), height: height - BOTTOM - y(bucket.n) });
    bar.append(Object.assign(shape("title", {}), { textContent: `${say(bucket.from, unit)} to ${say(bucket.to, unit)}: ${bucket.n.toLocaleString("en")}` }));
    svg.append(bar);
    if (wide > 30 && bucket.n) svg.append(text(say(bucket.n, ""), LEFT + (i + 0.5) * wide, y(bucket.n) - 4, "middle"));
    if (i && i % each === 0) svg.append(text(say(bucket.from, unit), LEFT + i * wide, height - 6, "middle"));
  });
  const taken = new Set();
  const place = (one) => {
    const v = Number(one.value);
    const i = Math.max(0, buckets.findIndex((bucket) => v <= bucket.to));
    const { from, to } = buckets[i];
    const part = Number.isFinite(to - from) && to > from ? Math.max(0, Math.min(1, (v - from) / (to - from))) : 0.5;
    let x = LEFT + (i + part) * wide;
    for (let moved = 0; moved < 8 && taken.has(Math.round(x / 8)); moved++) x += 11; // side by side
    taken.add(Math.round(x / 8));
    return [x, 10];
  };
  diamonds(svg, exemplars([stream]), place, unit, exemplar);
  return [...parts, svg];
}

function explicit({ bucket_counts: counts = [], explicit_bounds: bounds = [] }) {
  const first = bounds[0] > 0 ? 0 : -Infinity; // what is measured is seldom negative
  return counts.map((n, i) => ({ from: i ? Number(bounds[i - 1]) : first, to: Number(bounds[i] ?? Infinity), n: Number(n) }));
}

// Bounds are powers of 2 ** 2 ** -scale; the bucket about zero lies between the two sides.
function exponential({ scale, zero_count, zero_threshold, positive, negative }) {
  const bound = (index) => 2 ** (index * 2 ** -Number(scale));
  const side = ({ offset = 0, bucket_counts: counts = [] } = {}) =>
    counts.map((n, i) => ({ from: bound(Number(offset) + i), to: bound(Number(offset) + i + 1), n: Number(n) }));
  const below = side(negative).map(({ from, to, n }) => ({ from: -to, to: -from, n })).reverse();
  const zero = Number(zero_count) ? [{ from: -Number(zero_threshold || 0), to: Number(zero_threshold || 0), n: Number(zero_count) }] : [];
  return [...below, ...zero, ...side(positive)];
}

function trimmed(buckets) {
  const first = buckets.findIndex((bucket) => bucket.n);
  const last = buckets.findLastIndex((bucket) => bucket.n);
  return first < 0 ? [] : buckets.slice(Math.max(0, first - 1), last + 2);
}

// As if measurements lay evenly in their bucket; of the last one, without an end, its beginning.
function quantile(buckets, part) {
  let left = part * buckets.reduce((sum, bucket) => sum + bucket.n, 0);
  for (const { from, to, n } of buckets) {
    if (n && left <= n) return !Number.isFinite(to) ? from : !Number.isFinite(from) ? to : from + ((to - from) * left) / n;
    left -= n;
  }
  return null;
}

function quantiles(stream, unit) {
  const found = stream.latest.value?.quantiles || [];
  return node("dl", "", ...found.flatMap(([part, v]) => [node("dt", "", `${Number(part) * 100} of 100 below`), node("dd", "", say(v, unit))]));
}

function diamonds(svg, marks, place, unit, exemplar) {
  marks.forEach((one, i) => {
    const [x, y] = place(one);
    const label = `Exemplar ${say(one.value, unit)} at ${clock(one.at, 0)}, open its trace`;
    const mark = shape("g", { class: "exemplar", role: "link", tabindex: i === marks.length - 1 ? 0 : -1, "aria-label": label });
    mark.dataset.key = `exemplar ${one.key}`;
    mark.append(Object.assign(shape("title", {}), { textContent: label }),
      shape("circle", { class: "reach", cx: x, cy: y, r: 10 }), // a finger is wider than a diamond
      shape("path", { d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` }));
    mark.addEventListener("click", () => exemplar(one));
    svg.append(mark);
  });
}

// About four round steps that hold both ends; time goes by 1, 2, 5 as everything does.
function nice(least, most, unit) {
  if (most <= least) most = least + (Math.abs(least) || 1);
  const scale = unit === "By" ? 1024 ** Math.floor(Math.log(Math.max(Math.abs(most), 1)) / Math.log(1024)) : 1;
  const rough = (most - least) / scale / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * scale;
  const begin = Math.floor(least / step + 1e-9);
  const size = Math.ceil(most / step - 1e-9) - begin;
  return Array.from({ length: Math.max(1, size) + 1 }, (_, i) => (begin + i) * step);
}

function moments(begin, end, width) {
  const wanted = Math.max(1, Math.floor((width - LEFT - RIGHT) / 84));
  const step = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400]
    .map((s) => s * 1000).find((ms) => (end - begin) / ms <= wanted) || end - begin;
  const found = [];
  for (let at = Math.ceil(begin / step) * step; at <= end; at += step) found.push(at);
  return found.length ? found : [begin];
}

function clock(at, span) {
  const date = new Date(at);
  if (span > 864e5) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return date.toLocaleTimeString("en-GB").slice(0, span > 36e5 ? 5 : 8);
}

// A value with its unit: times and sizes in the unit that suits, others as they are.
export function say(value, unit, digits = 3) {
  const n = Number(value);
  if (value === Infinity || value === -Infinity) return value > 0 ? "∞" : "−∞";
  if (!Number.isFinite(n)) return String(value);
  const seconds = { s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 }[unit];
  if (seconds && n) return scaled(n * seconds, [["ns", 1e-9], ["µs", 1e-6], ["ms", 1e-3], ["s", 1], ["min", 60], ["h", 3600]], digits);
  if (unit === "By" && n) return scaled(n, [["B", 1], ["KiB", 2 ** 10], ["MiB", 2 ** 20], ["GiB", 2 ** 30], ["TiB", 2 ** 40]], digits);
  const size = Math.abs(n);
  const most = Math.max(digits, Number.isInteger(n) || size >= 1000 ? Math.ceil(Math.log10(size + 1)) : 0);
  const shown = n.toLocaleString("en", n && (size < 1e-3 || size >= 1e6)
    ? { notation: size < 1 ? "scientific" : "compact", maximumSignificantDigits: digits } : { maximumSignificantDigits: most });
  const after = (unit || "").replace(/^1$|\{.*?\}/g, ""); // UCUM: 1 is no unit, braces hold a remark
  return after ? `${shown} ${after}` : shown;
}

// As many digits as tell the steps of an axis apart.
function exact(steps) {
  const most = Math.max(...steps.map(Math.abs));
  return Math.max(3, Math.min(15, Math.floor(Math.log10(most / (steps[1] - steps[0]))) + 2));
}

function scaled(n, units, digits) {
  const [name, size] = units.findLast(([, size]) => Math.abs(n) >= size * 0.9995) || units[0];
  return `${(n / size).toLocaleString("en", { maximumSignificantDigits: digits })} ${name}`;
}

// What a metric is measured in, for a person. https://ucum.org/ucum#para-12
function measure(unit) {
  const plain = (unit || "").replace(/^1$/, "").replace(/\{(.*?)\}/g, "$1");
  return plain && `in ${{ s: "seconds", ms: "milliseconds", By: "bytes" }[plain] || plain}`;
}

function plain(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function paper(width, height, label) {
  return shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function text(said, x, y, anchor) {
  return Object.assign(shape("text", { x, y, "text-anchor": anchor }), { textContent: said });
}

function node(tag, kind = "", ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

let shared;
function sheet() {
  if (shared) return shared;
  shared = new CSSStyleSheet();
  shared.replaceSync(`
:host { display: block; color-scheme: light dark;
  --ink: var(--otlp-ink, var(--jp-ui-font-color1, var(--md-default-fg-color, light-dark(#20252e, #e4e1d9))));
  --muted: var(--otlp-muted, var(--jp-ui-font-color2, var(--md-default-fg-color--light, light-dark(#69707c, #9299a6))));
  --line: var(--otlp-line, var(--jp-border-color2, var(--md-default-fg-color--lightest, light-dark(#e2dfd7, #2d323b))));
  --surface: var(--otlp-surface, var(--jp-layout-color1, var(--md-default-bg-color, light-dark(#fdfcf9, #171a20))));
  --accent: var(--otlp-accent, var(--jp-brand-color1, var(--md-accent-fg-color, light-dark(#0e7c6b, #52c7b3)))); }
* { box-sizing: border-box; margin: 0; }
.chart { color: var(--ink); font: 13px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
header { padding-bottom: 4px; }
h2 { font-size: 17px; font-weight: 600; line-height: 1.25; letter-spacing: -.01em; overflow-wrap: anywhere; }
h3 { font-size: 13px; font-weight: 600; margin-top: 18px; overflow-wrap: anywhere; }
.muted { color: var(--muted); font-weight: 400; overflow-wrap: anywhere; }
svg { display: block; margin-top: 6px; overflow: visible; }
text { fill: var(--muted); font-size: 11.5px; }
.grid { stroke: var(--line); }
.rule { stroke: var(--muted); stroke-dasharray: 2 3; pointer-events: none; }
.c0 { --c: #25897b; } .c1 { --c: #b57a10; } .c2 { --c: #7565cf; } .c3 { --c: #2f7fbf; }
.c4 { --c: #6d8830; } .c5 { --c: #b3568f; } .c6 { --c: #a0684d; } .c7 { --c: #5f7c8a; }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.dot { fill: var(--c); } .faint { opacity: .18; }
.bucket { fill: var(--c); }
.exemplar { cursor: pointer; outline: none; } .exemplar path { fill: var(--surface); stroke: var(--ink); stroke-width: 1.5; }
.exemplar:hover path { fill: var(--accent); stroke: var(--accent); }
.exemplar:focus-visible path { fill: var(--accent); stroke: var(--accent); }
.exemplar:focus-visible .reach { stroke: var(--accent); stroke-width: 2; }
.reach { fill: transparent; }
.when { margin-top: 12px; font-size: 12px; }
.legend { list-style: none; padding: 2px 0 0; columns: 2 300px; column-gap: 28px; }
.legend li { break-inside: avoid; }
button { font: inherit; color: inherit; width: 100%; min-height: 28px; display: flex; align-items: center; gap: 8px; padding: 3px 6px 3px 0; text-align: left;
  background: none; border: 0; border-bottom: 1px solid color-mix(in srgb, var(--line) 60%, transparent); cursor: pointer; }
button:hover, button[aria-pressed=true] { background: color-mix(in srgb, var(--ink) 5%, transparent); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.swatch { flex: none; width: 12px; height: 3px; border-radius: 1px; background: var(--c); }
[aria-pressed=true] .swatch { height: 10px; }
button bdi { flex: 1; min-width: 0; overflow-wrap: anywhere; color: var(--muted); }
[aria-pressed=true] bdi { color: var(--ink); }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 16px; margin-top: 10px; } dt { color: var(--muted); }
`);
  return shared;
}

export default { render };
