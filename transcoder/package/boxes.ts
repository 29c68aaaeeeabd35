/**
 * ISO base media file format boxes (ISO/IEC 14496-12 section 4.2): finding them in a buffer and building them.
 */

/** Thrown for bytes that are not the boxes they claim to be. */
export class BoxError extends Error {
  override readonly name = 'BoxError';
}

/** Where a box lies in its buffer. */
export interface Box {
  readonly type: string;
  /** Offset of the box's header. */
  readonly start: number;
  /** Offset of what follows the header. */
  readonly body: number;
  /** Offset behind the box's last byte. */
  readonly end: number;
}

/** Reads the header at `start`; the box must end at or before `limit`. @throws BoxError */
export function readBox(buffer: Buffer, start: number, limit: number): Box {
  if (limit - start < 8) throw new BoxError(`got ${limit - start} bytes, wanted a box header of 8`);
  const type = buffer.toString('latin1', start + 4, start + 8);
  let size = buffer.readUInt32BE(start);
  let body = start + 8;
  if (size === 1) {
    if (limit - start < 16) throw new BoxError(`got ${limit - start} bytes, wanted a long box header of 16`);
    size = Number(buffer.readBigUInt64BE(start + 8));
    body = start + 16;
  } else if (size === 0) {
    size = limit - start;
  }
  if (size < body - start || start + size > limit) {
    throw new BoxError(`box ${JSON.stringify(type)}: got a size of ${size}, wanted at most ${limit - start}`);
  }
  return { type, start, body, end: start + size };
}

/** The boxes between two offsets. @throws BoxError */
export function listBoxes(buffer: Buffer, start: number, end: number): Box[] {
  const boxes: Box[] = [];
  let offset = start;
  while (offset < end) {
    const next = readBox(buffer, offset, end);
    boxes.push(next);
    offset = next.end;
  }
  return boxes;
}

/** The first box at the path of types below `parent`, or undefined. @throws BoxError */
export function findBox(
  buffer: Buffer,
  parent: Pick<Box, 'body' | 'end'>,
  ...path: readonly string[]
): Box | undefined {
  const [type, ...rest] = path;
  const found = listBoxes(buffer, parent.body, parent.end).find((child) => child.type === type);
  return found === undefined || rest.length === 0 ? found : findBox(buffer, found, ...rest);
}

/** As `findBox`. @throws BoxError when there is none, or its body has fewer than `minimum` bytes */
export function requireBox(
  buffer: Buffer,
  parent: Pick<Box, 'body' | 'end'>,
  path: readonly string[],
  minimum = 0,
): Box {
  const found = findBox(buffer, parent, ...path);
  if (found === undefined) throw new BoxError(`got no ${path.join('/')} box, wanted one`);
  if (found.end - found.body < minimum) {
    throw new BoxError(`${path.join('/')}: got ${found.end - found.body} bytes, wanted at least ${minimum}`);
  }
  return found;
}

/** Builds a box of the concatenated contents. */
export function box(type: string, ...contents: readonly Uint8Array[]): Buffer {
  const size = contents.reduce((sum, part) => sum + part.length, 8);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(size, 0);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, ...contents], size);
}

/** Builds a full box (ISO/IEC 14496-12 section 4.2.2): version and flags before the contents. */
export function fullBox(type: string, version: number, flags: number, ...contents: readonly Uint8Array[]): Buffer {
  return box(type, u32(version * 0x1_00_00_00 + flags), ...contents);
}

/** Big-endian 32-bit words. */
export function u32(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => buffer.writeUInt32BE(value, index * 4));
  return buffer;
}

/** Big-endian 16-bit words. */
export function u16(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => buffer.writeUInt16BE(value, index * 2));
  return buffer;
}
