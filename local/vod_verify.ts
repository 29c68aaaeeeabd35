/**
 * `hw vod verify`: reads a whole recording and holds it to what was promised of it: every segment is there and is the one
 * that was recorded, it decodes, timestamps join, gaps are those declared, playlists and digests say the same.
 */
import { createHash } from 'node:crypto';
import type { Epoch, RenditionName, SessionId, StreamId } from '../contracts/ids.ts';
import { keyOfPath } from '../contracts/recording.ts';
import type {
  IndexEntry,
  RecordingIndex,
  RecordingSession,
  RecordingSummary,
  StoreKey,
} from '../contracts/recording.ts';
import { renderRecordingMedia, renderRecordingMultivariant } from '../contracts/recording_playlist.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { recordingTimeline } from '../contracts/recording_timeline.ts';
import type { RecordingTimeline } from '../contracts/recording_timeline.ts';
import { adoptSegments } from '../functions/finalize_vod/adopt_segments.ts';
import { mapLimited } from '../functions/finalize_vod/map_limited.ts';
import { readRecording, readSummary } from '../functions/finalize_vod/read_recording.ts';
import type { StoredRecording } from '../functions/finalize_vod/read_recording.ts';
import { mergeIndexes, reconcile } from '../functions/finalize_vod/reconcile.ts';
import { chainDigests } from '../functions/finalize_vod/summarize.ts';
import { readInitTracks, readSegmentTiming, SegmentFormatError } from '../functions/finalize_vod/segment_timing.ts';
import type { InitTrack, SegmentTiming } from '../functions/finalize_vod/segment_timing.ts';
import type { SegmentDecoder } from './segment_decoder.ts';

export interface VerifyOptions {
  readonly store: Pick<RecordingStore, 'get' | 'list'>;
  /** Undefined: nothing is decoded. */
  readonly decoder: SegmentDecoder | undefined;
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
}

export interface Verdict {
  /** What is wrong, one line each; none: the recording is good. */
  readonly findings: readonly string[];
  /** Undefined: it is not final. */
  readonly summary: RecordingSummary | undefined;
  /** Segments that were read. */
  readonly segments: number;
}

/** Segments of one FFmpeg: about a minute. */
const BATCH = 30;
/** Gets under way at once. */
const PARALLEL = 4;

/** Rejects with a StoreError. */
export async function verifyRecording({ store, decoder, streamId, sessionId }: VerifyOptions): Promise<Verdict> {
  const stored = await readRecording(store, streamId, sessionId);
  const { session } = stored;
  if (session === undefined) return { findings: ['there is no such recording'], summary: undefined, segments: 0 };
  const summary = await readSummary(store, streamId, sessionId);
  if (summary === undefined) {
    const findings = ['it is not final: the show goes on, or finalizeVod has not been done'];
    return { findings, summary, segments: 0 };
  }
  const findings = stored.unreadable.map((key) => `${key}: it cannot be read as an index`);
  const promised = withDeclaredGaps(mergeIndexes(session, stored.indexes, stored.media), summary);
  const timeline = recordingTimeline(session, promised, { final: true });
  findings.push(...checkSummary(summary, timeline), ...(await findLateSegments(store, session, stored, summary)));
  findings.push(...(await checkPlaylists(store, session, timeline)));
  let segments = 0;
  for (const index of promised) {
    for (const rendition of timeline.renditions) {
      const result = await checkRendition({ store, decoder, index, rendition });
      findings.push(...result.findings);
      segments += result.segments;
    }
  }
  return { findings, summary, segments };
}

/** What finalizeVod found to be a gap is one, whatever the indexes said before. */
function withDeclaredGaps(indexes: readonly RecordingIndex[], summary: RecordingSummary): readonly RecordingIndex[] {
  const gaps = new Map(summary.renditions.map(({ name }) => [String(name), declaredGaps(summary, name)]));
  return indexes.map((index) => {
    const entries: Record<string, IndexEntry[]> = {};
    for (const [rendition, list] of Object.entries(index.entries)) {
      entries[rendition] = list.map((entry) => {
        const { msn, duration, pdt } = entry;
        return gaps.get(rendition)?.has(msn) === true ? { msn, duration, pdt } : entry;
      });
    }
    return { ...index, entries };
  });
}

/** Media sequence numbers that recording.json declares as gaps of a rendition. */
function declaredGaps(summary: RecordingSummary, rendition: RenditionName): Set<number> {
  return new Set(summary.renditions.find(({ name }) => name === rendition)?.gaps.map(({ msn }) => msn));
}

function checkSummary(summary: RecordingSummary, timeline: RecordingTimeline): string[] {
  const findings: string[] = [];
  for (const [position, name] of timeline.renditions.entries()) {
    const declared = declaredGaps(summary, name);
    for (const row of timeline.rows) {
      if (row.stored[position] === undefined && !declared.delete(row.msn)) {
        findings.push(`${name} ${row.msn}: there is none, and it is not declared as a gap`);
      }
    }
    for (const msn of declared) findings.push(`${name} ${msn}: declared as a gap, but no part of the recording`);
  }
  if (chainDigests(timeline) !== summary.digest) {
    findings.push('recording.json: its digest is not that of the segments that the indexes name');
  }
  return findings;
}

/** What lies there and was declared as a gap, or stands in no index, came after the last finalisation. */
async function findLateSegments(
  store: VerifyOptions['store'],
  session: RecordingSession,
  stored: StoredRecording,
  summary: RecordingSummary,
): Promise<string[]> {
  const reconciled = reconcile(session, stored.indexes, stored.media);
  const adoption = await adoptSegments(store, reconciled, stored.media);
  const findings: string[] = [];
  for (const { epoch, entries } of adoption.indexes) {
    for (const [rendition, list] of Object.entries(entries)) {
      for (const { msn } of list) {
        findings.push(
          `${rendition} ${msn} (epoch ${epoch}): no index names it, but it is there: make the recording final again`,
        );
      }
    }
  }
  const now = recordingTimeline(session, reconciled.indexes, { final: true });
  for (const [position, name] of now.renditions.entries()) {
    const declared = declaredGaps(summary, name);
    for (const { msn, stored: entries } of now.rows) {
      if (entries[position] !== undefined && declared.has(msn)) {
        findings.push(`${name} ${msn}: declared as a gap, but it is there: make the recording final again`);
      }
    }
  }
  return findings;
}

async function checkPlaylists(
  store: VerifyOptions['store'],
  session: RecordingSession,
  timeline: RecordingTimeline,
): Promise<string[]> {
  const { streamId, sessionId } = session;
  const wanted: [StoreKey, string][] = timeline.renditions.map((rendition) => [
    keyOfPath({ kind: 'vod-media', streamId, sessionId, rendition }),
    renderRecordingMedia(timeline, rendition, { final: true }),
  ]);
  wanted.push([keyOfPath({ kind: 'vod-multivariant', streamId, sessionId }), renderRecordingMultivariant(session)]);
  const findings: string[] = [];
  for (const [key, text] of wanted) {
    const object = await store.get(key);
    if (object === undefined) findings.push(`${key}: it is not there`);
    else if (Buffer.compare(object.body, Buffer.from(text)) !== 0) {
      findings.push(`${key}: it does not list what the indexes and recording.json say`);
    }
  }
  return findings;
}

interface RenditionOfEpoch {
  readonly store: VerifyOptions['store'];
  readonly decoder: SegmentDecoder | undefined;
  readonly index: RecordingIndex;
  readonly rendition: RenditionName;
}

interface ReadSegment {
  readonly entry: IndexEntry;
  readonly name: string;
  /** Undefined: it is not what was recorded. */
  readonly body: Uint8Array | undefined;
  readonly timing: SegmentTiming | undefined;
}

async function checkRendition(
  options: RenditionOfEpoch,
): Promise<{ readonly findings: string[]; readonly segments: number }> {
  const { store, decoder, index, rendition } = options;
  const entries = (index.entries[rendition] ?? []).filter(({ size }) => size !== undefined);
  const findings: string[] = [];
  if (entries.length === 0) return { findings, segments: 0 };
  const init = await readInit(store, index, rendition);
  if (typeof init === 'string') return { findings: [init], segments: 0 };
  let last: ReadSegment | undefined;
  for (let from = 0; from < entries.length; from += BATCH) {
    const batch = await mapLimited(entries.slice(from, from + BATCH), PARALLEL, (entry) =>
      readSegment(options, init.tracks, entry, findings),
    );
    for (const segment of batch) {
      findings.push(...joins(last, segment, init.tracks));
      last = segment;
    }
    if (decoder !== undefined) findings.push(...(await decodeBatch(decoder, init.body, batch)));
  }
  return { findings, segments: entries.length };
}

interface ReadInit {
  readonly body: Uint8Array;
  readonly tracks: readonly InitTrack[];
}

/** @returns what is wrong, when something is */
async function readInit(
  store: VerifyOptions['store'],
  { streamId, epoch, inits }: RecordingIndex,
  rendition: RenditionName,
): Promise<ReadInit | string> {
  const key = keyOfPath({ kind: 'init', streamId, epoch, rendition });
  const object = await store.get(key);
  if (object === undefined) return `${key}: it is not there`;
  if (sha256(object.body) !== inits[rendition]?.sha256) return `${key}: its SHA-256 is not that of what was recorded`;
  try {
    return { body: object.body, tracks: readInitTracks(object.body) };
  } catch (error) {
    if (error instanceof SegmentFormatError) return `${key}: ${error.message}`;
    throw error;
  }
}

async function readSegment(
  { store, index, rendition }: RenditionOfEpoch,
  tracks: readonly InitTrack[],
  entry: IndexEntry,
  findings: string[],
): Promise<ReadSegment> {
  const name = segmentName(rendition, entry.msn, index.epoch);
  const { streamId, epoch } = index;
  const object = await store.get(keyOfPath({ kind: 'segment', streamId, epoch, rendition, msn: entry.msn }));
  if (object === undefined) {
    findings.push(`${name}: it is not there`);
    return { entry, name, body: undefined, timing: undefined };
  }
  const { body } = object;
  const isRecorded = body.byteLength === entry.size && sha256(body) === entry.sha256;
  if (body.byteLength !== entry.size) findings.push(`${name}: got ${body.byteLength} bytes, wanted ${entry.size ?? 0}`);
  else if (!isRecorded) findings.push(`${name}: its SHA-256 is not that of what was recorded`);
  try {
    return { entry, name, body: isRecorded ? body : undefined, timing: readSegmentTiming(body, tracks) };
  } catch (error) {
    if (!(error instanceof SegmentFormatError)) throw error;
    findings.push(`${name}: ${error.message}`);
    return { entry, name, body: undefined, timing: undefined };
  }
}

function segmentName(rendition: RenditionName, msn: number, epoch: Epoch): string {
  return `${rendition} ${msn} (epoch ${epoch})`;
}

const sha256 = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

/** Seconds that playlist and media may differ by: RTMP counts milliseconds. */
const TOLERANCE = 0.002;

/**
 * What a track may leave out between two segments, or say twice, seconds: where a publisher vanishes its last frame has
 * no end, and the standing picture begins a frame or so later.
 */
const HOLE = 0.1;
const OVERLAP = 0.01;

/** Within an epoch each track begins where it ended in the segment before, and lasts as long as the playlist says. */
function joins(before: ReadSegment | undefined, segment: ReadSegment, tracks: readonly InitTrack[]): string[] {
  const { entry, name, timing } = segment;
  if (timing === undefined) return [];
  const findings: string[] = [];
  if (Math.abs(timing.duration - entry.duration) > TOLERANCE) {
    findings.push(`${name}: it lasts ${timing.duration.toFixed(3)} s, its index says ${entry.duration.toFixed(3)} s`);
  }
  if (before?.timing === undefined || before.entry.msn + 1 !== entry.msn) return findings;
  for (const { trackId, handler, timescale } of tracks) {
    const end = before.timing.tracks.get(trackId)?.end;
    const start = timing.tracks.get(trackId)?.start;
    if (end === undefined || start === undefined) continue;
    if (start - end <= HOLE * timescale && end - start <= OVERLAP * timescale) continue;
    findings.push(`${name}: its ${handler} track begins at ${start} ticks, the segment before ends at ${end}`);
  }
  return findings;
}

/** Decodes what is whole in a row; when FFmpeg complains, each segment by itself, to name the one. */
async function decodeBatch(
  decoder: SegmentDecoder,
  init: Uint8Array,
  batch: readonly ReadSegment[],
): Promise<string[]> {
  const findings: string[] = [];
  for (const run of wholeRuns(batch)) {
    const complaint = await decoder.decode([init, ...run.map(({ body }) => body)]);
    if (complaint === undefined) continue;
    let isNamed = false;
    for (const { name, body } of run) {
      const own = await decoder.decode([init, body]);
      if (own === undefined) continue;
      isNamed = true;
      findings.push(`${name}: it does not decode: ${own}`);
    }
    if (!isNamed)
      findings.push(`${run[0]?.name ?? ''} to ${run.at(-1)?.name ?? ''}: they do not decode in a row: ${complaint}`);
  }
  return findings;
}

/** Segments that follow each other, up to one that is missing or spoilt. */
function wholeRuns(batch: readonly ReadSegment[]): { readonly name: string; readonly body: Uint8Array }[][] {
  const runs: { readonly name: string; readonly body: Uint8Array }[][] = [];
  let expected = Number.NaN;
  for (const { entry, name, body } of batch) {
    if (body === undefined) {
      expected = Number.NaN;
      continue;
    }
    if (entry.msn === expected) runs.at(-1)?.push({ name, body });
    else runs.push([{ name, body }]);
    expected = entry.msn + 1;
  }
  return runs;
}
