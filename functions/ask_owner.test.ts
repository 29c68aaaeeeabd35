/** What the reaper makes of a server's answers. */
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { parseEpoch, parseSessionId, parseStreamId } from '../contracts/ids.ts';
import { createAskOwner } from './ask_owner.ts';

const SESSION = '01KAP0000000000000000000ZZ';
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function ask(answer: RequestListener, timeoutMs = 5_000) {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return createAskOwner({ mediaToken: 'secret', timeoutMs })({
    streamId: parseStreamId('show'),
    sessionId: parseSessionId(SESSION),
    epoch: parseEpoch(1),
    address: { private: `http://127.0.0.1:${port}/` },
    renewedAtMs: 0,
  });
}

const status =
  (body: object, code = 200): RequestListener =>
  (request, response) => {
    const right = request.url === '/show/status.json' && request.headers.authorization === 'Bearer secret';
    response.writeHead(right ? code : 500).end(JSON.stringify(body));
  };

const endless: RequestListener = (_, response) => void response.end('x'.repeat(300_000));

test.each([
  ['serving', status({ state: 'live', sessionId: SESSION })],
  ['serving', status({ state: 'interrupted', sessionId: SESSION })],
  ['gone', status({ state: 'ended', sessionId: SESSION })],
  ['gone', status({ state: 'live', sessionId: '01KAP0000000000000000000ZX' })],
  ['gone', status({}, 404)],
  ['unreachable', status({ state: 'live', sessionId: SESSION }, 503)],
  ['unreachable', status({ state: 'live', sessionId: SESSION }, 302)],
  ['unreachable', status({ nothing: true })],
  ['unreachable', endless],
])('%s', async (wanted, answer) => {
  expect(await ask(answer)).toBe(wanted);
});

test('a server that hangs, or is not there, is unreachable', async () => {
  expect(await ask(() => undefined, 100)).toBe('unreachable');
  const away = createAskOwner({ mediaToken: undefined })({
    streamId: parseStreamId('show'),
    sessionId: parseSessionId(SESSION),
    epoch: parseEpoch(1),
    address: { private: 'http://127.0.0.1:1' },
    renewedAtMs: 0,
  });
  expect(await away).toBe('unreachable');
});
