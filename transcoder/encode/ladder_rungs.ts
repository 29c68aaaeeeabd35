/**
 * The ladder that an operator wants, before any source is known: the default rungs, and the parser of `HW_LADDER`.
 */

/** One rung. Rates in bits per second. */
export interface LadderRung {
  /** Pixels of the picture's short side: 720 is 1280x720, and 720x1280 for an upright source. Even. */
  readonly shortSide: number;
  readonly videoBitrate: number;
  readonly maxRate: number;
  readonly audioBitrate: number;
}

/** Ascending. */
export const DEFAULT_LADDER: readonly LadderRung[] = [
  { shortSide: 360, videoBitrate: 800_000, maxRate: 856_000, audioBitrate: 96_000 },
  { shortSide: 480, videoBitrate: 1_400_000, maxRate: 1_498_000, audioBitrate: 128_000 },
  { shortSide: 720, videoBitrate: 2_800_000, maxRate: 2_996_000, audioBitrate: 128_000 },
];

/** A ladder text that is not one. The message is one line and names the bad rung. */
export class LadderSyntaxError extends Error {
  override readonly name = 'LadderSyntaxError';
}

const FORM =
  'wanted a form such as 360p:800k:856k:96k (short side, video bitrate, highest video bitrate, audio bitrate)';
const MAX_RUNGS = 8;

/**
 * Reads `360p:800k:856k:96k,480p:1400k:1498k:128k`: rungs in any order, rates with `k` or `M` or in plain bits per
 * second. The highest bitrate may be left empty (`720p:2800k::128k`): it is then 1.07 times the bitrate.
 * @returns ascending
 * @throws LadderSyntaxError
 */
export function parseLadder(text: string): readonly LadderRung[] {
  const rungs = text
    .split(',')
    .map((rung) => rung.trim())
    .filter((rung) => rung !== '')
    .map((rung) => parseRung(rung));
  if (rungs.length === 0) throw new LadderSyntaxError(`the ladder has no rung, ${FORM}`);
  if (rungs.length > MAX_RUNGS)
    throw new LadderSyntaxError(`the ladder has ${rungs.length} rungs, wanted at most ${MAX_RUNGS}`);
  const sides = new Set(rungs.map((rung) => rung.shortSide));
  if (sides.size < rungs.length) throw new LadderSyntaxError('the ladder has two rungs of the same size');
  return rungs.toSorted((a, b) => a.shortSide - b.shortSide);
}

function parseRung(text: string): LadderRung {
  const fail = (what: string): never => {
    throw new LadderSyntaxError(`rung ${JSON.stringify(text.slice(0, 60))}: ${what}`);
  };
  const [side = '', video = '', highest = '', audio = '', ...more] = text.split(':');
  const match = /^([1-9][0-9]{1,3})p$/.exec(side);
  if (match === null || audio === '' || more.length > 0) return fail(FORM);
  const shortSide = Number(match[1]);
  if (shortSide % 2 !== 0 || shortSide < 16 || shortSide > 4320) {
    return fail('the short side must be even and from 16 to 4320 pixels');
  }
  const rate = (value: string, name: string, min: number, max: number): number => {
    const parsed = parseRate(value);
    if (parsed === undefined || parsed < min || parsed > max) {
      return fail(`${name} ${JSON.stringify(value)}, wanted from ${min / 1000}k to ${max / 1000}k`);
    }
    return parsed;
  };
  const videoBitrate = rate(video, 'video bitrate', 50_000, 100_000_000);
  const maxRate =
    highest === '' ? Math.round(videoBitrate * 1.07) : rate(highest, 'highest video bitrate', 50_000, 200_000_000);
  if (maxRate < videoBitrate) return fail('the highest video bitrate is below the video bitrate');
  return { shortSide, videoBitrate, maxRate, audioBitrate: rate(audio, 'audio bitrate', 32_000, 320_000) };
}

/** Bits per second of `800k`, `2.8M` or `800000`. */
function parseRate(text: string): number | undefined {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,6})?)([kKmM]?)$/.exec(text);
  if (match === null) return undefined;
  const unit = match[2]?.toLowerCase() === 'k' ? 1000 : match[2]?.toLowerCase() === 'm' ? 1_000_000 : 1;
  return Math.round(Number(match[1]) * unit);
}
