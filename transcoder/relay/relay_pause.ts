/**
 * How long a relay waits before it tries again.
 */

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * ms before the next attempt: doubled up to the longest, and spread, so that a service that comes back is not stormed.
 * @param failures in a row, from 1 on
 * @param random 0 up to 1
 */
export function pauseAfter(failures: number, random: number): number {
  const whole = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return Math.round(whole * (0.5 + random / 2));
}
