/**
 * Clips: a stretch of a recording by seconds from its start, cut at whole segments.
 */
/** A stretch of rows, the end not included. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** Why a clip cannot be made, in one line for the viewer. */
export class ClipError extends Error {
  override readonly name = 'ClipError';
}

const SECONDS = /^(?:[0-9]{1,9}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})$/;

export interface ClipQuery {
  /** Seconds from the recording's start. */
  readonly start: number;
  /** Undefined: to the end. */
  readonly end: number | undefined;
}

/**
 * @param start, end as they stand in the query; undefined: not given
 * @returns undefined when neither is given: no clip
 * @throws ClipError for what is no number, negative, or empty
 */
export function parseClipQuery(start: string | undefined, end: string | undefined): ClipQuery | undefined {
  if (start === undefined && end === undefined) return undefined;
  const clip = {
    start: start === undefined ? 0 : parseSeconds('start', start),
    end: end === undefined ? undefined : parseSeconds('end', end),
  };
  if (clip.end !== undefined && clip.start >= clip.end) {
    throw new ClipError(`start (${clip.start}) must be less than end (${clip.end})`);
  }
  return clip;
}

function parseSeconds(name: string, text: string): number {
  if (SECONDS.test(text)) return Number(text);
  if (/^-[0-9.]+$/.test(text)) throw new ClipError(`${name} must not be negative`);
  throw new ClipError(`${name} must be a number of seconds`);
}

/** The clip in one spelling, with the question mark: a cache key, and what a multivariant playlist hands on. */
export function clipQueryText({ start, end }: ClipQuery): string {
  return `?start=${start}${end === undefined ? '' : `&end=${end}`}`;
}

/**
 * The rows that a clip touches: whole segments, the one at `start` and the one at `end` included.
 * @param rows of a timeline, or lines of one rendition
 * @throws ClipError for what lies beyond the end
 */
export function clipRange(rows: readonly { readonly duration: number }[], { start, end }: ClipQuery): RowRange {
  const duration = rows.reduce((sum, row) => sum + row.duration, 0);
  const length = `the recording is ${duration.toFixed(3)} s long`;
  if (start >= duration) throw new ClipError(`start (${start}) lies beyond the end: ${length}`);
  // Who asks for the last whole second gets it.
  if (end !== undefined && end > Math.ceil(duration))
    throw new ClipError(`end (${end}) lies beyond the end: ${length}`);
  let from = 0;
  let at = 0;
  for (const [index, row] of rows.entries()) {
    // Sums of decimals miss their mark by less than this.
    if (at <= start + 1e-6) from = index;
    if (end !== undefined && at >= end - 1e-6) return { from, to: index };
    at += row.duration;
  }
  return { from, to: rows.length };
}
