/**
 * Where traces go, by OpenTelemetry's own names of the environment: nowhere unless an endpoint is set.
 */
import { SETTINGS } from '../../contracts/setting_table.ts';
import { readSettings, SettingError } from '../../contracts/settings.ts';

export interface TraceSettings {
  readonly url: URL;
  /** May hold a token. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

const TRACE_SETTINGS = {
  endpoint: SETTINGS.otlpEndpoint,
  tracesEndpoint: SETTINGS.otlpTracesEndpoint,
  headers: SETTINGS.otlpHeaders,
  serviceName: SETTINGS.otelServiceName,
} as const;

/** @returns undefined when traces are off. @throws SettingError in one line */
export function readTraceSettings(env: Readonly<Record<string, string | undefined>>): TraceSettings | undefined {
  const { endpoint, tracesEndpoint, headers, serviceName } = readSettings(TRACE_SETTINGS, env);
  // The signal's own endpoint is used as it is, the common one is a base (OpenTelemetry, "Endpoint URLs for OTLP/HTTP").
  const url = tracesEndpoint ?? (endpoint === undefined ? undefined : `${endpoint.replace(/\/+$/, '')}/v1/traces`);
  if (url === undefined) return undefined;
  return { url: new URL(url), headers: parseHeaders(headers ?? ''), serviceName };
}

/** `name=value,…`, percent-encoded, as in W3C baggage. */
function parseHeaders(text: string): Readonly<Record<string, string>> {
  const headers = new Map<string, string>();
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*([\x20-\x7e]*)$/.exec(entry) ?? [];
    if (name === undefined || value === undefined) {
      throw new SettingError(`${SETTINGS.otlpHeaders.name}: got a value that cannot be used, wanted name=value,…`);
    }
    headers.set(name.toLowerCase(), decode(value));
  }
  return Object.fromEntries(headers);
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (cause) {
    throw new SettingError(`${SETTINGS.otlpHeaders.name}: got a value that cannot be used, wanted percent-encoding`, {
      cause,
    });
  }
}
