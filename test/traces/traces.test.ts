/**
 * Traces of a running server at a collector: one per publication, from the publish command to the first segment.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../one_machine/eventually.ts';
import { startMachine } from '../one_machine/machine_process.ts';
import type { MachineProcess } from '../one_machine/machine_process.ts';
import { PacedPublisher } from '../one_machine/paced_publisher.ts';
import { makeTestSource } from '../one_machine/test_source.ts';
import { assertNoSecret } from '../secrets/assert_no_secret.ts';

const KEY = 'key-of-the-publisher';

interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status: object;
}

const received: ReceivedSpan[] = [];
let everything = '';
let collector: Server;
let machine: MachineProcess;

beforeAll(async () => {
  collector = createServer((request, reply) => {
    void text(request).then((body): undefined => {
      everything += body;
      const { resourceSpans } = JSON.parse(body) as {
        resourceSpans: { scopeSpans: { spans: ReceivedSpan[] }[] }[];
      };
      received.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
      reply.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      return undefined;
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  machine = await startMachine({
    HW_STREAM_KEYS: `demo=${KEY}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
  });
});

afterAll(async () => {
  await machine.stop();
  collector.close();
  collector.closeAllConnections();
});

test('a publication is one trace, from the publish command to the first segment; a refusal is one too', async () => {
  const source = await makeTestSource();
  const refused = PacedPublisher.start({ port: machine.ports.rtmp, key: 'not-the-key', source });
  await expect(refused).rejects.toThrow('NetStream.Publish.BadName');
  const publisher = await PacedPublisher.start({ port: machine.ports.rtmp, key: KEY, source });
  const roots = await eventually('both traces arrived', 20_000, () => {
    const found = received.filter(({ name }) => name === 'publish');
    return found.length === 2 && found;
  });
  await publisher.sayGoodbye();
  const [denied, accepted] = roots;
  expect(denied?.status).toEqual({ code: 2, message: 'NetStream.Publish.BadName' });
  expect(accepted?.status).toEqual({});
  const within = received.filter(({ traceId }) => traceId === accepted?.traceId);
  const byStart = within.toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
  expect(byStart.map(({ name }) => name)).toEqual(['publish', 'validate', 'claim', 'first_segment']);
  expect(new Set(byStart.slice(1).map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([accepted?.spanId]));
  expect(accepted?.attributes.map(({ key }) => key)).toEqual([
    'headwater.stream_id',
    'headwater.session_id',
    'headwater.epoch',
  ]);
  const tookMs = Number(BigInt(accepted?.endTimeUnixNano ?? 0) - BigInt(accepted?.startTimeUnixNano ?? 0)) / 1e6;
  expect(tookMs).toBeGreaterThan(500);
  expect(tookMs).toBeLessThan(15_000);
  assertNoSecret(everything + machine.log(), { 'the stream key': KEY, 'the wrong key': 'not-the-key' });
});
