/**
 * GET from a media server through the platform's fetch, for runtimes other than Node.
 */
import type { EdgeDependencies, UpstreamReply } from '../../contracts/edge_dependencies.ts';

/** @param mediaToken shown as Bearer token */
export function createWebUpstream(mediaToken: string | undefined): EdgeDependencies['fetchUpstream'] {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (mediaToken !== undefined) headers.authorization = `Bearer ${mediaToken}`;
  return async (url, limits): Promise<UpstreamReply> => {
    // A redirect would take the token to an address that nobody has allowed.
    const response = await fetch(url, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(limits.timeoutMs),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await readWhole(response, limits.maxBytes),
    };
  };
}

/** Into one buffer of its own, made at once when the length is announced. */
async function readWhole(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(response.headers.get('content-length') ?? Number.NaN);
  if (announced > maxBytes) {
    await response.body?.cancel();
    throw new Error(`got more than ${maxBytes} bytes`);
  }
  // Within the limit the platform gathers the bytes itself, which costs less than reading piece by piece.
  if (announced <= maxBytes) return new Uint8Array(await response.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new Error(`got more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}
