/**
 * Gzip by the platform's CompressionStream (Compression standard), for runtimes that bring nothing faster.
 */
import type { Bytes } from './stored_object.ts';

export async function gzipByStream(bytes: Bytes): Promise<Bytes> {
  const compressed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}
