/**
 * Tracing put together: a tracer whose spans go to a collector.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { OtlpExporter } from './otlp_exporter.ts';
import { createTracer } from './span.ts';
import type { Tracer } from './span.ts';
import { readTraceSettings } from './trace_settings.ts';

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left. */
  close(): Promise<void>;
}

/**
 * @param serverId names this program among others of the same service
 * @returns undefined when traces are off
 * @throws SettingError in one line
 */
export function startTracing(
  env: Readonly<Record<string, string | undefined>>,
  { serverId, clock, logger }: { readonly serverId: string; readonly clock: Clock; readonly logger: Logger },
): Tracing | undefined {
  const settings = readTraceSettings(env);
  if (settings === undefined) return undefined;
  const { url, headers, serviceName } = settings;
  const resource = { 'service.name': serviceName, 'service.instance.id': serverId };
  const exporter = new OtlpExporter({ url, headers, resource, clock, logger });
  // The monotonic clock between spans of one trace: the wall clock may be set meanwhile.
  const originMs = clock.wallMs() - clock.monotonicMs();
  const tracer = createTracer(
    () => originMs + clock.monotonicMs(),
    (span) => exporter.add(span),
  );
  return { tracer, close: () => exporter.close() };
}
