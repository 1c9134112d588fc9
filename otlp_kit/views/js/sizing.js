// How large queue, batch, delay and in-flight have to be: a calculator for a page.
//
//     size({ rate: 1000, burst: 5000, outage: 16, ... })    { max_queue_size: 51041, ... }
//     render(element)                                       a form, and the lines to copy
//
// `size` is the arithmetic of otlp_kit/simulate/sizing.py, line by line; a test holds the two equal.
// It simulates nothing: that its numbers are enough, and no more than enough, is what
// otlp_kit/simulate/sizing_check.py plays. Times in seconds, sizes in bytes.

const BATCH = 512, DELAY = 5, EXPORT = 30, REQUEST = 10, SHUTDOWN = 30;
const SIZES = [512, 1024, 2048, 256, 128, 64, 32, 16, 8, 4, 2, 1];
const BODY = 4_000_000, FEW = 4, MOST = 64, COUNTED = 1000, STEP = 0.001;
const SPREAD = { none: [1, 1], full: [0, 1], equal: [0.5, 1], around: [0.8, 1.2] };

// What is taken for what a scenario does not say: the kit's retries are the last five.
export const KNOWN = {
  rate: 1000, burst: 5000, record_bytes: 500, outage: 16, latency: 2, memory: 50_000_000,
  round_trip: 0.02, per_record: 0, recovery: 30, attempts: Infinity, base: 1, factor: 2, cap: 30, jitter: "full",
};

// Wishes that cannot be had together: `bound` names which, `remedies` what would do.
export class Contradiction extends Error {
  constructor(bound, problem, ...remedies) {
    super(`${problem}: ${remedies.join(", or ")}`);
    Object.assign(this, { bound, problem, remedies });
  }
}

// The smallest settings with which `scenario` goes well. Throws a `Contradiction`.
export function size(scenario) {
  const asked = { ...KNOWN, ...scenario };
  const fitting = [];
  let problem = null;
  for (const batch of SIZES) {
    if (batch > 1 && batch * asked.record_bytes > BODY) continue;
    try {
      const advice = withBatch(asked, batch);
      if (advice.in_flight <= FEW) return advice;
      fitting.push(advice);
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
      if (!problem || error.bound === "latency") problem = error;
    }
  }
  if (!fitting.length) throw problem;
  return fitting.reduce((least, one) => (one.in_flight < least.in_flight ? one : least));
}

// Seconds from the beginning of an outage to the attempt that succeeds, if chance is unkind.
export function gone({ outage, round_trip, base, factor, cap, jitter, attempts: allowed }) {
  const [low, high] = SPREAD[jitter];
  const highest = factor > 1 ? cap : base;
  let wait = base, earliest = 0, latest = 0, longest = 0, attempts = 1;
  while (earliest < outage) {
    if (attempts === COUNTED) { wait = highest; latest = Infinity; }
    longest = Math.max(longest, Math.min(outage, latest) + high * wait);
    attempts += 1;
    const alike = latest >= outage && wait === highest;
    if (attempts > allowed || attempts > COUNTED || (alike && allowed === Infinity)) break;
    earliest += round_trip + low * wait;
    latest += round_trip + high * wait;
    wait = Math.min(cap, wait * factor);
  }
  if (attempts > allowed) {
    throw new Contradiction("outage", `a batch may need ${attempts} attempts or more`, "allow as many attempts as there is time for");
  }
  return longest;
}

function withBatch(asked, batch) {
  const { rate, burst, round_trip: trip, per_record: each } = asked;
  const work = each * batch;
  if (each * rate >= 1) {
    throw new Contradiction("throughput", `${say(rate)} records a second of ${say(each)} s each cannot leave one by one`, `send fewer than ${say(1 / each)} a second`, "sample");
  }
  let away = gone(asked);
  away += away ? 2 * trip + work : 0;
  const backlog = burst + (away ? Math.floor(rate * away + 1e-6) + 1 : 0);
  const needed = rate + backlog / asked.recovery;
  if (each * needed > 1) {
    throw new Contradiction("throughput", `a backlog of ${say(backlog)} is not gone in ${say(asked.recovery)} s`, "give it longer", "send less");
  }
  const in_flight = Math.max(1, Math.ceil((needed * (trip + work)) / batch));
  if (in_flight > MOST) {
    throw new Contradiction("throughput", `${say(Math.round(needed))} records a second over ${say(trip)} s need ${say(in_flight)} requests at once`, "sample", "send to a peer that is nearer");
  }
  const request = trip + in_flight * work;
  const two = 2 * request - (batch > 1 ? in_flight * each : 0);
  const delay = Math.min(DELAY, Math.floor((asked.latency - two) / STEP + 1e-6) / 1000);
  if (delay < STEP) {
    throw new Contradiction("latency", `a latency of ${say(asked.latency)} s is less than two requests of ${say(request)} s`, `allow ${say(Math.ceil(two / STEP + 1) / 1000)} s`, "send to a peer that is nearer");
  }
  const meanwhile = Math.floor(rate * request) + Math.min(batch - 1, Math.floor(rate * delay)) + 1;
  const held = (in_flight - 1) * Math.min(batch, Math.floor(rate * delay));
  const max_queue_size = Math.max(batch, away ? backlog - held : 0, burst + meanwhile);
  const memory = (max_queue_size + in_flight * batch) * asked.record_bytes;
  const disk = backlog * asked.record_bytes;
  if (memory > asked.memory) {
    throw new Contradiction("memory", `${say(max_queue_size + in_flight * batch)} records take ${say(memory)} bytes, more than ${say(asked.memory)}`,
      `allow ${say(memory)} bytes`, "wait less between attempts", `keep what waits on a disk, with ${say(disk)} bytes of room`);
  }
  const whole = Math.floor(away + (in_flight - 1) * work) + 1;
  const exporting = Math.max(EXPORT, whole), request_timeout = Math.max(REQUEST, Math.floor(2 * request) + 1);
  return {
    max_queue_size, max_batch_size: batch, delay, in_flight,
    export_timeout: Math.max(exporting, request_timeout), request_timeout,
    shutdown_timeout: Math.max(SHUTDOWN, exporting, request_timeout), memory, disk, gone: away,
  };
}

const FIELDS = [
  ["rate", "Records a second", "the most that lasts", 1],
  ["burst", "At once on top of it", "records", 1],
  ["record_bytes", "Size of a record in memory", "bytes", 1],
  ["outage", "Outage to survive", "seconds", 1],
  ["cap", "Longest wait between attempts", "seconds", 1],
  ["latency", "Delivered within", "seconds", 1],
  ["round_trip", "Round trip", "milliseconds", 1000],
  ["memory", "Memory for records", "megabytes", 1e-6],
  ["recovery", "Backlog gone after", "seconds", 1],
];
const VARIABLES = [
  ["max_queue_size", "OTEL_BSP_MAX_QUEUE_SIZE", 1],
  ["max_batch_size", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1],
  ["delay", "OTEL_BSP_SCHEDULE_DELAY", 1000],
  ["in_flight", "OTLP_KIT_BATCH_IN_FLIGHT", 1],
  ["export_timeout", "OTEL_BSP_EXPORT_TIMEOUT", 1000],
  ["shutdown_timeout", "OTLP_KIT_BATCH_SHUTDOWN_TIMEOUT", 1],
  ["request_timeout", "OTEL_EXPORTER_OTLP_TIMEOUT", 1000],
];

// The configuration as variables, as `otlp-kit config init` writes them.
export function variables(advice, { base, cap } = KNOWN) {
  const waits = cap === KNOWN.cap ? [] : [`OTLP_KIT_RETRY_FIRST_WAIT=${base}`, `OTLP_KIT_RETRY_LONGEST_WAIT=${cap}`];
  return [...waits, ...VARIABLES.map(([name, variable, unit]) => `${variable}=${Math.round(advice[name] * unit)}`)].join("\n");
}

export function render(element) {
  const root = element.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const form = node("form", "fields");
  const inputs = {};
  for (const [name, label, unit, factor] of FIELDS) {
    const input = Object.assign(node("input"), { id: name, name, type: "number", min: 0, step: "any", required: true, value: String(tidy(KNOWN[name] * factor)) });
    input.setAttribute("aria-describedby", `${name}-unit`);
    const unitText = Object.assign(node("span", "unit", unit), { id: `${name}-unit` });
    form.append(node("p", "", Object.assign(node("label", "", label), { htmlFor: name }), input, unitText));
    inputs[name] = input;
  }
  const said = node("p", "said");
  said.setAttribute("role", "status");
  const lines = node("pre");
  lines.setAttribute("aria-label", "Lines to copy");
  lines.tabIndex = 0;
  const copy = Object.assign(node("button", "", "Copy"), { type: "button" });
  const result = node("div", "result", said, lines, copy);
  root.append(form, result);

  function draw() {
    const scenario = { base: 1 };
    for (const [name, label, , factor] of FIELDS) {
      const value = inputs[name].valueAsNumber / factor;
      const wrong = !Number.isFinite(value) || value < 0 || (value === 0 && !["burst", "outage", "round_trip"].includes(name));
      inputs[name].setAttribute("aria-invalid", String(wrong));
      if (wrong) return refuse(`${label}: a number, please, and more than 0.`);
      scenario[name] = ["burst", "record_bytes", "memory"].includes(name) ? Math.round(value) : value;
    }
    scenario.base = Math.min(scenario.base, scenario.cap);
    try {
      const advice = size(scenario);
      result.classList.remove("refused");
      said.textContent = `For the queue an outage of ${say(scenario.outage)} s lasts ${say(tidy(advice.gone))} s at worst. Records take ${say(tidy(advice.memory / 1e6))} MB at most.`;
      lines.textContent = variables(advice, scenario);
      lines.hidden = copy.hidden = false;
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
      refuse(`Not together: ${error.message}.`);
    }
  }

  function refuse(text) {
    result.classList.add("refused");
    said.textContent = text;
    lines.hidden = copy.hidden = true;
  }

  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(lines.textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  draw();
}

function say(number) {
  return number.toLocaleString("en", { maximumSignificantDigits: Math.max(6, Math.ceil(Math.log10(Math.abs(number) + 1))) });
}

function tidy(number) {
  return Number(number.toPrecision(4));
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
:host { display: block; color-scheme: light dark; margin: 1.2em 0;
  --ink: var(--otlp-ink, var(--md-default-fg-color, light-dark(#20252e, #e4e1d9)));
  --muted: var(--otlp-muted, var(--md-default-fg-color--light, light-dark(#69707c, #9299a6)));
  --rule: var(--line, var(--md-default-fg-color--lightest, light-dark(#e2dfd7, #2d323b)));
  --tone: var(--accent, var(--md-accent-fg-color, light-dark(#0e7c6b, #52c7b3)));
  --bad: var(--error, light-dark(#b8311b, #f0806c));
  color: var(--ink); font: 14px/1.45 var(--md-text-font, system-ui), system-ui, sans-serif; font-variant-numeric: tabular-nums; }
* { box-sizing: border-box; margin: 0; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 14px 20px; }
label { display: block; font-weight: 600; }
input { width: 110px; height: 32px; margin-top: 2px; padding: 0 8px; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--muted); border-radius: 4px; }
input[aria-invalid=true] { border-color: var(--bad); }
input:focus-visible, pre:focus-visible, button:focus-visible { outline: 2px solid var(--tone); outline-offset: 1px; }
.unit { margin-left: 8px; color: var(--muted); font-size: 12.5px; }
.result { margin-top: 18px; padding: 14px 16px; border: 1px solid var(--rule); border-left: 3px solid var(--tone); border-radius: 4px; }
.refused { border-left-color: var(--bad); }
pre { margin-top: 10px; overflow-x: auto; font: 13px/1.5 var(--md-code-font, ui-monospace), ui-monospace, monospace; }
button { margin-top: 10px; height: 32px; padding: 0 14px; font: inherit; color: inherit; background: none; border: 1px solid var(--muted); border-radius: 4px; cursor: pointer; }
button:hover { border-color: var(--tone); color: var(--tone); }
[hidden] { display: none; }
`);
  return shared;
}

export default { size, gone, variables, render };
