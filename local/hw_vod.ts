/**
 * `hw vod verify | delete`: what a person does with one recording. They read and write the store itself, with the
 * caller's own rights.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SessionId, StreamId } from '../contracts/ids.ts';
import { parseSessionId, parseStreamId } from '../contracts/ids.ts';
import { recordingKey } from '../contracts/recording.ts';
import type { RecordingStore } from '../contracts/recording_store.ts';
import { SETTINGS } from '../contracts/setting_table.ts';
import { readSettings } from '../contracts/settings.ts';
import { deleteRecording } from '../functions/delete_recording.ts';
import { openStore } from '../storage/open_store.ts';
import { createSegmentDecoder } from './segment_decoder.ts';
import type { SegmentDecoder } from './segment_decoder.ts';
import { verifyRecording } from './vod_verify.ts';

export interface VodCommand {
  readonly verb: 'verify' | 'delete';
  readonly streamId: StreamId;
  readonly sessionId: SessionId;
  /** `delete`: without it nothing is deleted. */
  readonly yes: boolean;
  /** `delete`: also while the recording is not final. */
  readonly open: boolean;
  /** `verify`: nothing is decoded. */
  readonly quick: boolean;
}

/** @param args what follows `vod`. Undefined when it is no command. @throws Error in one line for a bad name */
export function readVodCommand(args: readonly string[]): VodCommand | undefined {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      yes: { type: 'boolean', default: false },
      open: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
    },
  });
  const [verb, ...name] = positionals;
  const [stream, session, ...rest] = name.flatMap((part) => part.split('/'));
  if ((verb !== 'verify' && verb !== 'delete') || stream === undefined || session === undefined || rest.length > 0) {
    return undefined;
  }
  if (verb === 'verify' ? values.yes || values.open : values.quick) return undefined;
  return { verb, streamId: parseStreamId(stream), sessionId: parseSessionId(session), ...values };
}

export interface VodResult {
  readonly text: string;
  /** Exit status. */
  readonly status: number;
}

/** @throws Error in one line: a bad setting, a store that does not answer */
export async function runVod(
  command: VodCommand,
  env: Readonly<Record<string, string | undefined>>,
): Promise<VodResult> {
  const { recordingStore, s3Endpoint, dataDir, ffmpeg } = readSettings(SETTINGS, env);
  const store = openStore(recordingStore ?? `file:${join(dataDir, 'recordings')}`, { s3Endpoint });
  try {
    if (command.verb === 'delete') return await runDelete(store, command);
    return await runVerify(store, command, command.quick ? undefined : createSegmentDecoder(ffmpeg));
  } finally {
    store.close();
  }
}

async function runVerify(
  store: RecordingStore,
  { streamId, sessionId }: VodCommand,
  decoder: SegmentDecoder | undefined,
): Promise<VodResult> {
  const { findings, summary, segments } = await verifyRecording({ store, decoder, streamId, sessionId });
  if (findings.length > 0 || summary === undefined) {
    const verdict = `BAD: ${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}`;
    return { text: [...findings, verdict].join('\n'), status: 1 };
  }
  const gaps = summary.renditions.map(({ name, gaps: list }) => `${name} ${list.length}`).join(', ');
  const read = decoder === undefined ? 'read' : 'read and decoded';
  const text = `GOOD: revision ${summary.revision}, ${summary.duration.toFixed(3)} s, ${segments} segments ${read}; gaps, all declared: ${gaps}`;
  return { text, status: 0 };
}

async function runDelete(store: RecordingStore, command: VodCommand): Promise<VodResult> {
  const { streamId, sessionId, yes, open } = command;
  const isOpen = (await store.head(recordingKey.open(streamId, sessionId))) !== undefined;
  if (isOpen && !open) {
    const text = 'the recording is not final: end its show and wait, or say --open to delete it all the same';
    return { text, status: 1 };
  }
  if (!yes) return { text: `this deletes the recording ${streamId}/${sessionId} for good: say --yes`, status: 1 };
  const { objects, bytes, foreign } = await deleteRecording(store, streamId, sessionId);
  if (objects === 0) return { text: 'there is no such recording', status: 1 };
  const left = foreign === 0 ? '' : `; ${foreign} objects among them are not the recording's and were left alone`;
  return { text: `deleted: ${objects} objects, ${(bytes / 1e6).toFixed(1)} MB${left}`, status: 0 };
}
