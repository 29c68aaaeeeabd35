/**
 * Whether a source is passed through or encoded, and what its epochs make: the plan of the ladder, fitted to the shape
 * that the session has already promised.
 */
import type { RenditionName } from '../../contracts/ids.ts';
import type { EncodePlan, RenditionPlan, SourceDescription } from '../encode/encode_plan.ts';
import { framesPerSecond } from '../encode/frame_rate.ts';
import { deriveLadder } from '../encode/ladder.ts';
import type { LadderRung } from '../encode/ladder_rungs.ts';
import type { SourceMemory } from './gop_memory.ts';

/** EXTINF may exceed the target duration by less than half a second (RFC 8216bis section 4.4.3.1: it is rounded). */
const ROUNDING_MS = 450;
/** A passed-through source may send this much more than what was promised for it before it is encoded. */
const BITRATE_SLACK = 1.2;

export interface PolicySettings {
  readonly topRendition: 'copy' | 'encode';
  readonly rungs: readonly LadderRung[];
  readonly segmentSeconds: number;
  readonly partSeconds: number;
}

/** What is known of the source's key frames and bitrate, newest first. */
export interface SourceMeasures {
  /** Longest GOP of this session, the running one included, ms; 0: none yet. */
  readonly longestGopMs: number;
  /** By the encoder's own words, frames. */
  readonly declaredGopFrames: number | undefined;
  /** Over ten seconds, bits per second. */
  readonly bitrate: number | undefined;
  /** From earlier sessions. */
  readonly memory: SourceMemory | undefined;
}

export interface PolicyVerdict {
  readonly mustEncode: boolean;
  /** Why, for the log. */
  readonly reason: string;
  /** EXT-X-TARGETDURATION that the source needs, whole seconds. */
  readonly targetDuration: number;
}

/**
 * @param targetDuration the session's, once it has one: it is fixed then
 * @param copied the rendition that is being passed through, once there is one
 */
export function judgeSource(
  measures: SourceMeasures,
  source: SourceDescription,
  settings: PolicySettings,
  targetDuration: number | undefined,
  copied?: RenditionPlan,
): PolicyVerdict {
  const segment = Math.max(1, Math.round(settings.segmentSeconds));
  const encode = (reason: string): PolicyVerdict => ({
    mustEncode: true,
    reason,
    targetDuration: targetDuration ?? segment,
  });
  if (settings.topRendition === 'encode') return encode('HW_TOP_RENDITION=encode');
  const limitMs = (targetDuration ?? 2 * settings.segmentSeconds) * 1000 + ROUNDING_MS;
  const gopMs = expectedGopMs(measures, source);
  if (measures.longestGopMs > limitMs || gopMs > limitMs) {
    const shownMs = Math.max(measures.longestGopMs, gopMs);
    const seconds = Number.isFinite(shownMs) ? `${(shownMs / 1000).toFixed(1)} s` : 'without bound';
    return encode(`key frames ${seconds} apart, wanted at most ${(limitMs - ROUNDING_MS) / 1000} s`);
  }
  if (copied !== undefined && measures.bitrate !== undefined && measures.bitrate > copied.maxRate * BITRATE_SLACK) {
    return encode(
      `${Math.round(measures.bitrate / 1000)} kb/s, wanted at most ${Math.round(copied.maxRate / 1000)} kb/s`,
    );
  }
  const needed = Math.max(segment, Math.ceil((gopMs - ROUNDING_MS) / 1000));
  return { mustEncode: false, reason: 'passed through', targetDuration: targetDuration ?? needed };
}

function expectedGopMs(measures: SourceMeasures, source: SourceDescription): number {
  if (measures.declaredGopFrames !== undefined && source.video !== undefined) {
    return (measures.declaredGopFrames * 1000) / framesPerSecond(source.video.frameRate);
  }
  return Math.max(measures.longestGopMs, measures.memory?.longestGopMs ?? 0);
}

export interface EpochPlanRequest {
  readonly source: SourceDescription;
  readonly settings: PolicySettings;
  readonly mustEncode: boolean;
  /** From the publish grant. */
  readonly only: readonly RenditionName[] | undefined;
  /** Names of the renditions that the session has, once it has any. */
  readonly promised: readonly RenditionName[] | undefined;
}

/** @throws Error in one line when the source cannot give what the session has promised */
export function planEpoch({ source, settings, mustEncode, only, promised }: EpochPlanRequest): EncodePlan {
  const audioAlone = promised?.length === 1 && promised[0] === 'audio';
  if (audioAlone && source.audio === undefined) {
    throw new Error('video alone arrived, wanted audio: the running session is one of sound alone');
  }
  // A session of sound alone stays one: a picture that comes late has no place in its playlists.
  const taken = audioAlone && source.audio !== undefined ? { audio: source.audio } : source;
  const ladder = (top: 'copy' | 'encode') =>
    deriveLadder(taken, {
      rungs: settings.rungs,
      top,
      segmentSeconds: settings.segmentSeconds,
      partSeconds: settings.partSeconds,
      only,
    });
  const plan = ladder(mustEncode ? 'encode' : 'copy');
  if (promised === undefined) return plan;
  const copied = plan.renditions.find((rendition) => rendition.mode === 'copy');
  const usable = copied === undefined || promised.includes(copied.name) ? plan : ladder('encode');
  return audioAlone ? usable : fitted(usable, source, promised);
}

/** The same renditions by name as the session has: what the source is too small for is made at the source's own size. */
function fitted(plan: EncodePlan, source: SourceDescription, promised: readonly RenditionName[]): EncodePlan {
  if (source.video === undefined) {
    throw new Error('audio alone arrived, wanted video too: the running session began with video');
  }
  const largest = plan.renditions.at(-1);
  if (largest === undefined) throw new Error('the ladder has no rendition');
  const renditions = promised.map(
    (name) => plan.renditions.find((rendition) => rendition.name === name) ?? standIn(name, largest),
  );
  return {
    ...plan,
    renditions,
    followsSource: renditions.some((rendition) => rendition.mode === 'copy'),
    audioBitrates: [...new Set(renditions.map((rendition) => rendition.audioBitrate))].toSorted((a, b) => a - b),
  };
}

function standIn(name: RenditionName, largest: RenditionPlan): RenditionPlan {
  return { ...largest, name, mode: 'encode' };
}
