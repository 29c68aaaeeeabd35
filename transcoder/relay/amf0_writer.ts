/**
 * Writes the AMF0 values that a publishing client sends (amf0-file-format-specification section 2).
 */

export type Amf0Writable = number | boolean | string | null | readonly string[] | Readonly<Record<string, Amf0Scalar>>;
type Amf0Scalar = number | boolean | string | readonly string[];

const MARKER = { number: 0, boolean: 1, string: 2, object: 3, null: 5, strictArray: 10 } as const;
/** An empty name, then the end marker (section 2.5). */
const OBJECT_END = Buffer.from([0, 0, 9]);

/** All values one after the other. @throws RangeError for a text of more than 65,535 bytes */
export function writeAmf0(values: readonly Amf0Writable[]): Buffer {
  return Buffer.concat(values.map((value) => writeValue(value)));
}

function writeValue(value: Amf0Writable): Buffer {
  if (value === null) return Buffer.from([MARKER.null]);
  if (typeof value === 'boolean') return Buffer.from([MARKER.boolean, value ? 1 : 0]);
  if (typeof value === 'string') return Buffer.concat([Buffer.from([MARKER.string]), writeText(value)]);
  if (typeof value === 'number') {
    const number = Buffer.alloc(9);
    number.writeUInt8(MARKER.number, 0);
    number.writeDoubleBE(value, 1);
    return number;
  }
  if (isTexts(value)) {
    const head = Buffer.alloc(5);
    head.writeUInt8(MARKER.strictArray, 0);
    head.writeUInt32BE(value.length, 1);
    return Buffer.concat([head, ...value.map((text) => writeValue(text))]);
  }
  const pairs = Object.entries(value).flatMap(([name, property]) => [writeText(name), writeValue(property)]);
  return Buffer.concat([Buffer.from([MARKER.object]), ...pairs, OBJECT_END]);
}

function isTexts(value: readonly string[] | Readonly<Record<string, Amf0Scalar>>): value is readonly string[] {
  return Array.isArray(value);
}

/** Length, then UTF-8 (section 1.3.1). */
function writeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}
