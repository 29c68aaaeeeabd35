/**
 * A real viewer for the faults: hls.js in Chromium on a stream's playlist, with a count of how long no new picture came
 * (its clock alone would also move when the player seeks).
 */
import { PictureWatch } from '../fleet/picture_watch.ts';
import { openPlayer } from '../players/player_page.ts';

export interface FaultPlayer {
  /** The longest time in ms without a new picture since the last call of `forget`, or since it began to play. */
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
  let watch: PictureWatch;
  try {
    await tab.page.waitForFunction('document.querySelector("video").currentTime > 1', undefined, { timeout: withinMs });
    watch = await PictureWatch.start(tab);
  } catch (error) {
    const errors = await tab.errors();
    await tab.close();
    throw new Error(`the player did not begin to play ${url}: ${errors.join(', ')}`, { cause: error });
  }
  const position = () => tab.page.evaluate<number>('document.querySelector("video").currentTime');
  return {
    stalledMs: () => watch.longestMs(),
    forget: () => watch.reset(),
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
