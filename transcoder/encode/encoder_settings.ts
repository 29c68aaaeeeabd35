/**
 * How x264 is set, in one small table that an operator can override with `HW_ENCODER`, each value with its reason. What
 * was measured is in docs/benchmarks.md; `bench/encode_cpu.ts` measures it again.
 */

export interface EncoderSettings {
  /** libx264 preset. */
  readonly preset: string;
  /** x264's own parameters, set over the preset's. */
  readonly x264: Readonly<Record<string, string>>;
  /** Threads per encode; undefined: by the number of pixels per second. */
  readonly threads?: number | undefined;
}

export const DEFAULT_ENCODER_SETTINGS: EncoderSettings = {
  // x264 is 85 % of a ladder's CPU, and superfast costs about 0.6 of veryfast; the parameters give its quality back.
  preset: 'superfast',
  x264: {
    // Frames held back to look ahead: each costs a frame of latency. 8 gains 0.2 VMAF, 10 no more.
    'rc-lookahead': '6',
    // Bits go to what later frames refer to. superfast leaves it off; it pays even with a short look-ahead.
    mbtree: '1',
    // Weighted prediction in its cheap form, as veryfast has it: fades keep their quality.
    weightp: '1',
    // One B-frame is better than three at this speed (+0.8 VMAF in motion), cheaper, and less to wait for.
    bframes: '1',
    // A little less for flat areas: +0.2 dB at no cost.
    'aq-strength': '0.8',
    // Inter blocks of 8x8, which superfast leaves out: +0.3 VMAF at no measurable cost.
    partitions: 'i4x4,i8x8,p8x8',
    // Not `subme=2`: +0.5 VMAF for 0.13 to 0.16 of the reference's CPU.
  },
};

/** A settings text that is not one. The message is one line and names the bad entry. */
export class EncoderSettingsError extends Error {
  override readonly name = 'EncoderSettingsError';
}

const PRESETS: ReadonlySet<string> = new Set([
  'ultrafast',
  'superfast',
  'veryfast',
  'faster',
  'fast',
  'medium',
  'slow',
  'slower',
  'veryslow',
]);

/** Parameters that trade CPU, quality and latency. What shapes the stream (GOP, rates, levels) is not for an override. */
const ADJUSTABLE: ReadonlySet<string> = new Set([
  '8x8dct',
  'analyse',
  'aq-mode',
  'aq-strength',
  'b-adapt',
  'b-bias',
  'b-pyramid',
  'bframes',
  'cabac',
  'chroma-me',
  'chroma-qp-offset',
  'deblock',
  'direct',
  'fast-pskip',
  'ipratio',
  'lookahead-threads',
  'mbtree',
  'me',
  'merange',
  'mixed-refs',
  'no-cabac',
  'no-deblock',
  'no-mbtree',
  'no-psy',
  'nr',
  'partitions',
  'pbratio',
  'psy',
  'psy-rd',
  'qcomp',
  'qpmax',
  'qpmin',
  'qpstep',
  'rc-lookahead',
  'ref',
  'sliced-threads',
  'slices',
  'subme',
  'sync-lookahead',
  'trellis',
  'weightb',
  'weightp',
]);
const VALUE = /^[a-z0-9][a-z0-9.+_-]{0,30}$|^-?[0-9.]{1,8}$/;

/**
 * Reads `preset=superfast,rc-lookahead=10,bframes=2,threads=1`. What is not named keeps the default's value, except
 * that naming a preset drops the default's parameters. `no-…` names stand alone; a list inside of a value is written
 * with `+` (`partitions=i4x4+p8x8`).
 * @throws EncoderSettingsError
 */
export function parseEncoderSettings(text: string): EncoderSettings {
  let { preset } = DEFAULT_ENCODER_SETTINGS;
  let threads: number | undefined;
  const entries = text.split(',').map((entry) => entry.trim());
  const chosen: Record<string, string> = {};
  let presetNamed = false;
  for (const entry of entries) {
    if (entry === '') continue;
    const [name = '', value = '1', ...more] = entry.split('=');
    if (more.length > 0 || !VALUE.test(value)) fail(entry, 'wanted a form such as rc-lookahead=10');
    if (name === 'preset') {
      if (!PRESETS.has(value)) fail(entry, `wanted one of ${[...PRESETS].join(', ')}`);
      preset = value;
      presetNamed = true;
    } else if (name === 'threads') {
      if (!/^[1-9][0-9]?$/.test(value)) fail(entry, 'wanted from 1 to 99 threads');
      threads = Number(value);
    } else if (ADJUSTABLE.has(name)) {
      chosen[name] = value.replaceAll('+', ',');
    } else {
      fail(entry, `unknown or not adjustable; known: preset, threads, ${[...ADJUSTABLE].join(', ')}`);
    }
  }
  return { preset, x264: { ...(presetNamed ? {} : DEFAULT_ENCODER_SETTINGS.x264), ...chosen }, threads };
}

function fail(entry: string, wanted: string): never {
  throw new EncoderSettingsError(`x264 setting ${JSON.stringify(entry.slice(0, 60))}: ${wanted}`);
}

/** Luma samples per second that one thread is asked to encode: 720p at 30 frames per second. */
const SAMPLES_PER_THREAD = 1280 * 720 * 30;
const MAX_THREADS = 8;

/**
 * Threads for one encode. One up to 720p30: threads cost CPU, quality and a frame of latency each, and the renditions
 * of many streams use the cores already.
 */
export function encodeThreads(
  settings: EncoderSettings,
  size: { readonly width: number; readonly height: number },
  framesPerSecond: number,
): number {
  const wanted = Math.ceil((size.width * size.height * framesPerSecond) / (SAMPLES_PER_THREAD * 1.05));
  return settings.threads ?? Math.min(MAX_THREADS, Math.max(1, wanted));
}

/** The value of `-x264-params`: the table, and what shapes the stream. */
export function x264Params(settings: EncoderSettings): string {
  const fixed = {
    // Key frames stand on the segment grid only, so that all renditions can switch there.
    scenecut: '0',
    'open-gop': '0',
  };
  return Object.entries({ ...settings.x264, ...fixed })
    .map(([name, value]) => `${name}=${value}`)
    .join(':');
}
