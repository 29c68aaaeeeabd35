import { beforeEach, describe, expect, it } from 'vitest';
import { LiveSession } from './live_session.js';
import { parseStatus } from './status_poll.js';

let did: string[];
let session: LiveSession;

beforeEach(() => {
  did = [];
  session = new LiveSession({
    start: () => did.push('start'),
    stop: () => did.push('stop'),
    show: (view) => did.push(view),
  });
});

describe('LiveSession', () => {
  it('waits while there is nothing, then plays', () => {
    session.onStatus(undefined);
    session.onStatus({ state: 'starting', sessionId: 'A' });
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStatus({ state: 'live', sessionId: 'A' });
    expect(did).toEqual(['starting', 'start', 'live']);
  });

  it('stands by while the publisher is away, and loads nothing anew', () => {
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStatus({ state: 'interrupted', sessionId: 'A' });
    session.onStill(60_000);
    session.onStatus({ state: 'live', sessionId: 'A' });
    expect(did).toEqual(['start', 'live', 'interrupted', 'live']);
  });

  it('plays the last seconds before it says that the stream has ended', () => {
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStatus({ state: 'ended', sessionId: 'A' });
    session.onStill(0);
    session.onStill(1900);
    expect(did).toEqual(['start', 'live']);
    session.onStill(2100);
    expect(did).toEqual(['start', 'live', 'stop', 'ended']);
  });

  it('does not play again what a status that is a moment old still calls live', () => {
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onPlaybackEnded();
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStatus({ state: 'interrupted', sessionId: 'A' });
    expect(did).toEqual(['start', 'live', 'stop', 'ended']);
    session.onStatus({ state: 'live', sessionId: 'B' });
    expect(did.slice(4)).toEqual(['start', 'live']);
  });

  it('starts with the next session, whether it saw the end of the last or not', () => {
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStatus({ state: 'live', sessionId: 'B' });
    session.onStatus(undefined);
    session.onStill(2500);
    session.onStatus(undefined);
    session.onStatus({ state: 'live', sessionId: 'C' });
    expect(did).toEqual(['start', 'live', 'start', 'stop', 'ended', 'start', 'live']);
  });

  it('plays on over a status that was lost for a moment', () => {
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStatus(undefined);
    session.onStill(0);
    session.onStatus({ state: 'live', sessionId: 'A' });
    session.onStill(5000);
    expect(did).toEqual(['start', 'live']);
  });

  it('says that a stream has ended to those who come late, and that it is not open to those who may not', () => {
    session.onStatus({ state: 'ended', sessionId: 'A' });
    session.onRefused();
    session.onStatus({ state: 'live', sessionId: 'B' });
    session.onRefused();
    expect(did).toEqual(['ended', 'refused', 'start', 'live']);
  });
});

describe('parseStatus', () => {
  it.each([null, 3, 'live', [], {}, { state: 'on' }, { state: 3 }])('refuses %j', (value) => {
    expect(parseStatus(value)).toBeUndefined();
  });

  it('takes what it knows', () => {
    expect(parseStatus({ state: 'live', sessionId: 'A', title: 5, renditions: [] })).toEqual({
      state: 'live',
      sessionId: 'A',
    });
  });
});
