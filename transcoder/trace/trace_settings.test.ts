import { expect, test } from 'vitest';
import { readTraceSettings } from './trace_settings.ts';

test('traces are off without an endpoint', () => {
  expect(readTraceSettings({ OTEL_SERVICE_NAME: 'x' })).toBeUndefined();
});

test.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, 'http://c:4318/v1/traces'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp/' }, 'https://c/otlp/v1/traces'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://d/x' }, 'http://d/x'],
])('%j', (env, url) => {
  expect(readTraceSettings(env)?.url.href).toBe(url);
});

test('headers', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_EXPORTER_OTLP_HEADERS: 'Api-Key=a%20b, x = 1=2' };
  expect(readTraceSettings(env)?.headers).toEqual({ 'api-key': 'a b', x: '1=2' });
});

test.each(['secret-without-a-name', 'a=%zz-secret', 'a b=secret'])(
  'the header %j is refused without a word of it',
  (text) => {
    const read = () => readTraceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_HEADERS: text });
    expect(read).toThrow(/^OTEL_EXPORTER_OTLP_HEADERS: got a value that cannot be used/);
    expect(read).not.toThrow(/secret/);
  },
);
