/**
 * The publisher's media since its last key frame, so that a new FFmpeg can start at once instead of waiting for the
 * next key frame. Bounded: a GOP that does not fit is not kept, and the next start waits.
 */
import type { MediaTag } from '../flv/media_tag.ts';

const MAX_BYTES = 24 * 1024 * 1024;
/** What a tag costs in memory beside its bytes: its object, its buffer's, and their place in the list. */
const TAG_COST_BYTES = 256;

export class GopBuffer {
  #tags: MediaTag[] = [];
  #bytes = 0;
  #usable = false;
  #beganAtWallMs = 0;

  /** Media since the key frame that it begins with, or nothing. */
  get tags(): readonly MediaTag[] {
    return this.#usable ? this.#tags : [];
  }

  /** With what the tags cost beside their bytes. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** Unix time, ms, at which its first tag came. */
  get beganAtWallMs(): number {
    return this.#beganAtWallMs;
  }

  /** Starts anew with a key frame (or, without video, with any audio). */
  begin(tag: MediaTag, wallMs: number): void {
    this.clear();
    this.#beganAtWallMs = wallMs;
    this.#usable = true;
    this.append(tag);
  }

  /** Adds what follows; before the first key frame nothing is kept. */
  append(tag: MediaTag): void {
    if (!this.#usable) return;
    this.#tags.push(tag);
    this.#bytes += tag.body.length + TAG_COST_BYTES;
    if (this.#bytes > MAX_BYTES) this.clear();
  }

  clear(): void {
    this.#tags = [];
    this.#bytes = 0;
    this.#usable = false;
  }
}
