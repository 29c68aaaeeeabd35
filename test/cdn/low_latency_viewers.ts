/**
 * Simulated low-latency viewers, each on a connection of its own: for each part one blocking reload, then the part. They
 * note when they had it.
 */
import { Poller } from '../edge/poller.ts';
import type { LiveFixture } from '../edge/live_fixture.ts';
import { RENDITION } from '../edge/live_fixture.ts';

export interface Watched {
  /** From the publishing of a part until a viewer had it, ms, in rising order. */
  readonly delaysMs: readonly number[];
  /** The targets that were asked for, without what differs from viewer to viewer. */
  readonly targets: ReadonlySet<string>;
  /** Replies other than 200 with a whole body. */
  readonly errors: readonly string[];
}

export interface WatchOptions {
  readonly viewers: number;
  readonly seconds: number;
  readonly partMs: number;
  readonly partBytes: number;
  /** Added to each URL of that viewer: a token, CMCD. */
  readonly queryOf?: (viewer: number) => string;
  /** Streams other than this one are watched just as well. */
  readonly streamId?: string;
}

/** Publishes a part every `partMs` meanwhile. */
export async function watch(port: number, fixture: LiveFixture, options: WatchOptions): Promise<Watched> {
  const { viewers, seconds, partMs, partBytes, queryOf = () => '', streamId = 'demo' } = options;
  const publishedAtMs = new Map<string, number>();
  const publish = (): void => {
    const { msn, parts } = fixture.position;
    publishedAtMs.set(`${msn}.${parts}`, performance.now());
    fixture.advance();
  };
  const delaysMs: number[] = [];
  const targets = new Set<string>();
  const errors: string[] = [];
  const endMs = performance.now() + seconds * 1000;
  const pollers = Array.from({ length: viewers }, () => new Poller(port));
  const start = fixture.position;
  const publishing = setInterval(publish, partMs);
  await Promise.all(
    pollers.map(async (poller, index) => {
      const own = queryOf(index);
      let { msn, parts: part } = start;
      while (performance.now() < endMs) {
        const playlist = `/${streamId}/${RENDITION}/index.m3u8?_HLS_msn=${msn}&_HLS_part=${part}`;
        const media = `/${streamId}/${fixture.epoch}/${RENDITION}/${msn}.${part}.m4s`;
        targets.add(playlist).add(media);
        const reload = await poller.get(own === '' ? playlist : `${playlist}&${own}`);
        const reply = await poller.get(own === '' ? media : `${media}?${own}`);
        const isWhole = reload.status === 200 && reply.status === 200 && reply.length === partBytes;
        if (!isWhole) errors.push(`${msn}.${part}: ${reload.status}, ${reply.status}, ${reply.length} bytes`);
        delaysMs.push(performance.now() - (publishedAtMs.get(`${msn}.${part}`) ?? 0));
        [msn, part] = part === 3 ? [msn + 1, 0] : [msn, part + 1];
      }
    }),
  );
  clearInterval(publishing);
  for (const poller of pollers) poller.close();
  return { delaysMs: delaysMs.toSorted((a, b) => a - b), targets, errors };
}

/** @param share 0 to 1 @param sorted rising */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
