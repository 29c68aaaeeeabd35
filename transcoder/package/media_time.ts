/**
 * The clocks of published media: video and everything in playlists counts 90 kHz ticks, audio 48 kHz.
 */
import { AUDIO_TIMESCALE } from './aac_track.ts';

export const VIDEO_TIMESCALE = 90_000;

/** 90 kHz ticks as seconds. */
export function ticksToSeconds(ticks: number): number {
  return ticks / VIDEO_TIMESCALE;
}

/** Seconds as whole 90 kHz ticks. */
export function secondsToTicks(seconds: number): number {
  return Math.round(seconds * VIDEO_TIMESCALE);
}

/** 90 kHz ticks as 48 kHz ticks, not rounded. */
export function videoToAudioTime(ticks: number): number {
  return (ticks * AUDIO_TIMESCALE) / VIDEO_TIMESCALE;
}

/** 48 kHz ticks as whole 90 kHz ticks. */
export function audioToVideoTime(ticks: number): number {
  return Math.round((ticks * VIDEO_TIMESCALE) / AUDIO_TIMESCALE);
}
