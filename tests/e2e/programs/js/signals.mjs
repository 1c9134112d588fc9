// A program that knows nothing of this kit: the official JavaScript SDK and its exporters.
// `node signals.mjs MODULES PROTOCOL URL COUNT`: sends COUNT spans, COUNT log records and a metric over
// `http` (JSON), `proto` (protobuf) or `grpc` to the receiver at URL.
import { createRequire } from "node:module";

const [modules, protocol, url, count] = process.argv.slice(2);
const require = createRequire(modules + "/");
const load = (name) => require("@opentelemetry/" + name);

const { resourceFromAttributes } = load("resources");
const resource = resourceFromAttributes({ "service.name": "js-" + protocol });
const target = (signal) => ({ url: protocol === "grpc" ? url : `${url}/v1/${signal}` });

const sdkTrace = load("sdk-trace");
const { OTLPTraceExporter } = load("exporter-trace-otlp-" + protocol);
const tracing = new sdkTrace.TracerProvider({
  resource,
  spanProcessors: [new sdkTrace.BatchSpanProcessor({ exporter: new OTLPTraceExporter(target("traces")) })],
});
const tracer = tracing.getTracer("js", "1.0");
for (let i = 0; i < count; i++) {
  const span = tracer.startSpan("span " + i, { attributes: { i, half: 0.5, ok: true, list: ["a", "b"] } });
  span.addEvent("event", { at: i });
  span.end();
}

const sdkLogs = load("sdk-logs");
const { OTLPLogExporter } = load("exporter-logs-otlp-" + protocol);
const logging = new sdkLogs.LoggerProvider({
  resource,
  processors: [new sdkLogs.BatchLogRecordProcessor({ exporter: new OTLPLogExporter(target("logs")) })],
});
for (let i = 0; i < count; i++) {
  logging.getLogger("js").emit({ severityNumber: 9, severityText: "INFO", body: "log " + i, attributes: { i } });
}

const sdkMetrics = load("sdk-metrics");
const { OTLPMetricExporter } = load("exporter-metrics-otlp-" + protocol);
const reader = new sdkMetrics.PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(target("metrics")) });
const metering = new sdkMetrics.MeterProvider({ resource, readers: [reader] });
const meter = metering.getMeter("js");
meter.createCounter("js.count").add(Number(count), { kind: "x" });
meter.createHistogram("js.size").record(7);

await tracing.forceFlush();
await logging.forceFlush();

await Promise.all([tracing.shutdown(), logging.shutdown(), metering.shutdown()]);
