import { describe, expect, test } from 'vitest';
import type { SessionId } from '../../contracts/ids.ts';
import { PublishRefused } from '../ingest/publisher.ts';
import { settled } from './testing/fake_clock.ts';
import { DEMO, publish, publisher, start } from './testing/hub_fixture.ts';

describe('StreamHub', () => {
  test('a publisher that leaves while it is let in does not cost the session that waits', async () => {
    const { clock, control, hub, sessions, accept } = start();
    const sink = await accept();
    await publish(sink, clock);
    sink.ended('lost', 'reset');
    await settled();
    const gone = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    control.answers = promise;
    const refused = accept('demo', publisher(), gone.signal);
    await settled();
    gone.abort(new Error('the connection is gone'));
    resolve();
    await expect(refused).rejects.toThrow('the connection is gone');
    await clock.pass(10_000);
    expect(sessions).toHaveLength(1);
    expect(hub.liveStreams[0]?.state).toBe('interrupted');
    expect(hub.liveStreams[0]?.epoch).toBe(control.epochOf(DEMO));
  });

  test('one that has gone before its turn claims nothing', async () => {
    const { control, accept } = start();
    await expect(accept('demo', publisher(), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(control.claims).toBe(0);
  });

  test('a heartbeat that was overtaken by our own claim ends nothing', async () => {
    const { clock, control, hub, runs, accept } = start();
    const sink = await accept();
    await publish(sink, clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    control.answers = promise;
    runs[0]?.options.onFailure('FFmpeg ended by SIGKILL');
    await clock.pass(7000);
    expect(hub.liveStreams[0]?.state).toBe('live');
    control.answers = undefined;
    resolve();
    await clock.pass(7000);
    expect(hub.liveStreams[0]?.epoch).toBe(control.epochOf(DEMO));
  });

  test("a restart's claim that answers late does not take the epoch back", async () => {
    const { clock, control, hub, runs, accept } = start();
    const connection = publisher();
    const sink = await accept('demo', connection);
    await publish(sink, clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    control.answers = promise;
    runs[0]?.options.onFailure('FFmpeg ended by SIGKILL');
    await clock.pass(500);
    sink.ended('lost', 'reset');
    control.answers = undefined;
    await accept();
    expect(hub.liveStreams[0]?.epoch).toBe(3);
    resolve();
    await clock.pass(7000);
    expect(hub.liveStreams[0]?.epoch).toBe(3);
    expect(hub.liveStreams[0]?.state).toBe('live');
  });

  test('publishers that come at the same moment do not exceed the limit', async () => {
    const { hub, accept } = start({}, 2);
    const results = await Promise.allSettled(['one', 'two', 'three', 'four'].map((key) => accept(key)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    const refused = results[2];
    expect(refused?.status === 'rejected' && refused.reason).toBeInstanceOf(PublishRefused);
    expect(hub.liveStreams).toHaveLength(2);
    await expect(accept('one')).rejects.toThrow('already live');
  });

  test('a session that nobody ever saw is forgotten at once, and leaves no timer', async () => {
    const { clock, control, hub, accept } = start();
    for (let round = 0; round < 6; round += 1) {
      control.sessionId = `01JAAAAAAAAAAAAAAAAAAAAA${String(round).padStart(2, '0')}` as SessionId;
      const sink = await accept();
      sink.ended('goodbye', 'left before any media');
      await clock.pass(10);
    }
    expect(hub.find(DEMO)).toBeUndefined();
    expect(control.releases.filter(({ reason }) => reason === 'ended')).toHaveLength(6);
  });

  test('what one stream does wrong ends that stream alone', async () => {
    const { clock, hub, runs, accept } = start();
    const bad = await accept('bad');
    const good = await accept('good');
    await publish(bad, clock);
    await publish(good, clock);
    const run = runs.find(({ options }) => options.epoch === 1);
    if (run === undefined) throw new Error('no run');
    run.live();
    run.hold = () => {
      throw new Error('a bug');
    };
    bad.ended('lost', 'reset');
    await clock.pass(3000);
    expect(hub.liveStreams.map(({ streamId }) => streamId)).toEqual(['good']);
  });

  test('the end of an earlier absence is none once a publisher was back', async () => {
    const { clock, hub, runs, accept } = start({ goodbyeWindowMs: 0 });
    const first = await accept();
    await publish(first, clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    if (runs[0] !== undefined) runs[0].flushed = promise;
    first.ended('goodbye', 'bye');
    await clock.pass(500);
    const second = await accept();
    await clock.pass(500);
    second.ended('lost', 'reset');
    resolve();
    await clock.pass(30_000);
    expect(hub.liveStreams[0]?.state).toBe('interrupted');
    await clock.pass(31_000);
    expect(hub.liveStreams).toEqual([]);
  });

  test('the end of the program waits until the registry has heard of it, and not for ever', async () => {
    const { clock, control, hub, accept } = start();
    await publish(await accept(), clock);
    control.release = () => new Promise(() => undefined);
    let closed = false;
    const closing = hub.close().then(() => (closed = true));
    await clock.pass(2400);
    expect(closed).toBe(true);
    await closing;
  });

  test('a picture that stops while the sound goes on is held', async () => {
    const { clock, runs, accept } = start();
    const sink = await accept();
    await publish(sink, clock);
    runs[0]?.live();
    for (let ms = 2000; ms < 6000; ms += 100) {
      sink.media({ kind: 'audio', timestampMs: ms, body: Buffer.from([0xaf, 1, 0x21]) });
      await clock.pass(100);
    }
    expect(runs.map(({ finished, killed }) => [finished, killed])).toEqual([[true, false]]);
  });
});
