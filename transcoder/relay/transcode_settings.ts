/**
 * What relays in mode `transcode` get, from `HW_RELAY_TRANSCODE`: the limits that a service sets, Twitch's unless said
 * otherwise.
 */

export interface TranscodeSettings {
  /** Pixels of the picture's short side, at most; even. */
  readonly shortSide: number;
  /** Frames per second, at most. */
  readonly frameRate: number;
  /** Bits per second, constant. */
  readonly videoBitrate: number;
  readonly audioBitrate: number;
}

/** Twitch: 720p30 at 3.5 Mb/s. */
export const DEFAULT_TRANSCODE: TranscodeSettings = {
  shortSide: 720,
  frameRate: 30,
  videoBitrate: 3_500_000,
  audioBitrate: 160_000,
};

const SHAPE = /^([1-9][0-9]{1,3})p([1-9][0-9]{0,2}):([1-9][0-9]*)([kM]?):([1-9][0-9]*)([kM]?)$/;
const FACTOR: Readonly<Record<string, number>> = { '': 1, k: 1000, M: 1_000_000 };

/** @param text such as `720p30:3500k:160k`. @throws Error in one line */
export function parseTranscodeSettings(text: string): TranscodeSettings {
  const [matched, side, rate, video, videoUnit = '', audio, audioUnit = ''] = SHAPE.exec(text) ?? [];
  if (matched === undefined) throw new Error(`wanted a text such as 720p30:3500k:160k, got ${JSON.stringify(text)}`);
  const settings = {
    shortSide: Number(side),
    frameRate: Number(rate),
    videoBitrate: Number(video) * (FACTOR[videoUnit] ?? 1),
    audioBitrate: Number(audio) * (FACTOR[audioUnit] ?? 1),
  };
  within('the short side', settings.shortSide, 64, 2160);
  within('the frame rate', settings.frameRate, 1, 120);
  within('the video bitrate', settings.videoBitrate, 50_000, 60_000_000);
  within('the audio bitrate', settings.audioBitrate, 16_000, 512_000);
  if (settings.shortSide % 2 !== 0) throw new Error(`wanted an even short side, got ${settings.shortSide}`);
  return settings;
}

function within(what: string, value: number, min: number, max: number): void {
  if (value < min || value > max) throw new Error(`wanted ${what} from ${min} to ${max}, got ${value}`);
}
