import { expect, test } from 'vitest';
import { createFinalizeVodFunction } from './finalize_vod.ts';

const REQUEST = { streamId: 'show', sessionId: '01J5Z3NDEKTSV4RRFFQ69G5FAV' };
const CONTEXT = { awsRequestId: 'r' };

test('a finalisation that fails is thrown, so that Lambda repeats the event; the reason is in the log alone', async () => {
  const lines: string[] = [];
  const handler = createFinalizeVodFunction({
    finalize: () => Promise.reject(new Error('the store did not answer')),
    log: (level, message, fields) => lines.push(JSON.stringify({ level, message, ...fields })),
    nowMs: () => 0,
  });
  await expect(handler(REQUEST, CONTEXT)).rejects.toThrow(/^finalizeVod failed$/);
  expect(lines.join('\n')).toContain('the store did not answer');
});

test('a payload that will never be right is answered, not repeated', async () => {
  const handler = createFinalizeVodFunction({
    finalize: () => Promise.reject(new Error('not called')),
    log: () => undefined,
    nowMs: () => 0,
  });
  expect(await handler({ ...REQUEST, sessionId: 'x' }, CONTEXT)).toEqual({
    error: { code: 'bad-request', message: 'request.sessionId: wanted a session id (a ULID)' },
  });
});
