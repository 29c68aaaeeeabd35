/**
 * Reads back what was written for a target, for tests of relays.
 */
import { inspectAudioTag } from '../../flv/audio_tag.ts';
import { inspectVideoTag } from '../../flv/video_tag.ts';
import { ChunkReader } from '../../ingest/chunk_reader.ts';
import type { ChunkMessage } from '../../ingest/chunk_reader.ts';
import { RELAY_CHUNK_SIZE } from '../chunk_writer.ts';

export interface ReadMessage extends ChunkMessage {
  /** `v` and `a` for frames, `V` and `A` for their headers, `m` for metadata. */
  readonly label: string;
}

/** @param chunkSize that the bytes begin with: they may announce another */
export function readChunks(bytes: Buffer, chunkSize = RELAY_CHUNK_SIZE): readonly ReadMessage[] {
  const messages: ReadMessage[] = [];
  const reader = new ChunkReader(
    {
      startMessage: () => true,
      message: (message) => messages.push({ ...message, label: labelOf(message) }),
      unfinishedLimit: () => 1e8,
    },
    8,
  );
  reader.feed(Buffer.from([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, chunkSize >> 8, chunkSize & 255]));
  reader.feed(bytes);
  return messages;
}

function labelOf({ type, body = Buffer.alloc(0) }: ChunkMessage): string {
  if (type === 18) return 'm';
  if (type === 8) return inspectAudioTag(body)?.packet === 'sequence-header' ? 'A' : 'a';
  return inspectVideoTag(body)?.packet === 'sequence-header' ? 'V' : 'v';
}
