import { expect, it } from 'vitest';
import { RecordedSession } from './recorded_session.js';
import { parseStatus } from './status_poll.js';

function make() {
  const did: string[] = [];
  const session = new RecordedSession({
    start: () => did.push('start'),
    stop: () => did.push('stop'),
    show: (view) => did.push(view),
  });
  return { did, session };
}

it('plays at once and stays, whatever becomes of the live stream', () => {
  const { did, session } = make();
  session.begin();
  session.onStatus();
  session.onRefused();
  session.onPlaybackEnded();
  session.onStill();
  expect([did, session.loaded, session.view]).toEqual([['start', 'recorded'], true, 'recorded']);
});

it.each([
  [404, 'missing'],
  [401, 'refused'],
  [403, 'refused'],
])('says after %d what is the matter: %s', (status, view) => {
  const { did, session } = make();
  session.begin();
  session.onUnplayable(status);
  expect(did).toEqual(['start', 'recorded', 'stop', view]);
  expect(session.loaded).toBe(false);
});

it('finds its list in the status, and nothing that is none', () => {
  const good = { sessionId: 'A', startedAt: '2026-11-22T20:00:00.000Z', url: '/x' };
  const status = {
    state: 'live',
    startedAt: good.startedAt,
    recordings: [good, {}, null, { ...good, startedAt: 'x' }],
  };
  expect(parseStatus(status)).toEqual({
    state: 'live',
    startedAtMs: Date.parse(good.startedAt),
    recordings: [good],
  });
});
