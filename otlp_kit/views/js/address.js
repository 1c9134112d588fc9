// The address of the page as plain values, and back. The hash is the only state of the page, so a
// link to it can be kept or sent.
//
//     #/?q=status:error                      the list, searched
//     #/trace/ID?span=ID&q=status:error      a trace, opened at a span
//     #/metrics?name=NAME&service=NAME       a metric

const PLACE = /^#\/(?:trace\/([0-9a-fA-F]{1,64})|(metrics))?(?:\?(.*))?$/;

export function read(hash) {
  const [, trace = "", metrics, parameters = ""] = hash.match(PLACE) || [];
  const given = new URLSearchParams(parameters);
  return {
    view: metrics ? "metrics" : "traces",
    trace: trace.toLowerCase(),
    span: trace ? given.get("span") || "" : "",
    query: given.get("q") || "",
    name: metrics ? given.get("name") || "" : "",
    service: metrics ? given.get("service") || "" : "",
  };
}

export function write({ view, trace, span, query, name, service }) {
  const metrics = view === "metrics";
  const given = new URLSearchParams();
  if (!metrics && trace && span) given.set("span", span);
  if (metrics && name) given.set("name", name);
  if (metrics && name && service) given.set("service", service);
  if (query) given.set("q", query);
  const path = metrics ? "#/metrics" : trace ? `#/trace/${trace}` : "#/";
  return given.size ? `${path}?${given}` : path;
}
