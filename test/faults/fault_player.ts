/**
 * A real viewer for the faults: hls.js in Chromium on a stream's playlist, with a clock that counts how long its picture
 * stood still.
 */
import { openPlayer, WATCH_CLOCK } from '../players/player_page.ts';

export interface FaultPlayer {
  /** The longest time in ms that the clock stood still since the last call of `forget`, or since it began to play. */
  stalledMs(): Promise<number>;
  /** Starts the count anew. */
  forget(): Promise<void>;
  /** Resolves when the picture has moved by so many seconds from now on. @throws Error when it does not in time */
  playsOn(byS: number, withinMs: number): Promise<void>;
  /** Errors that the player could not recover from. */
  fatalErrors(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Resolves when it plays. @param url of a multivariant playlist */
export async function watchWithPlayer(url: string, withinMs = 60_000): Promise<FaultPlayer> {
  const tab = await openPlayer('hls.js', url);
  try {
    await tab.page.waitForFunction('document.querySelector("video").currentTime > 1', undefined, { timeout: withinMs });
    await tab.page.evaluate(WATCH_CLOCK);
  } catch (error) {
    const errors = await tab.errors();
    await tab.close();
    throw new Error(`the player did not begin to play ${url}: ${errors.join(', ')}`, { cause: error });
  }
  const position = () => tab.page.evaluate<number>('document.querySelector("video").currentTime');
  return {
    stalledMs: () => tab.page.evaluate<number>('window.clockWatch.longestMs'),
    forget: async () => {
      await tab.page.evaluate('window.clockWatch.longestMs = 0, window.clockWatch.movedAt = performance.now(), 0');
    },
    playsOn: async (byS, withinPlayMs) => {
      const from = await position();
      await tab.page.waitForFunction(`document.querySelector("video").currentTime > ${from + byS}`, undefined, {
        timeout: withinPlayMs,
      });
    },
    fatalErrors: async () => (await tab.errors()).filter((line) => line.startsWith('fatal')),
    close: () => tab.close(),
  };
}
