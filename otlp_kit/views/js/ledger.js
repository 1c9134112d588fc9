// The ledger as an equation that a newcomer can read, with the rate at which spans come in.
//
//     12,431 created = 12,400 stored + 31 dropped (duplicate 31) + 0 rejected + 0 inside   120/s
//
// The model holds `ledger`: the counts of a ledger.Totals, with `dropped` by reason. Each change is
// one reading; the rate is the difference to the one before. The figure adds up the right side
// itself, and says so when it does not come to the left.

const FATES = [
  ["delivered", "Passed on, and acknowledged by the destination", false],
  ["stored", "Safe in the database", true],
  ["rejected", "Refused one by one: what they say about themselves is not valid", true],
  ["dropped", "Given up on this side, for the reason that is given", true],
  ["unknown", "Sent on, but the answer never came", false],
  ["inside", "Still on their way through", true],
];
const READINGS = 40;

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const equation = node("p", "equation");
  const verdict = node("span", "verdict");
  const pace = node("b");
  const curve = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  curve.setAttribute("viewBox", `0 0 ${READINGS * 3} 20`);
  curve.setAttribute("aria-hidden", "true");
  const path = curve.appendChild(document.createElementNS(curve.namespaceURI, "path"));
  root.append(equation, node("p", "pace", pace, " items/s", verdict, curve));
  const rates = [];
  let last = null;

  function draw() {
    const ledger = model.get("ledger");
    if (!ledger) return;
    const now = performance.now();
    const created = Number(ledger.created);
    if (last && now > last.at) {
      const rate = (Math.max(0, created - last.created) * 1000) / (now - last.at);
      rates.push(rate);
      rates.splice(0, rates.length - READINGS);
      pace.textContent = number(Math.round(rate));
    } else pace.textContent = "–"; // one reading is no rate
    last = { at: now, created };

    const reasons = Object.entries(ledger.dropped || {});
    const counts = { ...ledger, created, dropped: reasons.reduce((sum, [, n]) => sum + Number(n), 0) };
    const parts = [term("created", counts.created, "Every span that came in since the receiver started")];
    let sum = 0;
    for (const [name, meaning, always] of FATES) {
      const n = Number(counts[name] || 0);
      sum += n;
      if (!n && !always) continue;
      parts.push(node("span", "sign", parts.length === 1 ? " = " : " + "));
      parts.push(term(name, n, meaning, name === "dropped" ? reasons : []));
    }
    equation.replaceChildren(...parts);
    const missing = counts.created - sum;
    verdict.textContent = missing ? `${number(Math.abs(missing))} not accounted for` : "every item accounted for";
    verdict.classList.toggle("wrong", missing !== 0);
    const most = Math.max(1, ...rates);
    path.setAttribute("d", rates.map((rate, i) => {
      const x = (READINGS - rates.length + i) * 3 + 1;
      return `M${x} 20V${(19 - (18 * rate) / most).toFixed(1)}`;
    }).join(""));
  }

  model.on("change:ledger", draw);
  draw();
  return () => {
    model.off?.("change:ledger", draw);
    host.remove();
  };
}

function term(name, n, meaning, reasons = []) {
  const why = reasons.filter(([, count]) => count).map(([reason, count]) => `${reason.replaceAll("_", " ")} ${number(count)}`);
  const bad = name === "rejected" || name === "unknown" || reasons.some(([reason, count]) => count && reason !== "duplicate");
  const made = node("span", `term ${name}${n ? (bad ? " bad" : "") : " zero"}`, node("b", "", number(n)), ` ${name}`);
  if (why.length) made.append(node("small", "", ` (${why.join(", ")})`));
  made.title = meaning;
  return made;
}

function number(n) {
  return Number(n).toLocaleString("en");
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
  --accent: var(--otlp-accent, var(--jp-brand-color1, var(--md-accent-fg-color, light-dark(#0e7c6b, #52c7b3))));
  --error: var(--otlp-error, var(--jp-error-color1, light-dark(#c2361f, #ff7f6b)));
  color: var(--ink); font: 13px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
:host > *, p { margin: 0; }
.term { cursor: help; color: var(--muted); }
.term b { color: var(--ink); font-weight: 600; }
.created b, .stored b { font-size: 15px; }
.zero, .zero b { color: var(--muted); font-weight: 400; }
.bad b { color: var(--error); } /* a duplicate is no loss: its first copy is stored */
.sign { color: var(--muted); }
small { font-size: 12px; white-space: normal; }
.pace { color: var(--muted); font-size: 12px; }
.pace b { color: var(--ink); }
svg { width: 120px; height: 14px; vertical-align: -2px; margin-left: 14px; }
path { stroke: var(--accent); stroke-width: 2; }
.verdict { margin-left: 14px; } .verdict::before { content: "✓ "; color: var(--accent); }
.verdict.wrong { color: var(--error); font-weight: 600; } .verdict.wrong::before { content: "≠ "; color: inherit; }
`);
  return shared;
}

export default { render };
