/** When players may see an heir's window. */
import { expect, test } from 'vitest';
import type { Epoch, RenditionName, StreamId } from '../../contracts/ids.ts';
import { SegmentWindow } from './segment_window.ts';
import { StreamWindowView } from './stream_window_view.ts';

const RENDITION = '360p' as RenditionName;
const NOW = Date.UTC(2026, 10, 22, 18);

function makeHeir(programDateTimeEndMs: number) {
  const window = new SegmentWindow({
    streamId: 'demo' as StreamId,
    renditions: [RENDITION],
    targetDuration: 2,
    partTarget: 0.5,
    partHoldBack: 1,
    carryOn: { nextMsn: 100, discontinuitySequence: 0, programDateTimeEndMs },
    resumed: true,
  });
  const epoch = window.startEpoch(1000 as Epoch, { mediaSeconds: 10, programDateTimeMs: NOW });
  epoch.setInit(0, Buffer.from('init'));
  let parts = 0;
  /** Half a second each; four make a segment. */
  const append = (count: number): void => {
    for (const end = parts + count; parts < end; parts += 1) {
      const segment = Math.floor(parts / 4);
      const place = { rendition: 0, segment, segmentStart: (10 + 2 * segment) * 90_000, hold: false };
      epoch.appendPart(place, { duration: 45_000, independent: parts % 4 === 0, data: Buffer.from('part') });
      if (parts % 4 === 3) epoch.endSegment(0);
    }
  };
  return { window, append };
}

test('with gaps before it: once a player that has stalled starts in media, not in a gap', async () => {
  const { window, append } = makeHeir(NOW - 6000);
  append(6);
  expect(window.isPresentable).toBe(false);
  let answered = false;
  const reply = new StreamWindowView(window)
    .mediaPlaylist(RENDITION, { skip: false }, new AbortController().signal)
    .then((playlist) => {
      answered = true;
      return playlist;
    });
  await Promise.resolve();
  expect(answered).toBe(false);
  append(1);
  expect((await reply).outcome).toBe('playlist');
});

test('without gaps: with its first whole segment', () => {
  const { window, append } = makeHeir(NOW);
  append(3);
  expect(window.isPresentable).toBe(false);
  append(1);
  expect(window.isPresentable).toBe(true);
});

test('at its end in any case', () => {
  const { window, append } = makeHeir(NOW - 6000);
  append(1);
  window.markEnded();
  expect(window.isPresentable).toBe(true);
});
