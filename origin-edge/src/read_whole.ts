/**
 * Reads the body of a fetched reply, within a limit.
 */

/**
 * Into one buffer of its own, made at once when the length is announced.
 * @throws Error when the body is larger than `maxBytes`
 */
export async function readWhole(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
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
