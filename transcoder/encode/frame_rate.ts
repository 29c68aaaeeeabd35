/**
 * Decides a source's frame rate from what it declares and what its timestamps show, and gives it as the exact fraction
 * that the encoders and playlists count in.
 */
import type { FrameRate } from './encode_plan.ts';

const STANDARD: readonly FrameRate[] = [
  { numerator: 24_000, denominator: 1001 },
  { numerator: 24, denominator: 1 },
  { numerator: 25, denominator: 1 },
  { numerator: 30_000, denominator: 1001 },
  { numerator: 30, denominator: 1 },
  { numerator: 48, denominator: 1 },
  { numerator: 50, denominator: 1 },
  { numerator: 60_000, denominator: 1001 },
  { numerator: 60, denominator: 1 },
];
const MAX_RATE = 60;
const LOWEST_STANDARD = 23.9;
/** A declaration within this of what the timestamps show is believed. */
const AGREEMENT = 0.1;
/** How far a rate may lie from a standard one to be taken for it. */
const SNAP = 0.015;
/** Fewer intervals say nothing: the first ones are often uneven. */
const MIN_INTERVALS = 5;
const DEFAULT: FrameRate = { numerator: 30, denominator: 1 };

/** Frames per second. */
export function framesPerSecond(rate: FrameRate): number {
  return rate.numerator / rate.denominator;
}

export interface FrameRateEvidence {
  /** From onMetaData. */
  readonly metadata?: number | undefined;
  /** From the SPS's VUI. */
  readonly bitstream?: number | undefined;
  /** Decoding times of the first frames, ms, rising. */
  readonly timestampsMs?: readonly number[] | undefined;
}

/** Metadata, then the bitstream, when plausible and not at odds with the timestamps; else what these show; else 30. */
export function decideFrameRate(evidence: FrameRateEvidence): FrameRate {
  const measured = measureRate(evidence.timestampsMs ?? []);
  for (const declared of [evidence.metadata, evidence.bitstream]) {
    if (declared === undefined || !(declared >= 1 && declared <= 300)) continue;
    if (measured === undefined || Math.abs(declared / measured - 1) <= AGREEMENT) return snapFrameRate(declared);
  }
  if (measured === undefined) return DEFAULT;
  // Milliseconds over some frames do not tell 29.97 from 30: take the whole number.
  return snapFrameRate(measured, 'whole');
}

/** Frames per second by the median interval's neighbourhood, so that one gap or burst does not count. */
function measureRate(timestampsMs: readonly number[]): number | undefined {
  const intervals: number[] = [];
  for (let index = 1; index < timestampsMs.length; index += 1) {
    const interval = (timestampsMs[index] ?? 0) - (timestampsMs[index - 1] ?? 0);
    if (interval > 0) intervals.push(interval);
  }
  if (intervals.length < MIN_INTERVALS) return undefined;
  const median = intervals.toSorted((a, b) => a - b)[intervals.length >> 1] ?? 0;
  const near = intervals.filter((interval) => interval >= median * 0.5 && interval <= median * 1.5);
  const mean = near.reduce((sum, interval) => sum + interval, 0) / near.length;
  return mean > 0 ? 1000 / mean : undefined;
}

/**
 * The nearest standard rate; an odd one between them goes up to the next, so that no frame is lost; one below 24 stays
 * as it is (to 1/1000), one above 60 is halved until it fits, or becomes 60.
 */
export function snapFrameRate(rate: number, kinds: 'any' | 'whole' = 'any'): FrameRate {
  if (rate > MAX_RATE * (1 + SNAP)) {
    const half = STANDARD.find((standard) => Math.abs(rate / 2 / framesPerSecond(standard) - 1) < 0.0005);
    return half ?? { numerator: MAX_RATE, denominator: 1 };
  }
  const candidates = STANDARD.filter((standard) => kinds === 'any' || standard.denominator === 1);
  const distance = (standard: FrameRate) => Math.abs(rate / framesPerSecond(standard) - 1);
  const nearest = candidates.toSorted((a, b) => distance(a) - distance(b))[0] ?? DEFAULT;
  if (distance(nearest) <= SNAP) return nearest;
  if (rate >= LOWEST_STANDARD) return candidates.find((standard) => framesPerSecond(standard) > rate) ?? DEFAULT;
  const whole = Math.max(1, Math.round(rate));
  if (Math.abs(rate / whole - 1) <= SNAP) return { numerator: whole, denominator: 1 };
  return { numerator: Math.max(1000, Math.round(rate * 1000)), denominator: 1000 };
}
