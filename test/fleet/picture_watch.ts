/**
 * Watches whether a player's picture moves: its clock alone would also move when the player seeks to where nothing is
 * loaded yet.
 */
import type { PlayerTab } from '../players/player_page.ts';

const WATCH_PICTURE = `(() => {
  const video = document.querySelector('video');
  const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
  const watch = { longestMs: 0, frames: frames(), movedAt: performance.now() };
  setInterval(() => {
    const now = performance.now();
    if (frames() > watch.frames) { watch.frames = frames(); watch.movedAt = now; }
    watch.longestMs = Math.max(watch.longestMs, now - watch.movedAt);
  }, 50);
  window.pictureWatch = watch;
})()`;

export class PictureWatch {
  readonly #tab: PlayerTab;

  private constructor(tab: PlayerTab) {
    this.#tab = tab;
  }

  /** Begins once the player plays. */
  static async start(tab: PlayerTab): Promise<PictureWatch> {
    await tab.page.waitForFunction('document.querySelector("video").currentTime > 1');
    await tab.page.evaluate(WATCH_PICTURE);
    return new PictureWatch(tab);
  }

  /** Longest time without a new picture since the start or the last `reset`, the running one included, ms. */
  longestMs(): Promise<number> {
    return this.#tab.page.evaluate<number>('window.pictureWatch.longestMs');
  }

  /** Pictures shown so far. */
  frames(): Promise<number> {
    return this.#tab.page.evaluate<number>('window.pictureWatch.frames');
  }

  async reset(): Promise<void> {
    await this.#tab.page.evaluate(
      'window.pictureWatch.longestMs = 0, window.pictureWatch.movedAt = performance.now(), 0',
    );
  }
}
