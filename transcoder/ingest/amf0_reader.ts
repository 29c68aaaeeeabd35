/**
 * Reads AMF0 (amf0-file-format-specification) strictly and within bounds. The stock decoder accepts truncated values,
 * recurses without limit and fills plain objects, so that a key `__proto__` changes their prototype.
 */
import { RtmpProtocolError } from './rtmp_protocol_error.ts';

/** Objects and ECMA arrays are maps, references and unsupported values are undefined. */
export type Amf0Value = number | boolean | string | null | undefined | readonly Amf0Value[] | Amf0Object;
export type Amf0Object = ReadonlyMap<string, Amf0Value>;

export interface Amf0Limits {
  readonly amfDepth: number;
  readonly amfValues: number;
}

export function isAmf0Object(value: Amf0Value): value is Amf0Object {
  return value instanceof Map;
}

const OBJECT_END = 0x09;

export class Amf0Reader {
  readonly #buffer: Buffer;
  readonly #limits: Amf0Limits;
  #offset = 0;
  #values = 0;

  constructor(buffer: Buffer, limits: Amf0Limits) {
    this.#buffer = buffer;
    this.#limits = limits;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  get atEnd(): boolean {
    return this.#offset >= this.#buffer.length;
  }

  /** @throws RtmpProtocolError of class `amf` when the value is truncated, too deep, too large or of an unknown type */
  readValue(depth = 0): Amf0Value {
    this.#values += 1;
    if (this.#values > this.#limits.amfValues) this.#fail(`more than ${this.#limits.amfValues} values`);
    if (depth > this.#limits.amfDepth) this.#fail(`nested deeper than ${this.#limits.amfDepth}`);
    const marker = this.#buffer[this.#take(1)];
    switch (marker) {
      case 0x00:
        return this.#buffer.readDoubleBE(this.#take(8));
      case 0x01:
        return this.#buffer[this.#take(1)] !== 0;
      case 0x02:
        return this.#readText(this.#readU16());
      case 0x03:
        return this.#readProperties(depth);
      case 0x05:
        return null;
      case 0x06:
      case 0x0d:
        return undefined;
      case 0x07:
        this.#take(2);
        return undefined;
      default:
        return this.#readRareValue(marker, depth);
    }
  }

  #readRareValue(marker: number | undefined, depth: number): Amf0Value {
    switch (marker) {
      case 0x08:
        this.#take(4);
        return this.#readProperties(depth);
      case 0x0a:
        return this.#readStrictArray(depth);
      case 0x0b: {
        const at = this.#take(10);
        return this.#buffer.readDoubleBE(at);
      }
      case 0x0c:
      case 0x0f:
        return this.#readText(this.#buffer.readUInt32BE(this.#take(4)));
      case 0x10:
        this.#readText(this.#readU16());
        return this.#readProperties(depth);
      default:
        return this.#fail(`type ${marker} is not known`);
    }
  }

  #readProperties(depth: number): Amf0Object {
    const properties = new Map<string, Amf0Value>();
    for (;;) {
      const length = this.#readU16();
      if (length === 0) {
        const end = this.#buffer[this.#take(1)];
        if (end === OBJECT_END) return properties;
        this.#fail(`empty key followed by ${end}, wanted the end of the object`);
      }
      const key = this.#readText(length);
      properties.set(key, this.readValue(depth + 1));
    }
  }

  #readStrictArray(depth: number): readonly Amf0Value[] {
    const count = this.#buffer.readUInt32BE(this.#take(4));
    const left = this.#buffer.length - this.#offset;
    if (count > left) this.#fail(`array of ${count} in ${left} bytes`);
    const values: Amf0Value[] = [];
    for (let index = 0; index < count; index += 1) values.push(this.readValue(depth + 1));
    return values;
  }

  #readU16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  #readText(length: number): string {
    const at = this.#take(length);
    return this.#buffer.toString('utf8', at, at + length);
  }

  /** Reserves the next bytes and says where they begin. */
  #take(bytes: number): number {
    const at = this.#offset;
    const left = this.#buffer.length - at;
    if (bytes > left) this.#fail(`${left} bytes left, wanted ${bytes}`);
    this.#offset = at + bytes;
    return at;
  }

  #fail(problem: string): never {
    throw new RtmpProtocolError('amf', `AMF0 at byte ${this.#offset}: ${problem}`);
  }
}
