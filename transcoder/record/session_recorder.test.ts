import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Epoch } from '../../contracts/ids.ts';
import {
  recordingEpochSchema,
  recordingIndexSchema,
  recordingKey,
  recordingSessionSchema,
} from '../../contracts/recording.ts';
import type { RecordingIndex } from '../../contracts/recording.ts';
import { parsePayload } from '../../contracts/schema.ts';
import { RecordedSession, SESSION, SHAPE, STREAM } from './testing/recorded_session.ts';

function indexes(session: RecordedSession): RecordingIndex[] {
  return session.store
    .keys(recordingKey.indexFolder(STREAM, SESSION))
    .map((key) => parsePayload(recordingIndexSchema, session.store.json(key), key));
}

function msns(index: RecordingIndex | undefined, rendition: string): number[] {
  return (index?.entries[rendition] ?? []).map(({ msn }) => msn);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

const open = recordingKey.open(STREAM, SESSION);
const description = recordingKey.session(STREAM, SESSION);
const tailOf = (epoch: number) => recordingKey.tail(STREAM, SESSION, epoch as Epoch);

describe('a session that is recorded', () => {
  it('is described before its media, which lie under their public paths as viewers get them', async () => {
    const session = new RecordedSession({ keepDays: 30 });
    session.beginEpoch(7);
    await session.segments(2);
    expect(session.store.attempts.slice(0, 4)).toEqual([open, description, 'show/7/epoch.json', tailOf(7)]);
    expect(parsePayload(recordingSessionSchema, session.store.json(description), 'session')).toMatchObject({
      title: 'The show',
      shape: SHAPE,
      renditions: ['360p', '720p'],
      keepDays: 30,
    });
    expect(parsePayload(recordingEpochSchema, session.store.json('show/7/epoch.json'), 'epoch')).toMatchObject({
      sessionId: SESSION,
      playback: 'public',
    });
    expect(session.store.keys('show/7/')).toEqual([
      'show/7/360p/100.m4s',
      'show/7/360p/101.m4s',
      'show/7/360p/init.mp4',
      'show/7/720p/100.m4s',
      'show/7/720p/101.m4s',
      'show/7/720p/init.mp4',
      'show/7/epoch.json',
    ]);
    const segment = session.store.objects.get('show/7/720p/101.m4s');
    const parts = session.window.tracks[1]?.find(101)?.parts.map(({ data }) => data) ?? [];
    expect(segment?.body.equals(Buffer.concat(parts))).toBe(true);
    expect(segment?.options).toMatchObject({
      contentType: 'video/mp4',
      cacheControl: 'public, max-age=1209600, immutable',
      keepDays: 30,
    });
  });

  it('has a tail within seconds, a sealed index after a minute, and is finalised after its end', async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    for (let count = 0; count < 4; count += 1) await session.segment([0, 1], 100_000);
    const tail = parsePayload(recordingIndexSchema, session.store.json(tailOf(7)), 'tail');
    expect(msns(tail, '360p').slice(0, 2)).toEqual([100, 101]);
    expect(tail.serial).toBe(0);
    await session.segments(60);
    const sealed = indexes(session);
    expect(sealed.map(({ serial }) => serial)).toEqual([0, 1]);
    await session.segments(1);
    session.window.markEnded();
    await session.recorder.ended('ended');
    const all = indexes(session);
    for (const rendition of ['360p', '720p']) {
      expect(all.flatMap((index) => msns(index, rendition))).toEqual(range(100, 165));
    }
    const entry = all[0]?.entries['720p']?.[3];
    const body = session.store.objects.get('show/7/720p/103.m4s')?.body ?? Buffer.alloc(0);
    expect(entry).toEqual({
      msn: 103,
      duration: 2,
      pdt: Date.UTC(2026, 10, 22, 18) + 6000,
      size: 100_000,
      sha256: createHash('sha256').update(body).digest('hex'),
    });
    expect(Object.keys(all[0]?.inits ?? {})).toEqual(['360p', '720p']);
    expect(session.finalized).toEqual([{ streamId: STREAM, sessionId: SESSION }]);
    expect(session.done).toBe(true);
    expect(session.notifications).toEqual([]);
  });

  it('spends at most 1 % of the bytes of its media on indexes, over hours', { timeout: 30_000 }, async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    // 96 kbit/s: less than sound alone has, so that the figure is hard to hold.
    for (let count = 0; count < 2000; count += 1) await session.segment([0, 1], 24_000);
    session.window.markEnded();
    await session.recorder.ended('ended');
    const { indexes: index, media } = session.store.bytes;
    expect(index / media).toBeLessThan(0.01);
    expect(indexes(session).flatMap((one) => msns(one, '360p'))).toEqual(range(100, 2100));
  });

  it('rolls thirty sealed indexes up into one', async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    for (let count = 0; count < 2000; count += 1) await session.segment([0, 1], 40_000);
    session.window.markEnded();
    await session.recorder.ended('ended');
    expect(session.store.keys(recordingKey.rollUpFolder(STREAM, SESSION))).toHaveLength(2);
    const rolled = parsePayload(
      recordingIndexSchema,
      session.store.json(recordingKey.rollUp(STREAM, SESSION, 7 as Epoch, 59)),
      'roll-up',
    );
    const sealed = indexes(session).slice(30, 60);
    expect(rolled.serial).toBe(59);
    expect(msns(rolled, '720p')).toEqual(sealed.flatMap((one) => msns(one, '720p')));
  });

  it('records the top rendition alone when told so', async () => {
    const session = new RecordedSession({ record: 'top' });
    session.beginEpoch(7);
    await session.segments(2);
    expect(session.store.keys('show/7/').filter((key) => key.includes('360p'))).toEqual([]);
    expect(session.store.json(description)).toMatchObject({ record: 'top', renditions: ['720p'] });
  });

  it('keeps epochs apart, and says what a rendition did not have', async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    await session.segments(2);
    await session.segment([1]);
    session.beginEpoch(9);
    await session.segments(2);
    session.window.markEnded();
    await session.recorder.ended('ended');
    const [first, second] = indexes(session);
    expect([first?.epoch, second?.epoch]).toEqual([7, 9]);
    expect(first?.entries['360p']?.map(({ msn, size }) => [msn, size])).toEqual([
      [100, 10_000],
      [101, 10_000],
      [102, undefined],
    ]);
    expect(msns(first, '720p')).toEqual([100, 101, 102]);
    expect(msns(second, '360p')).toEqual([103, 104]);
    expect(session.store.keys('show/9/')).toContain('show/9/720p/init.mp4');
  });

  it('leaves the description that another server wrote, and does not finalise what goes on elsewhere', async () => {
    const session = new RecordedSession();
    await session.store.put(description, [Buffer.from('"theirs"')], { contentType: '', cacheControl: '' });
    session.beginEpoch(7);
    await session.segments(2);
    await session.recorder.ended('moved');
    expect(session.store.json(description)).toBe('theirs');
    expect(session.finalized).toEqual([]);
    expect(msns(indexes(session)[0], '720p')).toEqual([100, 101]);
  });

  it('writes nothing for a session that had no media', async () => {
    const session = new RecordedSession();
    session.window.markEnded();
    await session.recorder.ended('ended');
    expect(session.store.keys()).toEqual([]);
    expect(session.finalized).toEqual([]);
  });

  it('keeps a picture from early on, and the last one', async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    session.recorder.posterMade(Buffer.from('before any media'));
    for (let count = 0; count < 10; count += 1) {
      await session.segment();
      session.recorder.posterMade(Buffer.from(`picture ${count}`));
    }
    await session.clock.pass(0);
    const key = recordingKey.poster(STREAM, SESSION);
    expect(session.store.objects.get(key)?.body.toString()).toBe('picture 0');
    await session.recorder.ended('ended');
    expect(session.store.objects.get(key)?.body.toString()).toBe('picture 9');
    expect(session.store.objects.get(key)?.options.contentType).toBe('image/jpeg');
  });
});

describe('a store that fails', () => {
  it('is said once, within ten seconds of the fault, and said to be over', async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    await session.segments(5);
    session.store.script = () => 'fail';
    const since = session.clock.monotonicMs();
    while (session.notifications.length === 0) await session.segment();
    expect(session.clock.monotonicMs() - since).toBeLessThanOrEqual(10_000);
    await session.segments(30);
    expect(session.notifications).toEqual([
      {
        id: 'evt_00000001',
        type: 'recording.failing',
        streamId: STREAM,
        sessionId: SESSION,
        epoch: 7,
        data: expect.objectContaining({ reason: expect.stringContaining('SlowDown'), lost: 0 }),
      },
    ]);
    session.store.script = () => 'ok';
    await session.segments(10);
    expect(session.notifications.map(({ type }) => type)).toEqual(['recording.failing', 'recording.recovered']);
    session.window.markEnded();
    await session.recorder.ended('ended');
    expect(indexes(session).flatMap((index) => msns(index, '720p'))).toEqual(
      range(100, 100 + session.store.keys('show/7/720p/').length - 1),
    );
  });

  it('a store that hangs is said too', async () => {
    const session = new RecordedSession();
    session.beginEpoch(7);
    session.store.script = () => 'hang';
    await session.segments(5);
    expect(session.notifications.map(({ data }) => data['reason'])).toEqual(['the store does not keep up']);
  });

  it('what is lost for good is a gap, never said to be stored', async () => {
    const session = new RecordedSession({ maxMemoryBytes: 100_000 });
    session.beginEpoch(7);
    await session.segments(3);
    session.store.script = () => 'fail';
    await session.segments(20);
    session.store.script = () => 'ok';
    await session.segments(10);
    session.window.markEnded();
    await session.recorder.ended('ended');
    const entries = indexes(session).flatMap((index) => index.entries['720p'] ?? []);
    expect(entries.map(({ msn }) => msn)).toEqual(range(100, 133));
    for (const { msn, sha256 } of entries) {
      const stored = session.store.objects.get(`show/7/720p/${msn}.m4s`);
      expect({ msn, sha256 }).toEqual({
        msn,
        sha256: stored === undefined ? undefined : createHash('sha256').update(stored.body).digest('hex'),
      });
    }
    expect(entries.filter(({ sha256 }) => sha256 === undefined).length).toBeGreaterThan(5);
    expect(session.notifications.map(({ type, data }) => [type, (data['lost'] ?? 0) !== 0])).toEqual([
      ['recording.failing', false],
      ['recording.failing', true],
      ['recording.recovered', true],
    ]);
  });

  it('nothing is indexed before the session is described', async () => {
    const session = new RecordedSession();
    session.store.script = (key) => (key === description ? 'fail' : 'ok');
    session.beginEpoch(7);
    await session.segments(40);
    expect(session.store.keys()).toEqual([open]);
    session.store.script = () => 'ok';
    await session.segments(5);
    session.window.markEnded();
    await session.recorder.ended('ended');
    expect(indexes(session).flatMap((index) => msns(index, '360p'))).toEqual(range(100, 145));
  });
});
