import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../stream/testing/fake_clock.ts';
import { silentLogger } from '../stream/testing/silent_logger.ts';
import { OtlpExporter } from './otlp_exporter.ts';
import { createTracer } from './span.ts';

/** Stands for a collector that never answers. */
const SILENT = 0;
let collector: Server;
let status = 200;
/** Names of the spans of each request. */
let requests: string[][] = [];
const tokens = new Set<unknown>();
let heard: (() => void) | undefined;

beforeEach(async () => {
  status = 200;
  requests = [];
  collector = createServer((request, reply) => {
    void text(request).then((body): undefined => {
      const { resourceSpans } = JSON.parse(body) as {
        resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[];
      };
      requests.push((resourceSpans[0]?.scopeSpans[0]?.spans ?? []).map(({ name }) => name));
      tokens.add(request.headers['x-token']);
      if (status !== SILENT) reply.writeHead(status).end('{}');
      heard?.();
      return undefined;
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
});

afterEach(() => {
  collector.close();
  collector.closeAllConnections();
});

function start(options: { readonly timeoutMs?: number } = {}) {
  const clock = new FakeClock();
  const logged: string[] = [];
  const log = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const exporter = new OtlpExporter({
    url: new URL(`http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`),
    headers: { 'x-token': 'secret-of-the-collector' },
    resource: {},
    ...options,
    clock,
    logger: { ...silentLogger, info: log, warn: log },
  });
  const tracer = createTracer(
    () => clock.wallMs(),
    (span) => exporter.add(span),
  );
  /** One round of sending. */
  const round = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    heard = resolve;
    await clock.pass(2000);
    await promise;
  };
  return { clock, exporter, tracer, round, logged };
}

test('spans go out in batches, and the rest at the end', async () => {
  const { exporter, tracer, round } = start();
  const one = tracer.start('one');
  one.child('two').end();
  one.end();
  await round();
  tracer.start('three').end();
  await exporter.close();
  expect(requests).toEqual([['two', 'one'], ['three']]);
  expect(tokens).toEqual(new Set(['secret-of-the-collector']));
});

test('a collector that is not ready gets them again, one that refuses does not, and each is told once', async () => {
  const { exporter, tracer, round, logged } = start();
  status = 503;
  tracer.start('one').end();
  await round();
  status = 400;
  await exporter.close();
  expect(requests).toEqual([['one'], ['one']]);
  status = 200;
  tracer.start('two').end();
  await exporter.close();
  expect(requests.at(-1)).toEqual(['two']);
  expect(logged).toEqual(['traces are not taken {"problem":"status 503"}', 'traces are taken again {}']);
});

test('why a collector is not reached is said in words or by its code', async () => {
  const late = start({ timeoutMs: 50 });
  status = SILENT;
  late.tracer.start('one').end();
  await late.exporter.close();
  expect(late.logged).toEqual(['traces are not taken {"problem":"no answer in time"}']);
  const refused = start();
  collector.close();
  collector.closeAllConnections();
  refused.tracer.start('two').end();
  await refused.exporter.close();
  expect(refused.logged).toEqual(['traces are not taken {"problem":"ECONNREFUSED"}']);
});

test('a collector that hangs does not hold the end up', async () => {
  const { clock, exporter, tracer } = start();
  status = SILENT;
  const asked = once(collector, 'request');
  tracer.start('one').end();
  const closed = exporter.close();
  await asked;
  await clock.pass(2000);
  await expect(closed).resolves.toBeUndefined();
});
