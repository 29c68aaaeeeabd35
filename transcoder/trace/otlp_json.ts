/**
 * Writes spans as OTLP's JSON (opentelemetry-proto, `ExportTraceServiceRequest`; OTLP specification, "JSON Protobuf
 * Encoding": ids in hexadecimal, 64-bit numbers as text, enums as numbers).
 */
import type { AttributeValue, FinishedSpan } from './span.ts';

const KIND = { internal: 1, server: 2, client: 3 } as const;
const STATUS_ERROR = 2;
const SCOPE = 'headwater';

/** @param resource attributes of the program that the spans are of */
export function otlpTraceRequest(spans: readonly FinishedSpan[], resource: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope: { name: SCOPE }, spans: spans.map((span) => otlpSpan(span)) }],
      },
    ],
  });
}

function otlpSpan(span: FinishedSpan): object {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs, attributes, error } = span;
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    kind: KIND[kind],
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(Math.max(startMs, endMs)),
    attributes: attributesOf(attributes),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  };
}

/** Doubles cannot hold today's time in ns. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return `${BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6))}`;
}

function attributesOf(attributes: Readonly<Record<string, AttributeValue>>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
