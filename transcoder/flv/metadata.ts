/**
 * Reads what a publisher says about its stream in onMetaData (video_file_format_spec_v10_1, E.5; AMF0 specification).
 * Publishers write all sorts of things there: whatever is not understood, out of range or cut off is left out, and
 * nothing throws.
 */

/** A field is there only when the publisher gave a plausible value. */
export interface StreamMetadata {
  /** Frames per second, more than 0 and at most 1000. */
  readonly frameRate?: number;
  /** Bits per second. */
  readonly videoBitrate?: number;
  readonly audioBitrate?: number;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** Hz. */
  readonly audioSampleRate?: number;
  readonly audioChannels?: number;
  /** False when the publisher says outright that the track will not come; true when it names a codec. */
  readonly hasVideo?: boolean;
  readonly hasAudio?: boolean;
  /** Name of the publishing program, at most 100 characters, control characters removed. */
  readonly encoder?: string;
}

type AmfValue = number | boolean | string | undefined;

const MAX_DEPTH = 8;
const MAX_PROPERTIES = 512;
const MAX_BYTES = 64 * 1024;

/** AMF0 type markers (section 2.1). */
const MARKER = {
  number: 0,
  boolean: 1,
  string: 2,
  object: 3,
  null: 5,
  undefined: 6,
  ecmaArray: 8,
  objectEnd: 9,
  strictArray: 10,
  date: 11,
  longString: 12,
} as const;

/** Ends the reading of what is cut off, too deep or too long; never leaves this file. */
class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** @param body AMF0: an optional "@setDataFrame", then "onMetaData", then an object or ECMA array */
export function parseMetadata(body: Buffer): StreamMetadata {
  const properties = new Map<string, AmfValue>();
  const reader = new AmfReader(body.subarray(0, MAX_BYTES), properties);
  try {
    reader.readMessage();
  } catch (error) {
    // What was read before the damage still counts.
    if (!(error instanceof Unreadable)) throw error;
  }
  return toMetadata(properties);
}

class AmfReader {
  readonly #data: Buffer;
  readonly #properties: Map<string, AmfValue>;
  #at = 0;
  #seen = 0;

  constructor(data: Buffer, properties: Map<string, AmfValue>) {
    this.#data = data;
    this.#properties = properties;
  }

  readMessage(): void {
    let name = this.#value(MAX_DEPTH);
    if (name === '@setDataFrame') name = this.#value(MAX_DEPTH);
    if (name !== 'onMetaData') return;
    const type = this.#byte();
    if (type === MARKER.ecmaArray) this.#skip(4);
    else if (type !== MARKER.object) return;
    this.#object(0, this.#properties);
  }

  #skip(bytes: number): number {
    const from = this.#at;
    if (from + bytes > this.#data.length) throw new Unreadable('cut off');
    this.#at += bytes;
    return from;
  }

  #byte(): number {
    return this.#data.readUInt8(this.#skip(1));
  }

  #text(length: number): string {
    const from = this.#skip(length);
    return this.#data.toString('utf8', from, from + length);
  }

  #object(depth: number, into: Map<string, AmfValue> | undefined): void {
    if (depth > MAX_DEPTH) throw new Unreadable('too deep');
    for (;;) {
      this.#seen += 1;
      if (this.#seen > MAX_PROPERTIES) throw new Unreadable('too many properties');
      const key = this.#text(this.#data.readUInt16BE(this.#skip(2)));
      const type = this.#byte();
      if (type === MARKER.objectEnd) return;
      const value = this.#valueOf(type, depth + 1);
      if (into !== undefined && value !== undefined) into.set(key.toLowerCase(), value);
    }
  }

  #value(depth: number): AmfValue {
    return this.#valueOf(this.#byte(), depth);
  }

  /** Nested objects and arrays are read over: nothing that counts is inside of them. */
  #valueOf(type: number, depth: number): AmfValue {
    switch (type) {
      case MARKER.number:
        return this.#data.readDoubleBE(this.#skip(8));
      case MARKER.boolean:
        return this.#byte() !== 0;
      case MARKER.string:
        return this.#text(this.#data.readUInt16BE(this.#skip(2)));
      case MARKER.longString:
        return this.#text(this.#data.readUInt32BE(this.#skip(4)));
      case MARKER.null:
      case MARKER.undefined:
        return undefined;
      case MARKER.date:
        this.#skip(10);
        return undefined;
      case MARKER.ecmaArray:
        this.#skip(4);
        this.#object(depth, undefined);
        return undefined;
      case MARKER.object:
        this.#object(depth, undefined);
        return undefined;
      case MARKER.strictArray:
        this.#strictArray(depth);
        return undefined;
      default:
        throw new Unreadable(`type ${type}`);
    }
  }

  #strictArray(depth: number): void {
    if (depth > MAX_DEPTH) throw new Unreadable('too deep');
    const length = this.#data.readUInt32BE(this.#skip(4));
    for (let index = 0; index < length; index += 1) {
      this.#seen += 1;
      if (this.#seen > MAX_PROPERTIES) throw new Unreadable('too many elements');
      this.#value(depth + 1);
    }
  }
}

function toMetadata(properties: ReadonlyMap<string, AmfValue>): StreamMetadata {
  const inRange = (key: string, min: number, max: number): number | undefined => {
    const value = properties.get(key);
    // Some publishers write numbers as text.
    const number = typeof value === 'string' && value.length <= 20 ? Number.parseFloat(value) : value;
    return typeof number === 'number' && number >= min && number <= max ? number : undefined;
  };
  const kilobits = (key: string, max: number): number | undefined => {
    const value = inRange(key, 1, max);
    return value === undefined ? undefined : Math.round(value * 1000);
  };
  const encoder = properties.get('encoder');
  const fields = {
    frameRate: inRange('framerate', 0.1, 1000) ?? inRange('fps', 0.1, 1000),
    videoBitrate: kilobits('videodatarate', 500_000),
    audioBitrate: kilobits('audiodatarate', 10_000),
    width: inRange('width', 1, 16_384),
    height: inRange('height', 1, 16_384),
    audioSampleRate: inRange('audiosamplerate', 4000, 192_000),
    audioChannels: inRange('audiochannels', 1, 16),
    hasVideo: declared(properties.get('hasvideo'), properties.get('videocodecid')),
    hasAudio: declared(properties.get('hasaudio'), properties.get('audiocodecid')),
    encoder: typeof encoder === 'string' ? encoder.replaceAll(/\p{C}/gu, '').slice(0, 100) : undefined,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function declared(flag: AmfValue, codecId: AmfValue): boolean | undefined {
  if (typeof flag === 'boolean') return flag;
  if (typeof codecId === 'string') return codecId !== '';
  // AAC is 10, H.264 7: a codec id of 0 is what publishers without the track write.
  return typeof codecId === 'number' ? codecId > 0 : undefined;
}
