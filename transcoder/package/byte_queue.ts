/**
 * Bytes that arrived in chunks and are read in exact pieces: what lies inside one chunk is handed out without a copy.
 */
export class ByteQueue {
  #chunks: Buffer[] = [];
  /** Read position inside the first chunk. */
  #offset = 0;
  #length = 0;

  /** Bytes that can be read now. */
  get length(): number {
    return this.#length;
  }

  /** Takes ownership of `chunk`: nobody may write to it afterwards. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next `size` bytes; a slice where one chunk holds them, else a copy. @throws RangeError when fewer are there */
  read(size: number): Buffer {
    if (size > this.#length) throw new RangeError(`got ${this.#length} bytes, wanted ${size}`);
    const first = this.#chunks[0];
    if (first === undefined || size === 0) return Buffer.alloc(0);
    if (first.length - this.#offset >= size) {
      const slice = first.subarray(this.#offset, this.#offset + size);
      this.#advance(size);
      return slice;
    }
    const copy = Buffer.allocUnsafeSlow(size);
    this.#copyInto(copy);
    this.#advance(size);
    return copy;
  }

  /** The next `size` bytes without consuming them, or undefined when fewer are there. Meant for headers. */
  peek(size: number): Buffer | undefined {
    if (size > this.#length) return undefined;
    const first = this.#chunks[0];
    if (first !== undefined && first.length - this.#offset >= size) {
      return first.subarray(this.#offset, this.#offset + size);
    }
    const copy = Buffer.allocUnsafe(size);
    this.#copyInto(copy);
    return copy;
  }

  /** Drops up to `size` bytes and says how many were dropped. */
  skip(size: number): number {
    const dropped = Math.min(size, this.#length);
    this.#advance(dropped);
    return dropped;
  }

  #copyInto(target: Buffer): void {
    let written = 0;
    let offset = this.#offset;
    for (const chunk of this.#chunks) {
      if (written >= target.length) return;
      written += chunk.copy(target, written, offset, Math.min(chunk.length, offset + target.length - written));
      offset = 0;
    }
  }

  #advance(size: number): void {
    this.#length -= size;
    this.#offset += size;
    let whole = 0;
    let first = this.#chunks[0];
    while (first !== undefined && this.#offset >= first.length) {
      this.#offset -= first.length;
      whole += 1;
      first = this.#chunks[whole];
    }
    if (whole > 0) this.#chunks.splice(0, whole);
  }
}
