/**
 * Spans of a trace, as far as OpenTelemetry's are needed here: a name, a place in the trace, times, attributes, and how
 * it ended (OpenTelemetry specification, "Tracing API").
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

export type AttributeValue = string | number | boolean;

/** `server`: done for somebody outside. `client`: asked of somebody outside. */
export type SpanKind = 'internal' | 'server' | 'client';

export interface FinishedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** Unix time, ms, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Why it failed, in one line without a secret; undefined: it did not. */
  readonly error: string | undefined;
}

export interface Span {
  /** Attributes hold ids and codes; no key, no address, no title. */
  set(attributes: Readonly<Record<string, AttributeValue>>): void;
  child(name: string, kind?: SpanKind): Span;
  /** Only the first call counts. */
  end(error?: string): void;
}

export interface Tracer {
  start(name: string, kind?: SpanKind): Span;
  /** Runs `action` with the span as the current one, also in what it awaits. */
  within<Result>(span: Span, action: () => Result): Result;
  /** The span within which this is called. */
  readonly current: Span | undefined;
}

/** @param nowMs Unix time, ms. @param finished gets each span once */
export function createTracer(nowMs: () => number, finished: (span: FinishedSpan) => void): Tracer {
  const storage = new AsyncLocalStorage<Span>();
  const begin = (name: string, kind: SpanKind, traceId: string, parentSpanId?: string): Span => {
    const spanId = randomBytes(8).toString('hex');
    const startMs = nowMs();
    const attributes: Record<string, AttributeValue> = {};
    let open = true;
    return {
      set: (more) => Object.assign(attributes, more),
      child: (childName, childKind = 'internal') => begin(childName, childKind, traceId, spanId),
      end: (error) => {
        if (!open) return;
        open = false;
        finished({ name, kind, traceId, spanId, parentSpanId, startMs, endMs: nowMs(), attributes, error });
      },
    };
  };
  return {
    start: (name, kind = 'internal') => begin(name, kind, randomBytes(16).toString('hex')),
    within: (span, action) => storage.run(span, action),
    get current() {
      return storage.getStore();
    },
  };
}
