import { once } from 'node:events';
import type { LookupAddress } from 'node:dns';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { guardedConnect, shareLookups } from './guarded_connect.ts';
import type { GuardedConnectOptions } from './guarded_connect.ts';
import type { RelayFailure } from './relay_error.ts';

/** Nothing here may ever reach it unless private addresses are allowed. */
let listener: ReturnType<typeof createServer>;
let port = 0;
let connections = 0;

beforeEach(async () => {
  connections = 0;
  listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  ({ port } = listener.address() as AddressInfo);
});

afterEach(() => {
  listener.close();
});

function attempt(options: Partial<GuardedConnectOptions>): Promise<RelayFailure | Socket> {
  return new Promise((resolve) => {
    guardedConnect(
      { host: 'target.example', port, secure: false, allowPrivate: false, ...options },
      { connected: resolve, failed: resolve },
    );
  });
}

const resolvingTo =
  (...addresses: string[]) =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

test.each([
  ['a literal', { host: '127.0.0.1' }, 'loopback'],
  ['a literal, IPv6', { host: '::1' }, 'loopback'],
  ['a literal, IPv4 in IPv6', { host: '::ffff:127.0.0.1' }, 'loopback'],
  ['the metadata service', { host: '169.254.169.254' }, 'link-local'],
  ['a name', { resolve: resolvingTo('127.0.0.1') }, 'loopback'],
  ['a name with one bad address of several', { resolve: resolvingTo('192.0.43.8', '10.0.0.1') }, 'private'],
  ['the real resolver', { host: 'localhost' }, 'loopback'],
  ['over TLS', { host: '127.0.0.1', secure: true }, 'loopback'],
])('%s that is not public is not connected to', async (_name, options, kind) => {
  expect(await attempt(options)).toMatchObject({
    failureClass: 'address',
    message: `the target's address is not public (${kind})`,
  });
  expect(connections).toBe(0);
});

test('a lab may have private targets', async () => {
  const socket = await attempt({ host: 'localhost', allowPrivate: true });
  expect(socket).toHaveProperty('remotePort', port);
  (socket as Socket).destroy();
});

test('names that do not exist, closed ports and what is no TLS are told apart', async () => {
  const unknown = () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));
  expect(await attempt({ resolve: unknown })).toMatchObject({ failureClass: 'name' });
  expect(await attempt({ host: '127.0.0.1', allowPrivate: true, secure: true })).toMatchObject({ failureClass: 'tls' });
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port: closedPort } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  const refused = await attempt({ host: '127.0.0.1', port: closedPort, allowPrivate: true });
  expect(refused).toMatchObject({ failureClass: 'connect', message: 'the target cannot be reached (ECONNREFUSED)' });
});

test('a name that many relays want is looked up once at a time, and anew afterwards', async () => {
  const answers: PromiseWithResolvers<LookupAddress[]>[] = [];
  const resolveName = shareLookups((hostname) => {
    expect(hostname).toBe('live.example');
    const answer = Promise.withResolvers<LookupAddress[]>();
    answers.push(answer);
    return answer.promise;
  });
  const failed = Promise.allSettled([resolveName('live.example'), resolveName('live.example')]);
  expect(answers).toHaveLength(1);
  answers[0]?.reject(new Error('no answer'));
  expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const found = [resolveName('live.example'), resolveName('live.example')];
  expect(answers).toHaveLength(2);
  answers[1]?.resolve([{ address: '192.0.2.1', family: 4 }]);
  expect(await Promise.all(found)).toEqual([
    [{ address: '192.0.2.1', family: 4 }],
    [{ address: '192.0.2.1', family: 4 }],
  ]);
});
