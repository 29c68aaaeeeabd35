/** When an owner is replaced, and by what its state is judged. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Epoch, SessionId, StreamId } from '../contracts/ids.ts';
import type { ClaimReply, ClaimRequest } from '../contracts/registry.ts';
import type { Control } from './control.ts';
import { askOwnerOverHttp, createTakeoverControl } from './takeover_control.ts';
import type { OwnerState } from './takeover_control.ts';

const SHOW = 'show' as StreamId;
const REQUEST: ClaimRequest = {
  streamId: SHOW,
  serverId: 'b',
  claimId: 'claim-0001',
  address: { private: 'http://b.internal:8000' },
  playback: 'public',
  record: 'all',
};

function owned(leaseAgeMs: number): ClaimReply {
  const ownerAddress = { private: 'http://a.internal:8000' };
  return { outcome: 'owned', ownerServerId: 'a', ownerAddress, ownerEpoch: 7 as Epoch, leaseAgeMs };
}
const GRANTED: ClaimReply = {
  outcome: 'granted',
  epoch: 8 as Epoch,
  sessionId: '01KAP0000000000000000000ZZ' as SessionId,
  startedAtMs: 0,
  resumed: true,
  carryOn: { nextMsn: 1, discontinuitySequence: 0, programDateTimeEndMs: 0 },
};

const unused = () => Promise.reject(new Error('not part of this test'));

async function claimWith(state: OwnerState, leaseAgeMs: number) {
  const requests: ClaimRequest[] = [];
  const control: Control = {
    authorizePublish: unused,
    heartbeat: unused,
    release: unused,
    notify: unused,
    finalizeVod: unused,
    claim: (request) => {
      requests.push(request);
      return Promise.resolve(request.replaces === 7 ? GRANTED : owned(leaseAgeMs));
    },
  };
  const reply = await createTakeoverControl(control, () => Promise.resolve(state)).claim(REQUEST);
  const isHealthy = reply.outcome === 'owned' && reply.ownerHealthy === true;
  return { outcome: reply.outcome, isHealthy, calls: requests.length };
}

test.each([
  ['healthy', 0, 'owned'],
  ['healthy', 120_000, 'owned'],
  ['gone', 4_900, 'owned'],
  ['gone', 5_100, 'granted'],
  ['unreachable', 7_900, 'owned'],
  ['unreachable', 8_100, 'granted'],
  ['letting-go', 0, 'granted'],
] as const)('an owner that is %s, its lease %i ms old: %s', async (state, leaseAgeMs, outcome) => {
  const calls = outcome === 'granted' ? 2 : 1;
  expect(await claimWith(state, leaseAgeMs)).toEqual({ outcome, calls, isHealthy: state === 'healthy' });
});

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function ownerThat(answer: http.RequestListener): Promise<{ readonly private: string }> {
  const server = http.createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { private: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test.each([
  ['{"state":"live"}', 'healthy'],
  ['{"state":"starting"}', 'healthy'],
  ['{"state":"interrupted"}', 'letting-go'],
  ['{"state":"ended"}', 'letting-go'],
  ['<html>', 'unreachable'],
])('a status of %s is %s', async (body, state) => {
  const seen: (string | undefined)[] = [];
  const address = await ownerThat((request, response) => {
    seen.push(request.url, request.headers.authorization);
    response.end(body);
  });
  expect(await askOwnerOverHttp({ mediaToken: 'fleet' })(address, SHOW)).toBe(state);
  expect(seen).toEqual(['/show/status.json', 'Bearer fleet']);
});

test.each([
  [404, 'letting-go'],
  [401, 'unreachable'],
  [503, 'unreachable'],
  [302, 'unreachable'],
])('an answer of %i is %s', async (status, state) => {
  const address = await ownerThat((_request, response) => response.writeHead(status, { location: '/' }).end());
  expect(await askOwnerOverHttp({ mediaToken: undefined })(address, SHOW)).toBe(state);
});

test('silence is unreachable, and behind a closed port is nobody', async () => {
  const ask = askOwnerOverHttp({ mediaToken: undefined, timeoutMs: 50 });
  expect(await ask(await ownerThat(() => undefined), SHOW)).toBe('unreachable');
  const closed = await ownerThat(() => undefined);
  await new Promise((resolve) => servers.at(-1)?.close(resolve));
  expect(await ask(closed, SHOW)).toBe('gone');
});
