import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { FakeClock } from '../stream/testing/fake_clock.ts';
import { RelayConnection } from './relay_connection.ts';
import { parseRelayUrl } from './relay_endpoint.ts';
import type { RelayFailure } from './relay_error.ts';

/** A ping request (RTMP 1.0 section 7.1.7) in one chunk. */
const PING = Buffer.from([2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0]);
const PINGS = Buffer.concat(Array.from({ length: 4000 }, () => PING));
const HELLO_BYTES = 1 + 1536 + 1536;

test('a target that asks without end and reads nothing is left', async () => {
  const target = createServer((socket) => {
    const hello = Buffer.alloc(HELLO_BYTES);
    hello[0] = 3;
    socket.on('error', () => socket.destroy());
    socket.write(hello);
    socket.pause();
    const flood = (): void => {
      while (!socket.destroyed && socket.write(PINGS));
    };
    socket.on('drain', flood);
    flood();
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const { promise: failed, resolve } = Promise.withResolvers<RelayFailure>();
  let most = 0;
  const connection: RelayConnection = new RelayConnection({
    endpoint: parseRelayUrl(`rtmp://127.0.0.1:${(target.address() as AddressInfo).port}/app/key`),
    network: { allowPrivate: true },
    fourCcs: [],
    clock: new FakeClock(),
    handlers: { live: () => undefined, failed: resolve },
  });
  const watch = setInterval(() => (most = Math.max(most, connection.queuedBytes)), 5);
  try {
    expect(await failed).toMatchObject({
      failureClass: 'protocol',
      message: 'the target asks without reading the answers',
    });
    expect(most).toBeLessThan(18 * 1024 * 1024);
  } finally {
    clearInterval(watch);
    connection.destroy();
    target.close();
  }
}, 20_000);
